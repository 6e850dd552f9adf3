package metrics

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"
)

// webConfig is the web config file that all exporters of Prometheus take. It has all
// keys of the exporter-toolkit, which itself would add 0.4 MB to the binary, and is
// checked more strictly.
// https://github.com/prometheus/exporter-toolkit/blob/v0.20.0/docs/web-configuration.md
type webConfig struct {
	TLS  webTLS `yaml:"tls_server_config"`
	HTTP struct {
		HTTP2   *bool             `yaml:"http2"` // nil: true
		Headers map[string]string `yaml:"headers"`
	} `yaml:"http_server_config"`
	Limit struct {
		Burst    int    `yaml:"burst"`
		Interval string `yaml:"interval"` // empty or 0: no limit
		interval time.Duration
	} `yaml:"rate_limit"`
	Users map[string]string `yaml:"basic_auth_users"` // bcrypt hashes of their passwords
}

// webHeaders are the headers that responses can have, and their values; nil: any.
var webHeaders = map[string][]string{
	"Strict-Transport-Security": nil, "X-Content-Type-Options": {"nosniff"}, "X-Frame-Options": {"deny", "sameorigin"},
	"X-XSS-Protection": nil, "Content-Security-Policy": nil,
}

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
		return nil, fmt.Errorf("%s: %w; write tls_server_config, http_server_config, rate_limit, or basic_auth_users", path, err)
	}
	c.TLS.setDirectory(filepath.Dir(path))
	for _, user := range slices.Sorted(maps.Keys(c.Users)) {
		if _, err := bcrypt.Cost([]byte(c.Users[user])); err != nil {
			return nil, fmt.Errorf("%s: basic_auth_users: the password of %s is not a bcrypt hash; write the output of htpasswd -nBC 10 %s", path, user, user)
		}
	}
	if err := c.checkHTTP(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if _, err := c.tlsConfig(); err != nil {
		return nil, fmt.Errorf("%s: tls_server_config: %w", path, err)
	}
	return c, nil
}

// checkHTTP checks what does not concern TLS.
func (c *webConfig) checkHTTP() error {
	for _, name := range slices.Sorted(maps.Keys(c.HTTP.Headers)) {
		value := c.HTTP.Headers[name]
		values, ok := webHeaders[name]
		switch {
		case !ok:
			return fmt.Errorf("http_server_config: the header %s cannot be set; write some of %s", name, strings.Join(slices.Sorted(maps.Keys(webHeaders)), ", "))
		case values != nil && !slices.Contains(values, value):
			return fmt.Errorf("http_server_config: invalid value %q of the header %s; write %s", value, name, strings.Join(values, " or "))
		case strings.ContainsAny(value, "\r\n"):
			return fmt.Errorf("http_server_config: the value of the header %s has more than one line", name)
		}
	}
	return c.checkLimit()
}

func (c *webConfig) checkLimit() (err error) {
	l := &c.Limit
	if l.Interval != "" {
		if l.interval, err = time.ParseDuration(l.Interval); err != nil {
			return fmt.Errorf("rate_limit: invalid interval %q; write a duration such as 1s", l.Interval)
		}
	}
	switch {
	case l.interval < 0 || l.Burst < 0:
		return errors.New("rate_limit: burst and interval must not be negative")
	case l.interval > 0 && l.Burst == 0:
		return errors.New("rate_limit: with a burst of 0, no request is answered; write burst: 10")
	}
	return nil
}

// tlsConfig returns the configuration of TLS; nil without TLS.
func (c *webConfig) tlsConfig() (*tls.Config, error) {
	if !c.TLS.enabled() {
		return nil, nil
	}
	t, err := c.TLS.config()
	if err != nil {
		return nil, err
	}
	t.NextProtos = []string{"h2", "http/1.1"}
	if c.HTTP.HTTP2 != nil && !*c.HTTP.HTTP2 {
		t.NextProtos = t.NextProtos[1:]
	}
	return t, nil
}

// CheckWebConfig returns an error if the web config file is invalid.
func CheckWebConfig(path string) error {
	_, err := readWebConfig(path)
	return err
}

// Serve serves requests until the server is closed, with TLS and users of the web
// config file. The file is read again for each handshake and each request, so that
// renewed certificates and changed passwords apply; TLS itself cannot be turned on or
// off, users cannot be turned off, and the rate limit does not change.
func Serve(l net.Listener, server *http.Server, path string) error {
	c, err := readWebConfig(path)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	server.Handler = newAuthenticator(server.Handler, path, c)
	if c.TLS.enabled() {
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

// authenticator asks for a user and a password if the web config file has users. It
// also applies the headers and the rate limit of the file.
type authenticator struct {
	next  http.Handler
	path  string
	limit *limiter    // nil: none
	users atomic.Bool // set once the file has had users

	mu    sync.Mutex
	known [sha256.Size]byte // digest of the last user, password, and hash that were right, because checking them takes long
}

func newAuthenticator(next http.Handler, path string, c *webConfig) *authenticator {
	a := &authenticator{next: next, path: path}
	if c.Limit.interval > 0 {
		a.limit = &limiter{interval: c.Limit.interval, burst: c.Limit.Burst}
	}
	a.users.Store(len(c.Users) > 0)
	return a
}

// unknownUser is the hash that the password of an unknown user is compared with, so
// that the time does not reveal which users exist.
const unknownUser = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

// ServeHTTP implements http.Handler.
func (a *authenticator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := readWebConfig(a.path)
	if err != nil {
		http.Error(w, "the web config file is invalid", http.StatusInternalServerError)
		return
	}
	if len(c.Users) > 0 {
		a.users.Store(true)
	} else if a.users.Load() { // a program that rewrites the file has truncated it
		http.Error(w, "the web config file has no users any more; to serve without a password, start ktail again", http.StatusInternalServerError)
		return
	}
	if a.limit != nil && !a.limit.allow(time.Now()) {
		http.Error(w, http.StatusText(http.StatusTooManyRequests), http.StatusTooManyRequests)
		return
	}
	for name, value := range c.HTTP.Headers {
		w.Header().Set(name, value)
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

// limiter allows a burst of requests, and another request after each interval.
type limiter struct {
	interval time.Duration
	burst    int

	mu   sync.Mutex
	next time.Time // when all of the burst is allowed again
}

// allow reports whether a request is allowed now.
func (l *limiter) allow(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	next := l.next
	if next.Before(now) {
		next = now
	}
	if next = next.Add(l.interval); next.Sub(now) > time.Duration(l.burst)*l.interval {
		return false
	}
	l.next = next
	return true
}
