package transport

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/faultserver"
)

func newAuthority(t *testing.T, name string) *faultserver.Authority {
	t.Helper()
	a, err := faultserver.NewAuthority(name)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *faultserver.Authority, name string) *faultserver.Certificate {
	t.Helper()
	c, err := a.Issue(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// secured is a server whose certificate, and whose client authority, can be
// replaced while it runs. It responds with the name of the client.
type secured struct {
	url  string
	cert atomic.Pointer[tls.Certificate]
	pool atomic.Pointer[x509.CertPool]
}

func startSecured(t *testing.T, a *faultserver.Authority) *secured {
	t.Helper()
	s := &secured{}
	s.trust(t, a)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("follow") {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			return
		}
		if len(r.TLS.PeerCertificates) == 0 {
			return
		}
		// The API server does the same for each request.
		client := r.TLS.PeerCertificates[0]
		if _, err := client.Verify(x509.VerifyOptions{Roots: s.pool.Load(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, client.Subject.CommonName)
	}))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{
		ClientAuth:     tls.RequestClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert.Load(), nil },
	}
	server.StartTLS()
	server.TLS.Certificates = nil // GetCertificate decides
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// trust makes the server use a certificate of the authority, and accept clients
// with a certificate of the authority.
func (s *secured) trust(t *testing.T, a *faultserver.Authority) {
	s.cert.Store(&issue(t, a, "server").TLS)
	s.pool.Store(a.Pool())
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// try sends a request, and once more if it fails, because the engine retries.
func try(t *testing.T, rt http.RoundTripper, url string) (string, error) {
	t.Helper()
	var body []byte
	var err error
	for range 2 {
		var resp *http.Response
		if resp, err = get(t, rt, url); err != nil {
			continue
		}
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && resp.StatusCode == http.StatusOK {
			return string(body), nil
		}
	}
	return string(body), err
}

func TestReload_FollowsRotationOfServerAuthority(t *testing.T) {
	old, next := newAuthority(t, "old"), newAuthority(t, "next")
	server := startSecured(t, old)
	file := filepath.Join(t.TempDir(), "ca.crt")
	write(t, file, old.PEM)
	requests, logs, err := New(&rest.Config{Host: server.url, TLSClientConfig: rest.TLSClientConfig{CAFile: file}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	followed, err := get(t, logs, server.url+"/log?follow=true")
	if err != nil {
		t.Fatal(err)
	}
	defer followed.Body.Close() //nolint:errcheck // errors do not matter after reading
	// The file is invalid for a moment, as when it is being written.
	write(t, file, []byte("-----BEGIN"))
	if _, err := try(t, requests, server.url); err != nil {
		t.Errorf("while the file is written: %v", err)
	}
	write(t, file, next.PEM)
	server.trust(t, next)
	if _, err := try(t, requests, server.url); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	read := make([]byte, 1)
	ended := make(chan error, 1)
	go func() { _, err := followed.Body.Read(read); ended <- err }()
	select {
	case err := <-ended:
		t.Errorf("the rotation ended a followed log: %v", err)
	default:
	}
}

func TestReload_FollowsRotationOfClientCertificate(t *testing.T) {
	ca, clients, newClients := newAuthority(t, "ca"), newAuthority(t, "clients"), newAuthority(t, "new clients")
	server := startSecured(t, ca)
	server.pool.Store(clients.Pool())
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	first, second := issue(t, clients, "first"), issue(t, newClients, "second")
	write(t, certFile, first.Cert)
	write(t, keyFile, first.Key)
	requests, _, err := New(&rest.Config{Host: server.url, TLSClientConfig: rest.TLSClientConfig{
		CAData: ca.PEM, CertFile: certFile, KeyFile: keyFile}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if name, err := try(t, requests, server.url); name != "first" {
		t.Fatalf("before the rotation: %q, %v", name, err)
	}
	server.pool.Store(newClients.Pool())
	write(t, certFile, second.Cert) // for a moment, certificate and key do not belong together
	if _, err := try(t, requests, server.url); err != nil {
		t.Errorf("while the files are written: %v", err)
	}
	write(t, keyFile, second.Key)
	if name, err := try(t, requests, server.url); name != "second" {
		t.Errorf("after the rotation, on an open connection: %q, %v", name, err)
	}
}
