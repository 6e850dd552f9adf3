package kube

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// leaseServer is an API server with one Lease.
type leaseServer struct {
	mu       sync.Mutex
	lease    map[string]any
	version  int
	requests []string
}

func (s *leaseServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	var sent map[string]any
	if r.Method != http.MethodGet {
		if r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&sent) != nil {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
	}
	version := func(o map[string]any) any { return o["metadata"].(map[string]any)["resourceVersion"] }
	var err *apierrors.StatusError
	switch {
	case r.Method == http.MethodPost && s.lease != nil:
		err = apierrors.NewAlreadyExists(leases, "l")
	case r.Method != http.MethodPost && s.lease == nil:
		err = apierrors.NewNotFound(leases, "l")
	case r.Method == http.MethodPut && version(sent) != version(s.lease):
		err = apierrors.NewConflict(leases, "l", errors.New("modified"))
	case r.Method != http.MethodGet:
		s.version++
		sent["metadata"].(map[string]any)["resourceVersion"] = strconv.Itoa(s.version)
		s.lease = sent
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		status := err.ErrStatus
		status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
		w.WriteHeader(int(status.Code))
		_ = json.NewEncoder(w).Encode(status) // the test fails without it
		return
	}
	_ = json.NewEncoder(w).Encode(s.lease) // the test fails without it
}

func TestLease_IsCreatedUpdatedAndReleasedOnAServer(t *testing.T) {
	s := &leaseServer{}
	server := httptest.NewServer(s)
	defer server.Close()
	client, err := NewClient(&rest.Config{Host: server.URL}, "", "default", ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, identity := range []string{"first", "second"} {
		l := &Lease{Client: client, Namespace: "logging", Name: "ktail-0", Identity: identity}
		err := l.Hold(t.Context(), func(context.Context) error {
			spec := s.lease["spec"].(map[string]any)
			if spec["holderIdentity"] != identity || spec["leaseDurationSeconds"] != 30.0 || spec["leaseTransitions"] != float64(i) || spec["acquireTime"] == "" {
				t.Errorf("the lease is %v, want it held by %s after %d transitions", spec, identity, i)
			}
			return nil
		})
		if err != nil {
			t.Errorf("Hold() = %v", err)
		}
		if holder := s.lease["spec"].(map[string]any)["holderIdentity"]; holder != "" {
			t.Errorf("%s still holds the lease", holder)
		}
	}
	if want := "/apis/coordination.k8s.io/v1/namespaces/logging/leases"; s.requests[0] != "GET "+want+"/ktail-0" || s.requests[1] != "POST "+want || s.requests[2] != "PUT "+want+"/ktail-0" {
		t.Errorf("requests %q", s.requests)
	}
}
