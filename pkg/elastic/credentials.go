package elastic

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// credentialsAge is how often credentials are read again.
	credentialsAge = time.Minute
	// reloadAfter is how soon they are read again because a server rejects them.
	reloadAfter = 5 * time.Second
)

// Auth is what a client authenticates with. The first that is set is used.
type Auth struct {
	APIKey   string
	Bearer   string
	User     string
	Password string
}

// Credentials are what can change while ktail runs: secrets in files are rotated, and
// certificates expire.
type Credentials struct {
	Auth Auth
	// TLS is the same pointer as long as nothing in it has changed: otherwise the
	// connections are replaced.
	TLS *tls.Config
}

func (a *Auth) set(r *http.Request) {
	switch {
	case a.APIKey != "":
		r.Header.Set("Authorization", "ApiKey "+a.APIKey)
	case a.Bearer != "":
		r.Header.Set("Authorization", "Bearer "+a.Bearer)
	case a.User != "" || a.Password != "":
		r.SetBasicAuth(a.User, a.Password)
	}
}

// leastSecret is how long a secret is at least. One that is shorter could be part
// of any word.
const leastSecret = 4

// redact returns a server's message without the secrets, in case that it repeats
// what it was sent.
func (a *Auth) redact(message string) string {
	if message == "" {
		return ""
	}
	secrets := []string{a.APIKey, a.Bearer, a.Password}
	if id, err := base64.StdEncoding.DecodeString(a.APIKey); err == nil {
		_, key, _ := strings.Cut(string(id), ":")
		secrets = append(secrets, key)
	}
	if a.Password != "" {
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(a.User+":"+a.Password)), url.QueryEscape(a.Password))
	}
	for _, secret := range secrets {
		if len(secret) >= leastSecret {
			message = strings.ReplaceAll(message, secret, "***")
		}
	}
	return message
}

// session is what requests are sent with, until credentials are read again.
type session struct {
	auth      Auth
	tls       *tls.Config
	transport http.RoundTripper
	read      time.Time
}

// reload reads the credentials again, unless they are younger than age.
func (c *client) reload(age time.Duration) {
	if c.credentials == nil {
		return
	}
	c.reloading.Lock()
	defer c.reloading.Unlock()
	old := c.session.Load()
	if time.Since(old.read) < age {
		return
	}
	now, err := c.credentials()
	s := *old
	s.read = time.Now()
	if err != nil {
		c.report.problem("credentials", Event{Kind: CredentialsFailing, Err: err}, 0)
		c.session.Store(&s)
		return
	}
	c.report.solved("credentials", Event{})
	s.auth = now.Auth
	if !c.fixed && now.TLS != old.tls {
		s.tls, s.transport = now.TLS, NewTransport(now.TLS)
	}
	c.session.Store(&s)
	if s.transport != old.transport {
		closeIdle(old.transport)
	}
}

// keepFresh reads the credentials again and again, until ctx ends.
func (c *client) keepFresh(ctx context.Context) {
	for c.credentials != nil && ctx.Err() == nil {
		sleep(ctx, credentialsAge)
		c.reload(credentialsAge)
	}
}

func closeIdle(t http.RoundTripper) {
	if t, ok := t.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
