package metrics

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate writes a certificate for 127.0.0.1 and its key to the directory.
func certificate(t *testing.T, dir string, serial int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pool.AppendCertsFromPEM(certPEM)
	writeTo(t, filepath.Join(dir, "tls.crt"), string(certPEM))
	writeTo(t, filepath.Join(dir, "tls.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	return pool
}

func writeTo(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestServe_UsesRenewedCertificates(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir, 1)
	path := filepath.Join(dir, "web.yaml")
	writeTo(t, path, "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	done := make(chan error, 1)
	go func() { done <- Serve(l, server, path) }()
	serial := func(pool *x509.CertPool) int64 {
		conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close() //nolint:errcheck // of a test
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := serial(pool); n != 1 {
		t.Errorf("the certificate is %d, want 1", n)
	}
	if n := serial(certificate(t, dir, 2)); n != 2 {
		t.Errorf("the certificate is %d after it was renewed, want 2", n)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWebConfig_InvalidOnesSayWhatToWrite(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, 1)
	const certs = "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n"
	for text, want := range map[string]string{
		"users: {a: b}":                                                                 "basic_auth_users",
		"basic_auth_users: {a: secret}":                                                 "htpasswd -nBC 10 a",
		"tls_server_config: {cert_file: x}":                                             "cert_file and key_file are required",
		"tls_server_config: {client_auth_type: RequireAnyClientCert}":                   "cert_file and key_file are required",
		"tls_server_config: {cert_file: x, key_file: x}":                                "no such file",
		certs + "  min_version: TLS10\n":                                                "write TLS12 or TLS13",
		certs + "  client_auth_type: Require\n":                                         "RequireAndVerifyClientCert",
		certs + "  client_ca_file: tls.crt\n":                                           "requires client_auth_type",
		certs + "  client_auth_type: RequireAndVerifyClientCert\n":                      "requires client_ca_file",
		certs + "  client_auth_type: RequireAnyClientCert\n  client_ca_file: tls.key\n": "has no certificate",
	} {
		path := filepath.Join(dir, "web.yaml")
		writeTo(t, path, text)
		if err := CheckWebConfig(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one with %q", text, err, want)
		}
	}
	for _, text := range []string{"", certs, certs + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: tls.crt\n  min_version: TLS13\n", "http_server_config: {http2: false}"} {
		path := filepath.Join(dir, "web.yaml")
		writeTo(t, path, text)
		if err := CheckWebConfig(path); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
