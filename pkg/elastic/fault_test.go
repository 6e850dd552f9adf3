package elastic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// faults are what a server does to the first three bulks, or to some documents
// twice. Whichever it is, each line has to be there once afterwards.
var faults = map[string]func(r *http.Request) *fakesearch.Fault{
	"empty answer":     func(*http.Request) *fakesearch.Fault { return fakesearch.Empty() },
	"no items":         answerItems(func([]json.RawMessage) []json.RawMessage { return []json.RawMessage{} }),
	"too few items":    answerItems(func(all []json.RawMessage) []json.RawMessage { return all[:1] }),
	"too many items":   answerItems(func(all []json.RawMessage) []json.RawMessage { return append(all, all[0]) }),
	"another action":   answerItems(eachItem(func(b []byte) []byte { return bytes.Replace(b, []byte("create"), []byte("index"), 1) })),
	"no status":        answerItems(eachItem(func([]byte) []byte { return []byte(`{"create":{"_id":"x"}}`) })),
	"an odd conflict":  always(items(func(document) *fakesearch.Verdict { return &fakesearch.Verdict{Status: 409, Type: "odd_exception"} })),
	"a proxy's page":   func(*http.Request) *fakesearch.Fault { return fakesearch.Page(http.StatusOK) },
	"a proxy's 502":    func(*http.Request) *fakesearch.Fault { return fakesearch.Page(http.StatusBadGateway) },
	"500":              func(*http.Request) *fakesearch.Fault { return fakesearch.Failed(http.StatusInternalServerError) },
	"429":              func(*http.Request) *fakesearch.Fault { return fakesearch.Busy(0) },
	"blocked":          always(failing(403, "cluster_block_exception", "read-only")),
	"401":              func(*http.Request) *fakesearch.Fault { return fakesearch.Denied(http.StatusUnauthorized) },
	"404":              always(failing(404, "index_not_found_exception", "no such index")),
	"405":              func(*http.Request) *fakesearch.Fault { return fakesearch.Failed(http.StatusMethodNotAllowed) },
	"request cut":      always(&fakesearch.Fault{Cut: fakesearch.CutRequest, After: 100}),
	"answer lost":      always(&fakesearch.Fault{Cut: fakesearch.CutBeforeAnswer}),
	"answer cut":       always(&fakesearch.Fault{Cut: fakesearch.CutAnswer, After: 100}),
	"gzip unknown":     fakesearch.RefuseGzip,
	"bad request":      always(fakesearch.Failed(http.StatusBadRequest)),
	"some 429":         someItems(429, "es_rejected_execution_exception", "busy"),
	"some 503":         someItems(503, "unavailable_shards_exception", "no shard"),
	"some blocked":     someItems(403, "cluster_block_exception", "read-only"),
	"some forbidden":   someItems(403, "security_exception", "no"),
	"some 404":         someItems(404, "index_not_found_exception", "no such index"),
	"no such pipeline": someItems(400, "illegal_argument_exception", "pipeline with id [x] does not exist"),
}

func always(f *fakesearch.Fault) func(*http.Request) *fakesearch.Fault {
	return func(*http.Request) *fakesearch.Fault { return f }
}

func answerItems(f func([]json.RawMessage) []json.RawMessage) func(*http.Request) *fakesearch.Fault {
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

// someItems refuses every other document, twice.
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

// A server that cannot read gzip, and says so by a bad request, gets plain text.
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

// A bulk that is too large for the server is halved, and the size remembered.
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
			t.Errorf("it took %d requests", n)
		}
	})
}

// While a server asks for time, nothing is sent, even if another bulk gets
// through meanwhile.
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

// A node that is down does not matter while another lives.
func TestNodes_DownNodeDoesNotMatter(t *testing.T) {
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
		if got := r.told.kinds(); !slices.Equal(got, []elastic.EventKind{elastic.NodeDown}) {
			t.Errorf("told %v: %s", got, r.told.text())
		}
	})
}

// Credentials go to the nodes alone, never where a node points to, and are in no
// message.
func TestCredentials_AreSent(t *testing.T) {
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
			text := fmt.Sprint(err, r.told.text(), r.Server())
			if strings.Contains(text, "hunter2") {
				t.Errorf("the password is in %q", text)
			}
			if !strings.Contains(text, "evil:9200") {
				t.Errorf("%q does not tell where it points", text)
			}
			if n := evil.Counts().Requests; n > 0 {
				t.Errorf("%d requests followed it", n)
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
