package metrics

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	stdlog "log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
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

// A program that rewrites the file truncates it first. That is not the wish to serve
// without a password.
func TestServe_FileThatIsBeingWrittenLetsNobodyIn(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	const users = "basic_auth_users:\n"
	path := filepath.Join(t.TempDir(), "web.yaml")
	writeTo(t, path, users+"  prometheus: "+string(hash)+"\n")
	config, err := readWebConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	handler := newAuthenticator(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), path, config)
	code := func(password string) int {
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		if password != "" {
			r.SetBasicAuth("prometheus", password)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Code
	}
	for _, text := range []string{"", users, "# ", "http_server_config:\n  http2: true\n"} {
		writeTo(t, path, text)
		if without, with := code(""), code("secret"); without != http.StatusInternalServerError || with != without {
			t.Errorf("file %q: responses are %d, and %d with the password, want 500", text, without, with)
		}
	}
	writeTo(t, path, users+"  prometheus: "+string(hash)+"\n")
	if without, with := code(""), code("secret"); without != http.StatusUnauthorized || with != http.StatusOK {
		t.Errorf("responses are %d, and %d with the password, want 401 and 200", without, with)
	}
}

// Users that are added while ktail runs apply, and so does the file without any before.
func TestServe_UsersCanBeAdded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.yaml")
	writeTo(t, path, "")
	handler := newAuthenticator(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), path, &webConfig{})
	for _, step := range []struct {
		text string
		want int
	}{{"", 200}, {"basic_auth_users:\n  prometheus: " + unknownUser + "\n", 401}, {"", 500}} {
		writeTo(t, path, step.text)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		if w.Code != step.want {
			t.Errorf("file %q: response %d, want %d", step.text, w.Code, step.want)
		}
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

func TestWebConfig_ErrorsSayWhatToWrite(t *testing.T) {
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
		certs + "  min_version: TLS13\n  max_version: TLS12\n":                          "min_version is above max_version",
		certs + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n":                         "unknown or insecure cipher suite",
		certs + "  curve_preferences: [CurveP257]\n":                                    "write CurveP256",
		certs + "  client_allowed_sans: [a]\n":                                          "client_allowed_sans requires client_auth_type",
		"tls_server_config: {cert: x, key: y}":                                          "failed to find any PEM data",
		"tls_server_config: {client_ca: x}":                                             "cert_file and key_file are required",
		"http_server_config: {headers: {Server: x}}":                                    "the header Server cannot be set; write some of Content-Security-Policy",
		"http_server_config: {headers: {X-Frame-Options: allow}}":                       "write deny or sameorigin",
		`http_server_config: {headers: {X-XSS-Protection: "a\nb"}}`:                     "more than one line",
		"rate_limit: {interval: 1s}":                                                    "write burst: 10",
		"rate_limit: {interval: -1s, burst: 1}":                                         "must not be negative",
		"rate_limit: {interval: soon, burst: 1}":                                        "write a duration such as 1s",
		"basic_auth_users: {a: b}\nbasic_auth_users: {c: d}":                            "already defined",
	} {
		path := filepath.Join(dir, "web.yaml")
		writeTo(t, path, text)
		if err := CheckWebConfig(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want one with %q", text, err, want)
		}
	}
	for _, text := range []string{"", certs, certs + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: tls.crt\n  min_version: TLS13\n", "http_server_config: {http2: false}",
		certs + "  prefer_server_cipher_suites: true\n  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n  curve_preferences: [X25519, CurveP256]\n",
		"http_server_config: {headers: {X-Frame-Options: deny, Strict-Transport-Security: max-age=1}}", "rate_limit: {interval: 1s, burst: 1}", "rate_limit: {interval: 0, burst: 0}",
		certs + "  client_auth_type: VerifyClientCertIfGiven\n"} {
		path := filepath.Join(dir, "web.yaml")
		writeTo(t, path, text)
		if err := CheckWebConfig(path); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The same mistakes give the same message in each run.
func TestWebConfig_ErrorsAreInOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.yaml")
	for text, want := range map[string]string{
		"basic_auth_users: {d: x, c: x, b: x, a: x}":        "the password of a is not",
		"http_server_config: {headers: {D: x, C: x, B: x}}": "the header B cannot be set",
	} {
		writeTo(t, path, text)
		for range 50 {
			if err := CheckWebConfig(path); err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("error is %v, want %q", err, want)
			}
		}
	}
}

// serve serves with this web config file until the test ends.
func serve(t *testing.T, path string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second, ErrorLog: stdlog.New(io.Discard, "", 0)}
	done := make(chan error, 1)
	go func() { done <- Serve(l, server, path) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestServe_OnlyClientsWithAllowedNames(t *testing.T) {
	dir := t.TempDir()
	pool := certificate(t, dir, 1) // it is its own authority, and the client's certificate
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"127.0.0.1": true, "prometheus": false} {
		path := filepath.Join(dir, name+".yaml")
		writeTo(t, path, "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n  client_ca_file: tls.crt\n"+
			"  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: ['"+name+"']\n")
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}}
		resp, err := (&http.Client{Transport: transport}).Get("https://" + serve(t, path))
		if (err == nil) != want {
			t.Errorf("with the allowed name %s: %v", name, err)
		}
		if err == nil {
			_ = resp.Body.Close()
		}
		transport.CloseIdleConnections()
	}
}

func TestServe_AppliesHeadersAndRateLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web.yaml")
	writeTo(t, path, "http_server_config: {headers: {X-Frame-Options: deny}}\nrate_limit: {interval: 1h, burst: 2}\n")
	address := serve(t, path)
	for i, want := range []int{http.StatusNotFound, http.StatusNotFound, http.StatusTooManyRequests} {
		resp, err := http.Get("http://" + address)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want || want == http.StatusNotFound && resp.Header.Get("X-Frame-Options") != "deny" {
			t.Errorf("request %d: status %d with %v, want %d", i, resp.StatusCode, resp.Header, want)
		}
	}
}

func TestLimiter_AllowsOneMoreAfterEachInterval(t *testing.T) {
	l := &limiter{interval: time.Second, burst: 2}
	now := time.Unix(1000, 0)
	for i, want := range []struct {
		after time.Duration
		ok    bool
	}{{0, true}, {0, true}, {0, false}, {time.Second, true}, {0, false}, {time.Hour, true}, {0, true}, {0, false}} {
		if now = now.Add(want.after); l.allow(now) != want.ok {
			t.Errorf("request %d is allowed: %v, want %v", i, !want.ok, want.ok)
		}
	}
}
