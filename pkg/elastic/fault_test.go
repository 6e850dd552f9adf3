package elastic_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// faults are responses to the first three bulks, or to some documents twice. After each
// of them, every line must be indexed exactly once.
var faults = map[string]func(r *http.Request) *fakesearch.Fault{
	"empty body":           func(*http.Request) *fakesearch.Fault { return fakesearch.EmptyBody() },
	"no items":             replaceItems(func([]json.RawMessage) []json.RawMessage { return []json.RawMessage{} }),
	"too few items":        replaceItems(func(all []json.RawMessage) []json.RawMessage { return all[:1] }),
	"too many items":       replaceItems(func(all []json.RawMessage) []json.RawMessage { return append(all, all[0]) }),
	"another action":       replaceItems(eachItem(func(b []byte) []byte { return bytes.Replace(b, []byte("create"), []byte("index"), 1) })),
	"no status":            replaceItems(eachItem(func([]byte) []byte { return []byte(`{"create":{"_id":"x"}}`) })),
	"unknown conflict":     always(items(func(document) *fakesearch.Verdict { return &fakesearch.Verdict{Status: 409, Type: "odd_exception"} })),
	"HTML page of a proxy": func(*http.Request) *fakesearch.Fault { return fakesearch.HTMLPage(http.StatusOK) },
	"502 of a proxy":       func(*http.Request) *fakesearch.Fault { return fakesearch.HTMLPage(http.StatusBadGateway) },
	"500":                  func(*http.Request) *fakesearch.Fault { return fakesearch.Failed(http.StatusInternalServerError) },
	"429":                  func(*http.Request) *fakesearch.Fault { return fakesearch.Busy(0) },
	"blocked":              always(failing(403, "cluster_block_exception", "read-only")),
	"401":                  func(*http.Request) *fakesearch.Fault { return fakesearch.Denied(http.StatusUnauthorized) },
	"404":                  always(failing(404, "index_not_found_exception", "no such index")),
	"405":                  func(*http.Request) *fakesearch.Fault { return fakesearch.Failed(http.StatusMethodNotAllowed) },
	"truncated request":    always(&fakesearch.Fault{Cut: fakesearch.CutRequest, After: 100}),
	"lost response":        always(&fakesearch.Fault{Cut: fakesearch.CutBeforeResponse}),
	"truncated response":   always(&fakesearch.Fault{Cut: fakesearch.CutResponse, After: 100}),
	"gzip not supported":   fakesearch.RefuseGzip,
	"bad request":          always(fakesearch.Failed(http.StatusBadRequest)),
	"400 of a proxy":       func(*http.Request) *fakesearch.Fault { return fakesearch.HTMLPage(http.StatusBadRequest) },
	"some 429":             someItems(429, "es_rejected_execution_exception", "busy"),
	"some 503":             someItems(503, "unavailable_shards_exception", "no shard"),
	"some blocked":         someItems(403, "cluster_block_exception", "read-only"),
	"some forbidden":       someItems(403, "security_exception", "no"),
	"some 404":             someItems(404, "index_not_found_exception", "no such index"),
	"no such pipeline":     someItems(400, "illegal_argument_exception", "pipeline with id [x] does not exist"),
}

func always(f *fakesearch.Fault) func(*http.Request) *fakesearch.Fault {
	return func(*http.Request) *fakesearch.Fault { return f }
}

func replaceItems(f func([]json.RawMessage) []json.RawMessage) func(*http.Request) *fakesearch.Fault {
	return always(&fakesearch.Fault{Items: f})
}

func eachItem(f func([]byte) []byte) func([]json.RawMessage) []json.RawMessage {
	return func(all []json.RawMessage) []json.RawMessage {
		for i := range all {
			all[i] = f(all[i])
		}
		return all
	}
}

// someItems rejects every second document, twice.
func someItems(status int, kind, reason string) func(*http.Request) *fakesearch.Fault {
	var mu sync.Mutex
	seen := map[string]int{}
	return always(items(func(d document) *fakesearch.Verdict {
		mu.Lock()
		defer mu.Unlock()
		m := d.message()
		if seen[d.ID]++; seen[d.ID] > 2 || m[len(m)-1]%2 == 0 {
			return nil
		}
		return &fakesearch.Verdict{Status: status, Type: kind, Reason: reason}
	}))
}

