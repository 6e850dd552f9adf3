package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

func spool(dir string, size int64) func(*elastic.Options) {
	return func(o *elastic.Options) { o.Dir, o.SpoolSize = dir, size }
}

// During an outage lines are on the disk, and settled; afterwards they are
// delivered and the disk is free again.
func TestSpooledOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, dir := newFake(), t.TempDir()
		var away atomic.Bool
		f.before = func(*http.Request) (*http.Response, error) { return nil, errIf(away.Load()) }
		var settled atomic.Int64
		r := start(t, f, spool(dir, 64<<20), func(o *elastic.Options) {
			o.Settled = func(_ ktail.Key, n int) { settled.Add(int64(n)) }
		})
		texts := numbered(5000)
		all := lines(texts...)
		for i := range 50 {
			away.Store(i >= 10 && i < 40)
			r.write(t, all[i*100:(i+1)*100])
			time.Sleep(2 * time.Second)
			if i == 39 {
				if st := r.Status(); st.Spooled < 2000 || st.Waiting > 300 || settled.Load() < 3700 {
					t.Errorf("status is %+v, settled %d", st, settled.Load())
				}
			}
		}
		r.close(t)
		same(t, f.messages(), texts)
		if st := r.Status(); st.Delivered != 5000 || st.Spooled != 0 || st.SpoolSize != 0 || st.Waiting != 0 || settled.Load() != 5000 {
			t.Errorf("status is %+v, settled %d", st, settled.Load())
		}
		if got := spoolFiles(t, dir); len(got) > 0 {
			t.Errorf("%q are left", got)
		}
		if got, want := r.told.kinds(), []elastic.EventKind{elastic.Away, elastic.Back}; !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
	})
}

func spoolFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.spool"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// What is in the spool at the end is sent by the next run, and nothing twice,
// whatever was in flight.
func TestSpoolFromRunToRun(t *testing.T) {
	for _, fault := range []string{"refuses connections", "loses answers", "hangs", "takes some"} {
		t.Run(fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, dir := newFake(), t.TempDir()
				var well atomic.Bool
				switch fault {
				case "refuses connections":
					f.before = func(*http.Request) (*http.Response, error) { return nil, errIf(!well.Load()) }
				case "loses answers":
					f.cut = func(int) error { return errIf(!well.Load()) }
				case "hangs":
					f.delay = func(ctx context.Context, _ *http.Request) error {
						if well.Load() {
							return nil
						}
						<-ctx.Done()
						return ctx.Err()
					}
				case "takes some":
					f.verify = func(d document) *refusal {
						if well.Load() || d.message()[len(d.message())-1] < '5' {
							return nil
						}
						return &refusal{429, "es_rejected_execution_exception", "busy"}
					}
				}
				texts := numbered(300)
				for i := range 3 {
					r := start(t, f, spool(dir, 64<<20))
					r.write(t, lines(texts...)[i*100:(i+1)*100])
					time.Sleep(3 * time.Second)
					r.stop()
					err := r.Close(t.Context())
					st := r.Status()
					var undelivered *elastic.UndeliveredError
					if !errors.As(err, &undelivered) || !strings.Contains(err.Error(), dir) || st.Waiting != 0 || st.Spooled == 0 {
						t.Errorf("run %d: %v, status %+v", i, err, st)
					}
				}
				well.Store(true)
				r := start(t, f, spool(dir, 64<<20))
				time.Sleep(time.Minute)
				r.close(t)
				same(t, f.messages(), texts)
				if got := spoolFiles(t, dir); len(got) > 0 {
					t.Errorf("%q are left", got)
				}
			})
		})
	}
}

