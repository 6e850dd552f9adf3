package metrics

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
)

// webConfig is the web config file that all exporters of Prometheus take, as far as
// ktail needs it: TLS, client certificates, and users. The exporter-toolkit itself
// would add 0.4 MB to the binary.
// https://github.com/prometheus/exporter-toolkit/blob/v0.20.0/docs/web-configuration.md
type webConfig struct {
	TLS struct {
		Cert       string `yaml:"cert_file"`
		Key        string `yaml:"key_file"`
		ClientCA   string `yaml:"client_ca_file"`
		ClientAuth string `yaml:"client_auth_type"`
		MinVersion string `yaml:"min_version"`
		MaxVersion string `yaml:"max_version"`
	} `yaml:"tls_server_config"`
	HTTP struct {
		HTTP2 *bool `yaml:"http2"`
	} `yaml:"http_server_config"`
	Users map[string]string `yaml:"basic_auth_users"` // bcrypt hashes of their passwords
}

var (
	clientAuthTypes = map[string]tls.ClientAuthType{
		"": tls.NoClientCert, "NoClientCert": tls.NoClientCert, "RequestClientCert": tls.RequestClientCert,
		"RequireAnyClientCert": tls.RequireAnyClientCert, "RequireClientCert": tls.RequireAnyClientCert,
		"VerifyClientCertIfGiven": tls.VerifyClientCertIfGiven, "RequireAndVerifyClientCert": tls.RequireAndVerifyClientCert,
	}
	tlsVersions = map[string]uint16{"TLS12": tls.VersionTLS12, "TLS13": tls.VersionTLS13}
)

// readWebConfig reads and checks the file. The paths in it are relative to its
// directory.
func readWebConfig(path string) (*webConfig, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &webConfig{}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(c); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w; ktail supports cert_file, key_file, client_ca_file, client_auth_type, min_version, max_version, http2, and basic_auth_users", path, err)
	}
	for _, file := range []*string{&c.TLS.Cert, &c.TLS.Key, &c.TLS.ClientCA} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(filepath.Dir(path), *file)
		}
	}
	for user, hash := range c.Users {
		if _, err := bcrypt.Cost([]byte(hash)); err != nil {
			return nil, fmt.Errorf("%s: basic_auth_users: the password of %s is no bcrypt hash; write the output of htpasswd -nBC 10 %s", path, user, user)
		}
	}
	if _, err := c.tlsConfig(); err != nil {
		return nil, fmt.Errorf("%s: tls_server_config: %w", path, err)
	}
	return c, nil
}

// usesTLS reports whether the file says anything about TLS.
func (c *webConfig) usesTLS() bool {
	return c.TLS.Cert != "" || c.TLS.Key != "" || c.TLS.ClientCA != "" || c.TLS.ClientAuth != ""
}

// tlsConfig reads the certificates; nil without TLS.
func (c *webConfig) tlsConfig() (*tls.Config, error) {
	if !c.usesTLS() {
		return nil, nil
	}
	if c.TLS.Cert == "" || c.TLS.Key == "" {
		return nil, errors.New("cert_file and key_file are required")
	}
	cert, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key)
	if err != nil {
		return nil, err
	}
	t := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if c.HTTP.HTTP2 != nil && !*c.HTTP.HTTP2 {
		t.NextProtos = t.NextProtos[1:]
	}
	for _, v := range []struct {
		key, text string
		to        *uint16
	}{{"min_version", c.TLS.MinVersion, &t.MinVersion}, {"max_version", c.TLS.MaxVersion, &t.MaxVersion}} {
		if v.text == "" {
			continue
		}
		version, ok := tlsVersions[v.text]
		if !ok {
			return nil, fmt.Errorf("%s: %q is not supported; write TLS12 or TLS13", v.key, v.text)
		}
		*v.to = version
	}
	auth, ok := clientAuthTypes[c.TLS.ClientAuth]
	switch {
	case !ok:
		return nil, fmt.Errorf("client_auth_type: unknown value %q; write RequireAndVerifyClientCert", c.TLS.ClientAuth)
	case c.TLS.ClientCA != "" && auth == tls.NoClientCert:
		return nil, errors.New("client_ca_file requires client_auth_type; write client_auth_type: RequireAndVerifyClientCert")
	case c.TLS.ClientCA == "" && auth >= tls.VerifyClientCertIfGiven:
		return nil, errors.New("client_auth_type requires client_ca_file")
	}
	t.ClientAuth = auth
	if c.TLS.ClientCA != "" {
		pem, err := os.ReadFile(c.TLS.ClientCA)
		if err != nil {
			return nil, err
		}
		t.ClientCAs = x509.NewCertPool()
		if !t.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", c.TLS.ClientCA)
		}
	}
	return t, nil
}

// CheckWebConfig returns what is wrong with a web config file.
func CheckWebConfig(path string) error {
	_, err := readWebConfig(path)
	return err
}

// Serve serves requests until the server is closed, with TLS and users of the web
// config file. The file is read again for each handshake and each request, so that
// renewed certificates and changed passwords apply; TLS itself cannot be turned on or
// off.
func Serve(l net.Listener, server *http.Server, path string) error {
	c, err := readWebConfig(path)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server.Handler = &authenticator{next: server.Handler, path: path}
	if c.usesTLS() {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now, err := readWebConfig(path)
			if err != nil {
				return nil, err
			}
			return now.tlsConfig()
		}}
		// Without a certificate of its own, ServeTLS takes that of GetConfigForClient.
		err = server.ServeTLS(l, "", "")
	} else {
		err = server.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// authenticator asks for a user and a password if the web config file has users.
type authenticator struct {
	next http.Handler
	path string

	mu    sync.Mutex
	known [sha256.Size]byte // the user, password and hash that were right last: to check them takes long
}

// unknownUser is the hash that the password of an unknown user is compared with, so
// that the time does not tell which users there are.
const unknownUser = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

// ServeHTTP implements http.Handler.
func (a *authenticator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := readWebConfig(a.path)
	if err != nil {
		http.Error(w, "the web config file is invalid", http.StatusInternalServerError)
		return
	}
	if len(c.Users) == 0 || a.knows(r, c.Users) {
		a.next.ServeHTTP(w, r)
		return
	}
	w.Header().Set("WWW-Authenticate", "Basic")
	http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
}

func (a *authenticator) knows(r *http.Request, users map[string]string) bool {
	user, password, ok := r.BasicAuth()
	if !ok {
		return false
	}
	hash, exists := users[user]
	if !exists {
		hash = unknownUser
	}
	sum := sha256.Sum256(bytes.Join([][]byte{[]byte(user), []byte(password), []byte(hash)}, []byte{0}))
	a.mu.Lock()
	defer a.mu.Unlock() // one at a time, or guesses would use all processors
	if exists && sum == a.known {
		return true
	}
	right := bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil && exists
	if right {
		a.known = sum
	}
	return right
}
