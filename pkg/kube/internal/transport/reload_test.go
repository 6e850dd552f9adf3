package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

var serial atomic.Int64

func template(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial.Add(1)), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true,
	}
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{}
	tmpl := template(name)
	tmpl.IsCA, tmpl.KeyUsage = true, x509.KeyUsageCertSign
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

// issue returns a certificate, and the certificate and its key in PEM.
func (a *authority) issue(t *testing.T, name string) (cert tls.Certificate, certPEM, keyPEM []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template(name), a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, certPEM, keyPEM
}

// secured is a server whose certificate, and whose client authority, can be
// replaced while it runs. It responds with the name of the client.
type secured struct {
	url  string
	cert atomic.Pointer[tls.Certificate]
	pool atomic.Pointer[x509.CertPool]
}

func startSecured(t *testing.T, a *authority) *secured {
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
func (s *secured) trust(t *testing.T, a *authority) {
	cert, _, _ := a.issue(t, "server")
	s.cert.Store(&cert)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	s.pool.Store(pool)
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
	write(t, file, old.pem)
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
	write(t, file, next.pem)
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
	accept := func(a *authority) {
		pool := x509.NewCertPool()
		pool.AddCert(a.cert)
		server.pool.Store(pool)
	}
	accept(clients)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	_, cert, key := clients.issue(t, "first")
	write(t, certFile, cert)
	write(t, keyFile, key)
	requests, _, err := New(&rest.Config{Host: server.url, TLSClientConfig: rest.TLSClientConfig{
		CAData: ca.pem, CertFile: certFile, KeyFile: keyFile}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if name, err := try(t, requests, server.url); name != "first" {
		t.Fatalf("before the rotation: %q, %v", name, err)
	}
	accept(newClients)
	_, cert, key = newClients.issue(t, "second")
	write(t, certFile, cert) // for a moment, certificate and key do not belong together
	if _, err := try(t, requests, server.url); err != nil {
		t.Errorf("while the files are written: %v", err)
	}
	write(t, keyFile, key)
	if name, err := try(t, requests, server.url); name != "second" {
		t.Errorf("after the rotation, on an open connection: %q, %v", name, err)
	}
}