func TestFaults_LoseAndDuplicateNothing(t *testing.T) {
	for name, fault := range faults {
		for _, flavor := range []fakesearch.Flavor{fakesearch.Elasticsearch64, fakesearch.Elasticsearch9} {
			t.Run(name+" of "+flavor.Number, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := serve(t, fakesearch.Options{Flavor: flavor})
					s.fault(func(n int, r *http.Request) *fakesearch.Fault {
						if n > 3 {
							return nil
						}
						return fault(r)
					})
					r := start(t, s)
					texts := numbered(40)
					r.write(t, lines(texts...))
					r.close(t)
					same(t, s.messages(), texts)
					if st := r.Status(); st.Delivered != 40 || st.DeadLetters != 0 || st.Minimal != 0 {
						t.Errorf("status is %+v", st)
					}
				})
			})
		}
	}
}

// ktail sends uncompressed requests to a server that responds to gzip with 400.

// A proxy that is being replaced ends an HTTP/2 connection gracefully, with GOAWAY,
// while requests are on their way on it.
func TestGoAway_LosesNothing(t *testing.T) {
	s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3, MaxContentLength: 100 << 10}) // many bulks
	var bulks, http2 atomic.Int64
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isBulk(r) {
			if bulks.Add(1)%2 == 0 {
				w.Header().Set("Connection", "close") // net/http sends GOAWAY instead
			}
			if r.ProtoMajor == 2 {
				http2.Add(1)
			}
		}
		s.ServeHTTP(w, r)
	}))
	proxy.EnableHTTP2 = true
	proxy.StartTLS()
	t.Cleanup(proxy.Close)
	u, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(proxy.Certificate())
	r := start(t, s, func(o *elastic.Options) {
		o.Nodes, o.Transport = []*url.URL{u}, elastic.NewTransport(&tls.Config{RootCAs: roots})
	})
	texts := numbered(3000)
	r.write(t, lines(texts...))
	r.close(t)
	same(t, s.messages(), texts)
	if http2.Load() < 10 {
		t.Errorf("%d of %d bulks were sent over HTTP/2, want at least 10", http2.Load(), bulks.Load())
	}
	if st := r.Status(); st.Delivered != 3000 || st.DeadLetters != 0 {
		t.Errorf("status is %+v", st)
	}
}

func TestNoGzip_FallsBackToPlain(t *testing.T) {
	for _, status := range []int{http.StatusUnsupportedMediaType, http.StatusBadRequest} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{})
				s.SetFault(func(r *http.Request) *fakesearch.Fault {
					if fakesearch.RefuseGzip(r) == nil {
						return nil
					}
					return fakesearch.Failed(status)
				})
				r := start(t, s)
				r.write(t, lines("a", "b"))
				r.close(t)
				same(t, s.messages(), []string{"a", "b"})
			})
		})
	}
}

// A proxy that fails some requests with 400 says nothing about their documents, and does
// not turn off compression for good.
func TestStray400_IsNotTheDocuments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(n int, _ *http.Request) *fakesearch.Fault {
			if n > 10 && n < 500 && n%5 < 3 { // several in a row
				return fakesearch.HTMLPage(http.StatusBadRequest)
			}
			return nil
		})
		r := start(t, s)
		texts := numbered(2000)
		for i := range texts {
			r.write(t, lines(texts...)[i:i+1])
			time.Sleep(time.Second)
		}
		before := s.Counts()
		r.write(t, lines("z"))
		r.close(t)
		same(t, s.messages(), append(texts, "z"))
		r.status(t, elastic.Status{Delivered: 2001})
		if s.Counts().Gzipped == before.Gzipped {
			t.Error("the last request is not compressed")
		}
	})
}

// A bulk that is too large for the server is halved, and later bulks are smaller.
func TestTooLargeBulk_IsHalved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{MaxContentLength: 100 << 10})
		r := start(t, s)
		texts := numbered(3000)
		for i := 0; i < len(texts); i += 500 {
			r.write(t, lines(texts...)[i:i+500])
		}
		r.close(t)
		same(t, s.messages(), texts)
		if n := s.Counts().Bulks; n > 80 {
			t.Errorf("delivery took %d requests", n)
		}
	})
}