// A full spool has Write wait, or drops the oldest lines, which is counted.
func TestSpoolFull(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprint("drop ", drop), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				var away atomic.Bool
				away.Store(true)
				f.before = func(*http.Request) (*http.Response, error) { return nil, errIf(away.Load()) }
				r := start(t, f, spool(t.TempDir(), 3<<20), func(o *elastic.Options) { o.DropOldest = drop })
				const n = 24
				var written atomic.Int64
				done := make(chan struct{})
				go func() {
					defer close(done)
					for i := range n {
						l := lines(noise(i, 700_000))
						l[0].Time += int64(i)
						r.write(t, l)
						written.Add(1)
						time.Sleep(2 * time.Second)
					}
				}()
				time.Sleep(5 * time.Minute)
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

// A server that is replaced by a newer one under the same address gets the lines
// where the old one got them.
func TestUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.root = rootES6
		var cut atomic.Bool
		f.cut = func(int) error { return errIf(cut.Load()) } // stored, but nobody knows
		f.before = func(r *http.Request) (*http.Response, error) {
			if f.is() != rootES6 && strings.Contains(r.URL.Path, "_doc") {
				return respond(400, `{"error":{"type":"illegal_argument_exception","reason":"no types"}}`), nil
			}
			return nil, nil
		}
		r := start(t, f)
		r.write(t, lines("a"))
		time.Sleep(5 * time.Second)
		cut.Store(true)
		r.write(t, lines("a", "b")[1:])
		time.Sleep(5 * time.Second)
		synctest.Wait()
		f.become(rootES8)
		cut.Store(false)
		time.Sleep(time.Minute)
		r.write(t, lines("a", "b", "c")[2:])
		r.close(t)
		same(t, f.messages(), []string{"a", "b", "c"})
		same(t, f.indices(), []string{"ktail-2026.01.31"})
	})
}

// A node that is down does not matter while another lives.
func TestNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.before = func(r *http.Request) (*http.Response, error) { return nil, errIf(r.URL.Host == "es1:9200") }
		r := start(t, f, func(o *elastic.Options) {
			o.Nodes = []*url.URL{{Scheme: "http", Host: "es1:9200"}, {Scheme: "http", Host: "es2:9200"}}
		})
		texts := numbered(100)
		for i := range 10 {
			r.write(t, lines(texts...)[i*10:(i+1)*10])
			time.Sleep(2 * time.Second)
		}
		r.close(t)
		same(t, f.messages(), texts)
		if got := r.told.kinds(); len(got) > 0 {
			t.Errorf("told %v: %s", got, r.told.text())
		}
	})
}

// Credentials go to the nodes alone, and are in no message.
func TestCredentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, auth, err := elastic.ParseNodes([]string{"http://elastic:hunter2@es1:9200/prefix/"})
		if err != nil {
			t.Fatal(err)
		}
		f := newFake()
		f.before = func(r *http.Request) (*http.Response, error) {
			if user, password, _ := r.BasicAuth(); user != "elastic" || password != "hunter2" {
				t.Errorf("user %q with another password", user)
			}
			if r.URL.Host != "es1:9200" || !strings.HasPrefix(r.URL.Path, "/prefix/") {
				t.Errorf("request to %s", r.URL)
			}
			resp := respond(http.StatusTemporaryRedirect, "")
			resp.Header.Set("Location", "http://elastic:hunter2@evil:9200/")
			return resp, nil
		}
		r := start(t, f, func(o *elastic.Options) { o.Nodes, o.Auth = nodes, auth })
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
	})
}

