package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// The page is for one user of this machine. These checks keep out other web pages
// in the same browser and other users, in this order:
//
//   - the Host header, which has to name this machine. It stops DNS rebinding, where
//     another page reaches this server under its own name.
//   - Fetch Metadata headers, with which the browser reports that the request comes
//     from another page.
//   - the token, which every request for data requires. It travels in the fragment of the
//     address, which browsers do not send to a server, and then in the Authorization header.
//     There is no cookie: cookies of 127.0.0.1 are sent to each of its ports. Tabs of the
//     page pass it on to each other over a BroadcastChannel, which belongs to one port.
//
// The content security policy allows the page to load and connect to nothing
// but this server, and to run only code in its files.

const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// securityHeaders are sent with every response.
var securityHeaders = [][2]string{
	{"Content-Security-Policy", contentSecurityPolicy},
	{"X-Content-Type-Options", "nosniff"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Embedder-Policy", "require-corp"},
	{"Permissions-Policy", "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"},
}

// newToken returns 256 random bits, as text for a URL.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// guard rejects requests that are not allowed, and passes on all others.
type guard struct {
	token    [sha256.Size]byte // its digest, so that lengths do not matter
	failures failures
	origin   *http.CrossOriginProtection
	next     http.Handler
}

func newGuard(token string, next http.Handler) *guard {
	return &guard{token: sha256.Sum256([]byte(token)), origin: http.NewCrossOriginProtection(), next: next}
}

// ServeHTTP implements http.Handler.
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, h := range securityHeaders {
		w.Header().Set(h[0], h[1])
	}
	api := strings.HasPrefix(r.URL.Path, "/api/")
	if api || r.URL.Path == downloadPath {
		w.Header().Set("Cache-Control", "no-store")
	}
	if status, why := g.check(r, api); status != 0 {
		if status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "1")
		}
		http.Error(w, why, status)
		return
	}
	g.next.ServeHTTP(w, r)
}

// check returns the status and the reason with which to refuse the request; 0 if it
// is allowed.
func (g *guard) check(r *http.Request, api bool) (status int, why string) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	switch {
	case !isLocalHost(r.Host, local) || r.URL.Host != "" && !isLocalHost(r.URL.Host, local):
		return http.StatusMisdirectedRequest, "this server answers for 127.0.0.1, localhost and [::1] only: forward a port with ssh -L or kubectl port-forward"
	case r.Method == http.MethodOptions:
		return http.StatusForbidden, "requests from other origins are not allowed"
	case r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost:
		return http.StatusMethodNotAllowed, "only GET, HEAD and POST are allowed"
	case !g.sameOrigin(r):
		return http.StatusForbidden, "requests from other pages are not allowed"
	}
	if !api {
		return 0, ""
	}
	if g.authorized(r) {
		return 0, ""
	}
	if g.failures.add(time.Now()) {
		return http.StatusTooManyRequests, "too many requests with a wrong token"
	}
	return http.StatusUnauthorized, "this page belongs to another run of ktail: open the address that ktail has printed"
}

// sameOrigin reports whether the request comes from the page itself or from the
// user. Another page may link to this one, but not to anything in it.
func (g *guard) sameOrigin(r *http.Request) bool {
	if g.origin.Check(r) != nil {
		return false
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return true
	}
	return r.URL.Path == "/" && r.Method == http.MethodGet &&
		r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
}

func (g *guard) authorized(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	sum := sha256.Sum256([]byte(token))
	return ok && subtle.ConstantTimeCompare(sum[:], g.token[:]) == 1
}

// isLocalHost reports whether a Host header names this machine, or the loopback address that
// the client has connected to, such as 127.0.0.2. The port does not matter: ssh -L and kubectl
// port-forward change it.
func isLocalHost(host string, local *net.TCPAddr) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, ""
	}
	for _, b := range []byte(port) {
		if b < '0' || b > '9' {
			return false
		}
	}
	switch strings.ToLower(name) {
	case "127.0.0.1", "localhost", "::1":
		return true
	case "[::1]":
		return err != nil
	}
	return local != nil && local.IP.IsLoopback() && name == local.IP.String()
}

// maxFailures is how many wrong tokens a second are answered with 401.
const maxFailures = 10

// failures counts wrong tokens.
type failures struct {
	mu     sync.Mutex
	second int64
	n      int
}

// add counts a wrong token, and reports whether there were too many in this
// second.
func (f *failures) add(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s := now.Unix(); s != f.second {
		f.second, f.n = s, 0
	}
	f.n++
	return f.n > maxFailures
}