// Nothing is sent during a Retry-After, even if another bulk succeeds in that time.
func TestRetryAfter_IsHonored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		var mu sync.Mutex
		var at []time.Duration
		begun := time.Now()
		s.fault(func(n int, _ *http.Request) *fakesearch.Fault {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(begun).Round(time.Second))
			switch n {
			case 1:
				return &fakesearch.Fault{Delay: 5 * time.Second}
			case 2:
				return fakesearch.Busy(40 * time.Second)
			}
			return nil
		})
		r := start(t, s)
		r.write(t, lines("a"))
		time.Sleep(2 * time.Second)
		r.write(t, lines("a", "b")[1:])
		time.Sleep(10 * time.Second)
		r.status(t, elastic.Status{Delivered: 1, Waiting: 1})
		r.close(t)
		same(t, s.messages(), []string{"a", "b"})
		mu.Lock()
		defer mu.Unlock()
		if len(at) != 3 || at[2]-at[1] < 40*time.Second {
			t.Errorf("bulks came at %v, want the last 40 s after the one before", at)
		}
	})
}

// While one node works, a node that is down does not delay delivery.
func TestNodes_DownNodeDoesNotDelayDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dead := serve(t, fakesearch.Options{}), serve(t, fakesearch.Options{})
		dead.Down()
		r := start(t, s, func(o *elastic.Options) {
			o.Nodes = []*url.URL{{Scheme: "http", Host: "es1:9200"}, {Scheme: "http", Host: "es2:9200"}}
			o.Transport = dialing(func(_ context.Context, address string) server {
				if address == "es1:9200" {
					return dead
				}
				return s
			})
		})
		texts := numbered(100)
		for i := range 10 {
			r.write(t, lines(texts...)[i*10:(i+1)*10])
			time.Sleep(2 * time.Second)
		}
		r.close(t)
		same(t, s.messages(), texts)
		if got := r.events.kinds(); !slices.Equal(got, []elastic.EventKind{elastic.NodeDown}) {
			t.Errorf("reported %v: %s", got, r.events.text())
		}
	})
}

// Credentials go to the nodes only, never to the target of a redirect, and appear in no
// message.
func TestCredentials_GoToNodesOnly(t *testing.T) {
	for _, status := range []int{301, 302, 307, 308} {
		synctest.Test(t, func(t *testing.T) {
			nodes, auth, err := elastic.ParseNodes([]string{"http://elastic:hunter2@es1:9200/prefix/"})
			if err != nil {
				t.Fatal(err)
			}
			s, evil := serve(t, fakesearch.Options{}), serve(t, fakesearch.Options{})
			s.SetFault(func(*http.Request) *fakesearch.Fault {
				return fakesearch.Redirect(status, "http://elastic:hunter2@evil:9200/")
			})
			r := start(t, s, func(o *elastic.Options) {
				o.Nodes, o.Credentials = nodes, credentials(auth)
				o.Transport = dialing(func(_ context.Context, address string) server {
					if address == "es1:9200" {
						return s
					}
					return evil
				})
			})
			r.write(t, lines("a"))
			time.Sleep(time.Minute)
			r.stop()
			err = r.Close(t.Context())
			text := fmt.Sprint(err, r.events.text(), r.Server())
			if strings.Contains(text, "hunter2") {
				t.Errorf("the password is in %q", text)
			}
			if !strings.Contains(text, "evil:9200") {
				t.Errorf("%q does not contain the target of the redirect", text)
			}
			if n := evil.Counts().Requests; n > 0 {
				t.Errorf("%d requests followed the redirect", n)
			}
			for _, asked := range s.Requests() {
				if got := asked.Header.Get("Authorization"); got != "Basic ZWxhc3RpYzpodW50ZXIy" || !strings.HasPrefix(asked.Path, "/prefix/") {
					t.Errorf("%s with authorization %q", asked.Path, got)
				}
			}
		})
	}
}

func TestParseNodes_ShowsNoSecret(t *testing.T) {
	for _, bad := range []string{"", "es:9200", "http://", "ftp://u:hunter2@h", "http://u:hunter2@h:port", "http://u:hunter2@h?x=y", "://u:hunter2@h"} {
		if _, _, err := elastic.ParseNodes([]string{bad}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
