package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const testToken = "0123456789abcdef0123456789abcdef"

func newTestServer(t *testing.T, lines ...string) *Server {
	t.Helper()
	s := New(Options{Sink: NewSink(16 << 20), Token: testToken, Title: "web", Version: "test"})
	stream := &ktail.Stream{Namespace: "shop", Pod: "web-1", PodUID: "1", Container: "app"}
	for i, line := range lines {
		l := ktail.Line{Stream: stream, Time: 1_769_853_600_000_000_000 + int64(i)*int64(time.Millisecond), Text: []byte(line)}
		if err := s.sink.Write(context.Background(), []ktail.Line{l}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// serve serves on a port of its own.
func serve(t *testing.T, s *Server) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l, err := Listen(ctx, ":0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

func TestGuard_AnswersEachRequestWithItsStatus(t *testing.T) {
	h := newTestServer(t, "a line").Handler()
	bearer := "Bearer " + testToken
	type headers map[string]string
	tests := []struct {
		name, method, path, host string
		headers                  headers
		want                     int
	}{
		{"the page needs no token", "GET", "/", "127.0.0.1:7477", nil, 200},
		{"HEAD", "HEAD", "/", "127.0.0.1:7477", nil, 200},
		{"a file of the page", "GET", "/app.js", "localhost:7477", nil, 200},
		{"the token", "GET", "/api/live", "127.0.0.1:7477", headers{"Authorization": bearer}, 200},
		{"a forwarded port", "GET", "/api/live", "localhost:9999", headers{"Authorization": bearer}, 200},
		{"IPv6", "GET", "/api/live", "[::1]:7477", headers{"Authorization": bearer}, 200},
		{"IPv6 without a port", "GET", "/api/live", "[::1]", headers{"Authorization": bearer}, 200},
		{"no port", "GET", "/api/live", "localhost", headers{"Authorization": bearer}, 200},
		{"capital letters", "GET", "/api/live", "LOCALHOST:7477", headers{"Authorization": bearer}, 200},

		{"rebound name", "GET", "/api/live", "evil.example:7477", headers{"Authorization": bearer}, 421},
		{"rebound name, the page itself", "GET", "/", "evil.example:7477", nil, 421},
		{"name that begins like ours", "GET", "/", "localhost.evil.example:7477", nil, 421},
		{"name that ends like ours", "GET", "/", "evil-127.0.0.1:7477", nil, 421},
		{"address of the machine", "GET", "/", "192.168.1.5:7477", nil, 421},
		{"any address", "GET", "/", "0.0.0.0:7477", nil, 421},
		{"user in the host", "GET", "/", "127.0.0.1@evil.example", nil, 421},
		{"port that is none", "GET", "/", "127.0.0.1:80.evil.example", nil, 421},
		{"trailing dot", "GET", "/", "localhost.:7477", nil, 421},
		{"no host", "GET", "/", "", nil, 421},

		{"no token", "GET", "/api/live", "127.0.0.1:7477", nil, 401},
		{"another token", "GET", "/api/live", "127.0.0.1:7477", headers{"Authorization": "Bearer 1" + testToken[1:]}, 401},
		{"beginning of the token", "GET", "/api/live", "127.0.0.1:7477", headers{"Authorization": bearer[:len(bearer)-1]}, 401},
		{"token without its scheme", "GET", "/api/live", "127.0.0.1:7477", headers{"Authorization": testToken}, 401},
		{"token in the query", "GET", "/api/live?token=" + testToken, "127.0.0.1:7477", nil, 401},
		{"token in a cookie", "GET", "/api/live", "127.0.0.1:7477", headers{"Cookie": "token=" + testToken}, 401},
		{"empty token", "GET", "/api/live", "127.0.0.1:7477", headers{"Authorization": "Bearer "}, 401},

		{"fetch of another page", "GET", "/api/live", "127.0.0.1:7477", headers{"Authorization": bearer, "Sec-Fetch-Site": "cross-site"}, 403},
		{"page of another port", "GET", "/api/live", "127.0.0.1:7477", headers{"Authorization": bearer, "Sec-Fetch-Site": "same-site"}, 403},
		{"script of another page", "GET", "/app.js", "127.0.0.1:7477", headers{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"}, 403},
		{"frame of another page", "GET", "/", "127.0.0.1:7477", headers{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403},
		{"link of another page", "GET", "/", "127.0.0.1:7477", headers{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200},
		{"link to a download", "GET", "/download?ticket=x", "127.0.0.1:7477", headers{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403},
		{"another origin", "GET", "/api/live", "127.0.0.1:7477", headers{"Authorization": bearer, "Origin": "https://evil.example"}, 403},
		{"the null origin", "GET", "/api/live", "127.0.0.1:7477", headers{"Authorization": bearer, "Origin": "null"}, 403},
		{"own origin", "POST", "/api/ticket", "127.0.0.1:7477", headers{"Authorization": bearer, "Origin": "http://127.0.0.1:7477"}, 200},
		{"form of another page", "POST", "/api/ticket", "127.0.0.1:7477", headers{"Authorization": bearer, "Origin": "https://evil.example"}, 403},
		{"preflight", "OPTIONS", "/api/live", "127.0.0.1:7477", headers{"Origin": "https://evil.example", "Access-Control-Request-Headers": "authorization"}, 403},

		{"PUT", "PUT", "/api/live", "127.0.0.1:7477", headers{"Authorization": bearer}, 405},
		{"DELETE", "DELETE", "/", "127.0.0.1:7477", nil, 405},
		{"TRACE", "TRACE", "/", "127.0.0.1:7477", nil, 405},
		{"CONNECT", "CONNECT", "/", "127.0.0.1:7477", nil, 405},
		{"POST to what is only read", "POST", "/api/live", "127.0.0.1:7477", headers{"Authorization": bearer}, 405},
		{"POST to the page", "POST", "/", "127.0.0.1:7477", nil, 405},
		{"a ticket by GET", "GET", "/api/ticket", "127.0.0.1:7477", headers{"Authorization": bearer}, 404},

		{"up and out", "GET", "/../guard.go", "127.0.0.1:7477", nil, 307},
		{"up and out, escaped twice", "GET", "/%2e%2e/guard.go", "127.0.0.1:7477", nil, 404},
		{"escaped slash", "GET", "/..%2fguard.go", "127.0.0.1:7477", nil, 404},
		{"absolute form of another host", "GET", "http://evil.example/", "127.0.0.1:7477", nil, 421},
		{"a directory", "GET", "/ui/", "127.0.0.1:7477", nil, 404},
		{"unknown request", "GET", "/api/nothing", "127.0.0.1:7477", headers{"Authorization": bearer}, 404},
		{"download without a ticket", "GET", "/download", "127.0.0.1:7477", headers{"Authorization": bearer}, 403},
		{"bad regular expression", "GET", "/api/live?ir=(", "127.0.0.1:7477", headers{"Authorization": bearer}, 400},
		{"long regular expression", "GET", "/api/live?ir=" + strings.Repeat("a", 1001), "127.0.0.1:7477", headers{"Authorization": bearer}, 400},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if i%8 == 0 { // the limit of wrong tokens is not what is tested here
				h = newTestServer(t, "a line").Handler()
			}
			r := httptest.NewRequest(tt.method, "/", nil)
			if strings.HasPrefix(tt.path, "http") {
				r = httptest.NewRequest(tt.method, tt.path, nil)
			} else if u, err := r.URL.Parse(tt.path); err == nil {
				u.Host, u.Scheme = "", ""
				if raw, _, _ := strings.Cut(tt.path, "?"); strings.Contains(raw, "..") {
					u.Path = raw
				}
				r.URL = u
			}
			r.Host = tt.host
			for name, value := range tt.headers {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("status %d, want %d: %s", w.Code, tt.want, w.Body)
			}
			checkHeaders(t, w.Header(), tt.path)
		})
	}
}

func checkHeaders(t *testing.T, h http.Header, path string) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp",
		"Content-Security-Policy": contentSecurityPolicy, "Access-Control-Allow-Origin": "", "Set-Cookie": "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if strings.Contains(contentSecurityPolicy, "unsafe") {
		t.Error("the policy allows something unsafe")
	}
	if h.Get("Permissions-Policy") == "" {
		t.Error("no Permissions-Policy")
	}
	if strings.HasPrefix(path, "/api/") && h.Get("Cache-Control") != "no-store" {
		t.Errorf("Cache-Control: %q", h.Get("Cache-Control"))
	}
}

func TestGuard_LimitsWrongTokens(t *testing.T) {
	h := newTestServer(t).Handler()
	statuses := map[int]int{}
	for range 40 {
		r := httptest.NewRequest("GET", "http://127.0.0.1:7477/api/live", nil)
		r.Header.Set("Authorization", "Bearer wrong")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		statuses[w.Code]++
	}
	if statuses[401] > 2*maxFailures || statuses[429] == 0 {
		t.Errorf("statuses %v", statuses)
	}
	r := httptest.NewRequest("GET", "http://127.0.0.1:7477/api/live", nil)
	r.Header.Set("Authorization", "Bearer "+testToken)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 200 {
		t.Errorf("the right token gets %d after wrong ones", w.Code)
	}
}

func TestToken_IsRandomAndLong(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		token := newToken()
		if len(token) != 43 || seen[token] {
			t.Fatalf("token %q", token)
		}
		seen[token] = true
	}
	a, b := New(Options{Sink: NewSink(1 << 20)}), New(Options{Sink: NewSink(1 << 20)})
	if a.token == b.token || a.epoch == b.epoch {
		t.Error("two runs have the same token or epoch")
	}
}

func TestURL_HasTokenInFragmentOnly(t *testing.T) {
	l, err := Listen(t.Context(), ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // the test is over
	got := newTestServer(t).URL(l)
	if want := "http://" + l.Addr().String() + "/#k=" + testToken; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestListen_RefusesOtherInterfaces(t *testing.T) {
	for _, address := range []string{"0.0.0.0:7477", "[::]:7477", "192.168.1.5:80", "10.0.0.1", "example.com:80", "::"} {
		if l, err := Listen(t.Context(), address); err == nil {
			t.Errorf("listens on %s", l.Addr())
		}
		if CheckAddress(address) == nil {
			t.Errorf("%s is accepted", address)
		}
	}
	for _, address := range []string{"", ":8080", "127.0.0.1:8080", "localhost:8080", "[::1]:8080", "127.0.0.2", "127.0.0.1"} {
		if err := CheckAddress(address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// Every address that --web accepts can be opened.
func TestServe_AnswersUnderItsOwnAddress(t *testing.T) {
	l, err := Listen(t.Context(), "127.0.0.2:0")
	if err != nil {
		t.Skip("this system has no other loopback address:", err)
	}
	s := newTestServer(t, "a line")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for host, want := range map[string]int{"": 200, "127.0.0.1": 200, "127.0.0.3": 421, "evil.example": 421} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL(l), nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			r.Host = host
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := response.Body.Close(); err != nil || response.StatusCode != want {
			t.Errorf("host %q: %s, %v; want %d", host, response.Status, err, want)
		}
	}
}

func TestListen_TakesAnotherPortUnlessOneWasChosen(t *testing.T) {
	first, err := Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close() //nolint:errcheck // the test is over
	second, err := Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close() //nolint:errcheck // the test is over
	if l, err := Listen(t.Context(), second.Addr().String()); err == nil {
		t.Errorf("listens on %s twice", l.Addr())
	}
}

// Requests that a client library would not send.
func TestServe_RefusesRawRequests(t *testing.T) {
	address := serve(t, newTestServer(t, "a line"))
	for name, tt := range map[string]struct{ request, want string }{
		"HTTP/1.0 without a host": {"GET / HTTP/1.0\r\n\r\n", " 421 "},
		"HTTP/1.1 without a host": {"GET / HTTP/1.1\r\n\r\n", " 400 "},
		"two hosts":               {"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n", " 400 "},
		"a header of 64 KiB":      {"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", " 431 "},
		"absolute form":           {"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", " 421 "},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close() //nolint:errcheck // the test is over
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.WriteString(c, tt.request); err != nil {
				t.Fatal(err)
			}
			status, err := bufio.NewReader(c).ReadString('\n')
			if err != nil || !strings.Contains(status, tt.want) {
				t.Errorf("status %q, %v, want %s", status, err, tt.want)
			}
		})
	}
}

// A client that sends its header byte by byte loses its connection.
func TestServe_EndsSlowRequests(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	address := serve(t, newTestServer(t))
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // the test is over
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127"); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(15 * time.Second))
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("the connection stays open: %v", err)
	}
}

// The page has no way to make markup of text.
func TestPage_NeverParsesText(t *testing.T) {
	entries, err := os.ReadDir("ui")
	if err != nil {
		t.Fatal(err)
	}
	bad := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|createContextualFragment|srcdoc|setAttribute\("on|style="|<script>|javascript:|https?://(?:[a-z])`)
	for _, e := range entries {
		body, err := os.ReadFile("ui/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(body), "\n") {
			if place := bad.FindString(line); place != "" && !strings.Contains(line, "http://www.w3.org/2000/svg") {
				t.Errorf("%s:%d: %s: %s", e.Name(), i+1, place, strings.TrimSpace(line))
			}
		}
	}
}

// The limits of the page's size.
func TestPage_IsSmall(t *testing.T) {
	entries, err := os.ReadDir("ui")
	if err != nil {
		t.Fatal(err)
	}
	size, zipped, lines := 0, 0, 0
	for _, e := range entries {
		body, err := os.ReadFile("ui/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		size += len(body)
		zipped += len(newFile(e.Name(), body).zipped)
		if strings.HasSuffix(e.Name(), ".js") {
			lines += strings.Count(string(body), "\n")
		}
	}
	report := fmt.Sprintf("%d bytes, %d compressed, %d lines of JavaScript", size, zipped, lines)
	t.Log(report)
	if size > 120_000 || zipped > 35_000 || lines > 2000 {
		t.Error("too large: " + report)
	}
}
