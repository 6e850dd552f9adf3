package kube

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// leaseObject has the fields of a Lease of coordination.k8s.io/v1 that are needed.
type leaseObject struct {
	APIVersion string        `json:"apiVersion"`
	Kind       string        `json:"kind"`
	Metadata   leaseMetadata `json:"metadata"`
	Spec       leaseSpec     `json:"spec"`
}

type leaseMetadata struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	ResourceVersion string            `json:"resourceVersion,omitempty"`
	Labels          map[string]string `json:"labels,omitempty"`
	Annotations     map[string]string `json:"annotations,omitempty"`
}

type leaseSpec struct {
	HolderIdentity  string `json:"holderIdentity"`
	DurationSeconds int    `json:"leaseDurationSeconds"`
	AcquireTime     string `json:"acquireTime,omitempty"`
	RenewTime       string `json:"renewTime,omitempty"`
	Transitions     int    `json:"leaseTransitions"`
}

// microTime is the layout of Kubernetes' MicroTime.
const microTime = "2006-01-02T15:04:05.000000Z07:00"

// newLeaseObject returns the object that makes the process the holder of the Lease. old
// is the current object, or nil if there is none.
func newLeaseObject(l *Lease, old *leaseObject, duration time.Duration, now time.Time) *leaseObject {
	stamp := now.UTC().Format(microTime)
	o := &leaseObject{Metadata: leaseMetadata{Name: l.Name, Namespace: l.Namespace}}
	if old != nil {
		*o = *old
	}
	o.APIVersion, o.Kind = "coordination.k8s.io/v1", "Lease"
	if o.Spec.HolderIdentity != l.Identity {
		o.Spec.AcquireTime = stamp
		if old != nil {
			o.Spec.Transitions++
		}
	}
	o.Spec.HolderIdentity, o.Spec.DurationSeconds, o.Spec.RenewTime = l.Identity, int(duration/time.Second), stamp
	return o
}

// restLease is the leaseAPI of a cluster.
type restLease struct {
	client          *Client
	namespace, name string
}

func (r restLease) get(ctx context.Context) (*leaseObject, error) {
	return r.do(ctx, http.MethodGet, r.name, nil)
}

func (r restLease) create(ctx context.Context, l *leaseObject) (*leaseObject, error) {
	return r.do(ctx, http.MethodPost, "", l)
}

func (r restLease) update(ctx context.Context, l *leaseObject) (*leaseObject, error) {
	return r.do(ctx, http.MethodPut, r.name, l)
}

func (r restLease) do(ctx context.Context, method, name string, l *leaseObject) (*leaseObject, error) {
	path := []string{"/apis/coordination.k8s.io/v1/namespaces", r.namespace, "leases"}
	if name != "" {
		path = append(path, name)
	}
	req := r.client.rest.Verb(method).AbsPath(path...).MaxRetries(0).SetHeader("Accept", "application/json")
	if l != nil {
		body, err := json.Marshal(l)
		if err != nil {
			return nil, err
		}
		req = req.SetHeader("Content-Type", "application/json").Body(body)
	}
	body, err := rawBody(req.Do(ctx))
	if err != nil {
		return nil, err
	}
	var o leaseObject
	return &o, json.Unmarshal(body, &o)
}