func TestParseNodesShowsNoSecret(t *testing.T) {
	for _, bad := range []string{"", "es:9200", "http://", "ftp://u:hunter2@h", "http://u:hunter2@h:port", "http://u:hunter2@h?x=y", "://u:hunter2@h"} {
		if _, _, err := elastic.ParseNodes([]string{bad}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Dead letters can be sent again, and are what they were.
func TestResend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		var strict atomic.Bool
		strict.Store(true)
		f.verify = func(document) *refusal {
			if strict.Load() {
				return &refusal{400, "strict_dynamic_mapping_exception", "no"}
			}
			return nil
		}
		var path string
		r := start(t, f, func(o *elastic.Options) { path = o.DeadLetters })
		texts := append(numbered(100), "\x00\xff\"")
		r.write(t, lines(texts...))
		if err := r.Close(t.Context()); err == nil {
			t.Error("no error although all was refused")
		}
		strict.Store(false)
		letters, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer letters.Close() //nolint:errcheck // it is only read from
		for range 2 {
			r = start(t, f)
			if err := r.Resend(t.Context(), letters); err != nil {
				t.Fatal(err)
			}
			if _, err := letters.Seek(0, 0); err != nil {
				t.Fatal(err)
			}
			r.close(t)
		}
		same(t, f.messages(), append([]string{"\x00\ufffd\""}, numbered(100)...))
		// The lines themselves are there already, too.
		r = start(t, f)
		r.write(t, lines(texts...))
		r.close(t)
		if st := r.Status(); st.Present != 101 {
			t.Errorf("status is %+v", st)
		}
		r = start(t, f)
		if err := r.Resend(t.Context(), strings.NewReader("{}\n")); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("what is no dead letter: %v", err)
		}
		r.close(t)
	})
}

func TestDetect(t *testing.T) {
	tests := []struct{ name, root, index, request string }{
		{"6.4", rootES6, "ktail-2026.01.31", "POST /ktail-2026.01.31/_doc/_bulk"},
		{"7.10, free", `{"version":{"number":"7.10.2","build_flavor":"oss"},"tagline":"You Know, for Search"}`, "ktail-2026.01.31", "PUT /_index_template/ktail"},
		{"7.7", `{"version":{"number":"7.7.0","build_flavor":"default"},"tagline":"You Know, for Search"}`, "ktail-2026.01.31", "PUT /_template/ktail"},
		{"7.17", `{"version":{"number":"7.17.0","build_flavor":"default"},"tagline":"You Know, for Search"}`, "logs-ktail-default", "POST /logs-ktail-default/_bulk"},
		{"9", `{"version":{"number":"9.1.0","build_flavor":"default"},"tagline":"You Know, for Search"}`, "logs-ktail-default", "POST /logs-ktail-default/_bulk"},
		{"serverless", `{"version":{"number":"8.11.0","build_flavor":"serverless"},"tagline":"You Know, for Search"}`, "logs-ktail-default", "POST /logs-ktail-default/_bulk"},
		{"OpenSearch", `{"version":{"number":"2.19.1","distribution":"opensearch"},"tagline":"The OpenSearch Project: https://opensearch.org/"}`, "logs-ktail-default", "PUT /_index_template/ktail"},
		{"OpenSearch in disguise", `{"version":{"number":"7.10.2"},"tagline":"The OpenSearch Project: https://opensearch.org/"}`, "logs-ktail-default", "PUT /_index_template/ktail"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				f.root = tt.root
				r := start(t, f)
				r.write(t, lines("a"))
				r.close(t)
				same(t, f.indices(), []string{tt.index})
				if f.asked(tt.request) == 0 {
					t.Errorf("requests were %q, want %s", f.requests, tt.request)
				}
				if got, want := f.order[0].field("data_stream.dataset") != nil, strings.HasPrefix(tt.index, "logs-"); got != want {
					t.Errorf("fields of a data stream: %t, want %t", got, want)
				}
			})
		})
	}
}

// Who may not ask what the server is, or make a template, may deliver.
func TestFewRights(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, what := range []string{"GET /", "PUT"} {
			f := newFake()
			f.root = `{"version":{"number":"2.19.1","distribution":"opensearch"}}`
			f.before = func(r *http.Request) (*http.Response, error) {
				if r.Method+" "+r.URL.Path == what || r.Method == what {
					return respond(403, `{"error":{"type":"security_exception","reason":"no"}}`), nil
				}
				return nil, nil
			}
			r := start(t, f)
			r.write(t, lines("a"))
			r.close(t)
			same(t, f.messages(), []string{"a"})
		}
	})
}
