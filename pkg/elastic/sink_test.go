package elastic_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

func TestDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		r := start(t, f)
		texts := numbered(12_000)
		r.write(t, lines(texts...))
		r.close(t)
		same(t, f.messages(), texts)
		same(t, f.indices(), []string{"logs-ktail-default"})
		if st := r.Status(); st.Delivered != 12_000 || st.Present != 0 || st.Waiting != 0 {
			t.Errorf("status is %+v", st)
		}
	})
}

// A run that delivers what another has delivered finds it there.
func TestTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		all := lines("a", "b", "b", "c")
		all[2].Time = all[1].Time // b twice, at the same time
		for range 2 {
			r := start(t, f)
			r.write(t, all)
			r.close(t)
			defer func() {
				if st := r.Status(); st.Delivered != 4 {
					t.Errorf("status is %+v", st)
				}
			}()
		}
		same(t, f.messages(), []string{"a", "b", "b", "c"})
	})
}

// Whatever goes wrong, each line is there once.
func TestFaults(t *testing.T) {
	once := func(resp func() *http.Response) func(*fake) {
		return func(f *fake) {
			tries := 0
			f.before = func(r *http.Request) (*http.Response, error) {
				if !strings.HasSuffix(r.URL.Path, "_bulk") {
					return nil, nil
				}
				if tries++; tries > 3 {
					return nil, nil
				}
				return resp(), nil
			}
		}
	}
	afterwards := func(body string) func(*fake) {
		return func(f *fake) {
			tries := 0
			f.after = func(answer *http.Response) *http.Response {
				if tries++; tries > 3 {
					return answer
				}
				return respond(200, body)
			}
		}
	}
	some := func(status int, kind string) func(*fake) {
		return func(f *fake) {
			seen := map[string]int{}
			f.verify = func(d document) *refusal {
				if seen[d.id]++; seen[d.id] > 2 || d.message()[len(d.message())-1]%2 == 0 {
					return nil
				}
				return &refusal{status, kind, "not now"}
			}
		}
	}
	tests := map[string]func(*fake){
		"empty answer":        afterwards(""),
		"no items":            afterwards(`{"errors":false,"items":[]}`),
		"too few items":       afterwards(`{"errors":false,"items":[{"create":{"status":201}}]}`),
		"another key":         afterwards(`{"errors":false,"items":[` + strings.Repeat(`{"index":{"status":201}},`, 99) + `{"index":{"status":201}}]}`),
		"no status":           afterwards(`{"errors":false,"items":[` + strings.Repeat(`{"create":{}},`, 99) + `{"create":{}}]}`),
		"a proxy's page":      afterwards(`<html>be right back</html>`),
		"cut answer":          afterwards(`{"errors":false,"items":[{"create":{"status":201}},{"cre`),
		"500":                 once(func() *http.Response { return respond(500, "") }),
		"502 page":            once(func() *http.Response { return respond(502, "<html>") }),
		"429":                 once(func() *http.Response { return respond(429, `{"error":{"type":"es_rejected_execution_exception"}}`) }),
		"403 block":           once(func() *http.Response { return respond(403, `{"error":{"type":"cluster_block_exception"}}`) }),
		"401, then well":      once(func() *http.Response { return respond(401, `{"error":"security"}`) }),
		"some 429":            some(429, "es_rejected_execution_exception"),
		"some 503":            some(503, "unavailable_shards_exception"),
		"some 403 blocked":    some(403, "cluster_block_exception"),
		"some 404":            some(404, "index_not_found_exception"),
		"no gzip, 415":        noGzip(415),
		"no gzip, 400":        noGzip(400),
		"answer lost":         func(f *fake) { f.cut = func(try int) error { return errIf(try < 3) } },
		"no such pipeline":    some(400, "illegal_argument_exception pipeline"),
		"too large at 4 KiB":  func(f *fake) { f.before = tooLarge(4 << 10) },
		"another day":         func(f *fake) { f.root = rootES6 },
		"refuses the request": func(f *fake) { f.before = atFirst(400, `{"error":{"type":"illegal_argument_exception"}}`) },
	}
	for name, fault := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				fault(f)
				if name == "no such pipeline" {
					inner := f.verify
					f.verify = func(d document) *refusal {
						no := inner(d)
						if no != nil {
							no.reason = "pipeline with id [x] does not exist"
						}
						return no
					}
				}
				r := start(t, f)
				texts := numbered(100)
				r.write(t, lines(texts...))
				r.close(t)
				same(t, f.messages(), texts)
				if st := r.Status(); st.Delivered != 100 || st.DeadLetters != 0 {
					t.Errorf("status is %+v", st)
				}
			})
		})
	}
}

var errCut = errors.New("connection reset by peer")

func errIf(b bool) error {
	if b {
		return errCut
	}
	return nil
}

