package elastic

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/text"
)

const (
	// reloadInterval is how often credentials are read again.
	reloadInterval = time.Minute
	// minReloadInterval is the minimum age of credentials that are read again because a
	// server rejected them.
	minReloadInterval = 5 * time.Second
)

// Auth holds the credentials of requests. The first one that is set is used, in the
// order of the fields.
type Auth struct {
	APIKey   string
	Bearer   string
	User     string
	Password string
}

// Credentials hold what can change while ktail runs: secrets in files are rotated, and
// certificates expire.
type Credentials struct {
	Auth Auth
	// TLS must be the same pointer while it is unchanged. A new pointer makes the
	// client open new connections.
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

// redact removes the secrets from a message of a server, which may quote the request.
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
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(a.User+":"+a.Password)))
	}
	return text.Redact(message, secrets...)
}

// session holds what requests are sent with until the credentials are read again.
type session struct {
	auth      Auth
	tls       *tls.Config
	transport http.RoundTripper
	read      time.Time
}

// reload reads the credentials again, unless they are younger than minAge.
func (c *client) reload(minAge time.Duration) {
	if c.credentials == nil {
		return
	}
	c.reloading.Lock()
	defer c.reloading.Unlock()
	old := c.session.Load()
	if time.Since(old.read) < minAge {
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

// keepFresh reads the credentials every minute until ctx ends.
func (c *client) keepFresh(ctx context.Context) {
	for c.credentials != nil && ctx.Err() == nil {
		sleep(ctx, reloadInterval)
		c.reload(reloadInterval)
	}
}

func closeIdle(t http.RoundTripper) {
	if t, ok := t.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}