func noGzip(status int) func(*fake) {
	return func(f *fake) {
		f.before = func(r *http.Request) (*http.Response, error) {
			if r.Header.Get("Content-Encoding") == "gzip" {
				return respond(status, "what is this"), nil
			}
			return nil, nil
		}
	}
}

func atFirst(status int, body string) func(*http.Request) (*http.Response, error) {
	tries := 0
	return func(r *http.Request) (*http.Response, error) {
		if !strings.HasSuffix(r.URL.Path, "_bulk") {
			return nil, nil
		}
		if tries++; tries > 1 {
			return nil, nil
		}
		return respond(status, body), nil
	}
}

// tooLarge refuses requests of more than most bytes. It cannot see them, since
// the fake has read them; it reads the length that was sent.
func tooLarge(most int64) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		if r.ContentLength > most {
			return respond(413, ""), nil
		}
		return nil, nil
	}
}

const rootES6 = `{"version":{"number":"6.4.0","build_flavor":"oss"},"tagline":"You Know, for Search"}`

// While the server is away lines wait; it is told once that it is, and once that
// it is back.
func TestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var away atomic.Bool
		f.before = func(*http.Request) (*http.Response, error) { return nil, errIf(away.Load()) }
		r := start(t, f)
		r.write(t, lines("before"))
		time.Sleep(5 * time.Second)
		away.Store(true)
		r.write(t, lines(numbered(1000)...))
		time.Sleep(time.Minute)
		if st := r.Status(); st.Waiting != 1000 {
			t.Errorf("status is %+v, want 1000 to wait", st)
		}
		away.Store(false)
		time.Sleep(time.Minute)
		if st := r.Status(); st.Waiting != 0 || st.Delivered != 1001 {
			t.Errorf("status is %+v, want nothing to wait", st)
		}
		r.close(t)
		if got, want := r.told.kinds(), []elastic.EventKind{elastic.Away, elastic.Back}; !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
		if n := f.asked("GET /"); n < 2 {
			t.Errorf("asked %d times what the server is, want once more after it was away", n)
		}
	})
}

// A server that is frozen does not hold up the program for ever, and gets
// nothing twice when it thaws.
func TestFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		frozen := make(chan struct{})
		f.delay = func(ctx context.Context, _ *http.Request) error {
			select {
			case <-frozen:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		r := start(t, f)
		r.write(t, lines("a", "b"))
		time.Sleep(3 * time.Minute)
		close(frozen)
		time.Sleep(time.Minute)
		r.close(t)
		same(t, f.messages(), []string{"a", "b"})
	})
}

// What cannot be delivered at the end is told, and makes an error.
func TestUndelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.before = func(*http.Request) (*http.Response, error) { return nil, errCut }
		r := start(t, f)
		r.write(t, lines("a", "b"))
		r.stop()
		begun := time.Now()
		err := r.Close(t.Context())
		var undelivered *elastic.UndeliveredError
		if !errors.As(err, &undelivered) || undelivered.Status.Waiting != 2 {
			t.Errorf("error is %v, want two undelivered lines", err)
		}
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("closing took %s", took)
		}
	})
}

// A document that does not fit the index is tried with few fields, and is then a
// dead letter; the others go on.
func TestMapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.verify = func(d document) *refusal {
			if d.field("kubernetes") != nil && strings.Contains(d.message(), "odd") {
				return &refusal{400, "mapper_parsing_exception", "failed to parse field [kubernetes.labels.app] of type [long]"}
			}
			if strings.Contains(d.raw, "hopeless") {
				return &refusal{400, "document_parsing_exception", "no"}
			}
			return nil
		}
		var path string
		r := start(t, f, func(o *elastic.Options) { path = o.DeadLetters })
		r.write(t, lines("a", "odd", "hopeless", "b"))
		err := r.Close(t.Context())
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error is %v, want one that says where the dead letter is", err)
		}
		same(t, f.messages(), []string{"a", "b", "odd"})
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dead := jsonLines(t, b)
		if len(dead) != 1 || dead[0]["type"] != "document_parsing_exception" || dead[0]["document"].(map[string]any)["message"] != "hopeless" {
			t.Errorf("dead letters are %v", dead)
		}
		if st := r.Status(); st.Simplified != 1 || st.DeadLetters != 1 || st.Delivered != 3 {
			t.Errorf("status is %+v", st)
		}
	})
}

// One document that makes the server refuse the whole request is found.
func TestGuilty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.before = func(r *http.Request) (*http.Response, error) { return nil, nil }
		guilty := &guiltyFake{fake: f, word: "poison"}
		r := start(t, guilty)
		texts := numbered(64)
		texts[37] = "poison"
		r.write(t, lines(texts...))
		if err := r.Close(t.Context()); err == nil {
			t.Error("no error although a line was refused")
		}
		same(t, f.messages(), slices.Sorted(slices.Values(slices.Concat(texts[:37], texts[38:]))))
	})
}

// guiltyFake refuses each request that holds the word.
type guiltyFake struct {
	*fake
	word string
}

func (g *guiltyFake) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := readBody(r)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(body), g.word) {
			return respond(400, `{"error":{"type":"parse_exception","reason":"cannot read that"}}`), nil
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		r.Header.Del("Content-Encoding")
	}
	return g.fake.RoundTrip(r)
}

// A line that is too large by itself is delivered without its end, and kept
// whole among the dead letters.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.verify = func(d document) *refusal {
			if len(d.raw) > 20_000 {
				return &refusal{413, "", "too large"}
			}
			return nil
		}
		var path string
		r := start(t, f, func(o *elastic.Options) { path = o.DeadLetters })
		long := strings.Repeat("é", 40_000)
		r.write(t, lines("a", long, "b"))
		r.close(t)
		got := f.messages()
		if len(got) != 3 || len(got[2]) < 5_000 || !strings.HasPrefix(long, got[2]) {
			t.Errorf("got %d messages, the last of %d bytes", len(got), len(got[2]))
		}
		if st := r.Status(); st.Shortened != 1 || st.DeadLetters != 0 {
			t.Errorf("status is %+v", st)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if dead := jsonLines(t, b); len(dead) != 1 || dead[0]["document"].(map[string]any)["message"] != long {
			t.Error("the whole line is not among the dead letters")
		}
	})
}

// On servers without data streams the index is that of the line's day.
func TestDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.root = rootES6
		r := start(t, f)
		all := lines("a", "b", "c", "d")
		all[1].Time += int64(24 * time.Hour)
		all[3].Time += int64(24 * time.Hour)
		r.write(t, all)
		r.close(t)
		same(t, f.indices(), []string{"ktail-2026.01.31", "ktail-2026.02.01"})
		same(t, f.messages(), []string{"a", "b", "c", "d"})
		if f.asked("POST /ktail-2026.01.31/_doc/_bulk") == 0 {
			t.Errorf("requests were %q, want the type in the path", f.requests)
		}
		if body := f.puts["/_template/ktail"]; !strings.Contains(body, `{"_doc":{`) {
			t.Errorf("the template is %s", body)
		}
	})
}

// Settled is told of a bulk only after all before it.
func TestSettledInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		hold := make(chan struct{})
		var later atomic.Bool
		f.delay = func(_ context.Context, r *http.Request) error {
			if strings.HasSuffix(r.URL.Path, "_bulk") && !later.Swap(true) {
				<-hold
			}
			return nil
		}
		var settled atomic.Int64
		r := start(t, f, func(o *elastic.Options) {
			o.Settled = func(key ktail.Key, n int) {
				if key != stream.Key() {
					t.Errorf("settled %v", key)
				}
				settled.Add(int64(n))
			}
		})
		r.write(t, lines("a", "b"))
		time.Sleep(5 * time.Second)
		r.write(t, lines("c"))
		time.Sleep(5 * time.Second)
		if settled.Load() != 0 || len(f.messages()) != 1 {
			t.Errorf("settled %d lines, of %d that are there, before the first", settled.Load(), len(f.messages()))
		}
		close(hold)
		r.close(t)
		if settled.Load() != 3 {
			t.Errorf("settled %d lines, want 3", settled.Load())
		}
	})
}

// The queue is bounded; Write waits, or the oldest lines make room.
func TestFull(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprint("drop ", drop), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				var away atomic.Bool
				away.Store(true)
				f.before = func(*http.Request) (*http.Response, error) { return nil, errIf(away.Load()) }
				r := start(t, f, func(o *elastic.Options) { o.DropOldest = drop })
				const n = 24
				done := make(chan struct{})
				var written atomic.Int64
				go func() {
					defer close(done)
					for i := range n {
						l := lines(noise(i, 700_000))
						l[0].Time += int64(i)
						r.write(t, l)
						written.Add(1)
					}
				}()
				time.Sleep(time.Minute)
				synctest.Wait()
				if blocked := written.Load() < n; blocked == drop {
					t.Errorf("wrote %d of %d lines", written.Load(), n)
				}
				away.Store(false)
				<-done
				err := r.Close(t.Context())
				st := r.Status()
				if drop && (err == nil || st.Dropped == 0) || !drop && (err != nil || st.Dropped != 0) || st.Delivered+st.Dropped != n {
					t.Errorf("closing says %v, status is %+v", err, st)
				}
				if f.count() != st.Delivered {
					t.Errorf("%d are there, status is %+v", f.count(), st)
				}
			})
		})
	}
}

// noise is text of n bytes that does not compress well.
func noise(seed, n int) string {
	b := make([]byte, n*3/4)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(b) //nolint:errcheck // it does not fail
	return base64.StdEncoding.EncodeToString(b)
}
