package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

// nodes reaches the servers as es1, es2 and so on.
func nodes(all ...server) func(*elastic.Options) {
	return func(o *elastic.Options) {
		o.Nodes = nil
		for i := range all {
			o.Nodes = append(o.Nodes, &url.URL{Scheme: "http", Host: fmt.Sprintf("es%d:9200", i+1)})
		}
		o.Transport = dialing(func(_ context.Context, address string) server {
			var n int
			if _, err := fmt.Sscanf(address, "es%d:9200", &n); err != nil {
				panic(err)
			}
			return all[n-1]
		})
	}
}

// A node that does not answer, or answers with the page of a gateway, costs one
// request. It is reported, and used again when it is well.
func TestNode_SilentNodeIsTakenOut(t *testing.T) {
	faults := map[string]*fakesearch.Fault{
		"silent":  {Delay: time.Hour},
		"gateway": fakesearch.Page(http.StatusBadGateway),
		"cut":     {Cut: fakesearch.CutBeforeAnswer},
		"HTML":    fakesearch.Page(http.StatusOK),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good, bad := serve(t, fakesearch.Options{}), serve(t, fakesearch.Options{})
				bad.SetFault(func(*http.Request) *fakesearch.Fault { return fault })
				r := start(t, good, nodes(bad, good))
				texts := numbered(2400)
				all := lines(texts...)
				for i := range 120 {
					r.write(t, all[i*20:(i+1)*20])
					time.Sleep(time.Second)
					if pending := r.Status().Waiting; i > 80 && pending > 60 {
						t.Fatalf("%d lines wait after %d s", pending, i)
					}
				}
				if got := r.told.kinds(); !slices.Equal(got, []elastic.EventKind{elastic.NodeDown}) {
					t.Errorf("reported %v: %s", got, r.told.text())
				}
				bad.SetFault(nil)
				time.Sleep(2 * time.Minute)
				r.write(t, lines("z"))
				time.Sleep(2 * time.Second)
				r.write(t, lines("y"))
				r.close(t)
				if len(good.messages())+len(bad.messages()) < 2402 || len(bad.messages()) == 0 {
					t.Errorf("%d and %d documents", len(good.messages()), len(bad.messages()))
				}
			})
		})
	}
}

// Retry-After belongs to the node that said it, whatever number it says.
func TestNode_RetryAfter(t *testing.T) {
	for _, value := range []string{"300", "10000000000", "99999999999999999999999999", "-5", "soon"} {
		t.Run(value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				busy, good := serve(t, fakesearch.Options{}), serve(t, fakesearch.Options{})
				busy.fault(func(int, *http.Request) *fakesearch.Fault {
					f := fakesearch.Busy(0)
					f.Answer.Header.Set("Retry-After", value)
					return f
				})
				r := start(t, good, nodes(busy, good))
				for i := range 20 {
					r.write(t, lines(numbered(20)...)[i:i+1])
					time.Sleep(2 * time.Second)
				}
				if n := r.Status().Delivered; n < 19 {
					t.Errorf("%d of 20 lines delivered", n)
				}
				if n := busy.Counts().Bulks; n > 20 {
					t.Errorf("%d requests to the node that wants none", n)
				}
				r.close(t)
			})
		})
	}
}

// A daily index that is red or closed delays its own documents only.
func TestIndex_RedDayDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch64})
		red := atomic.Bool{}
		red.Store(true)
		s.fault(func(int, *http.Request) *fakesearch.Fault {
			return items(func(d document) *fakesearch.Verdict {
				if d.Index == daily && red.Load() {
					return &fakesearch.Verdict{Status: 503, Type: "unavailable_shards_exception", Reason: "[ktail][0] primary shard is not active"}
				}
				return nil
			})
		})
		r := start(t, s)
		texts := numbered(600)
		all := lines(texts...)
		for i := range all {
			if i%2 == 1 {
				all[i].Time += int64(24 * time.Hour)
			}
		}
		for i := 0; i < 600; i += 10 {
			r.write(t, all[i:i+10])
			time.Sleep(2 * time.Second)
			if n := r.Status().Delivered; n < int64(i/2-10) {
				t.Fatalf("%d delivered of %d that could be", n, i/2)
			}
		}
		if got := r.told.kinds(); !slices.Equal(got, []elastic.EventKind{elastic.Busy}) || !strings.Contains(r.told.text(), daily) {
			t.Errorf("reported %v: %s", got, r.told.text())
		}
		red.Store(false)
		time.Sleep(time.Minute)
		r.status(t, elastic.Status{Delivered: 600})
		r.close(t)
		same(t, s.messages(), texts)
	})
}

// An index that rejects everything is to blame, not the documents. With everything
// accepted again, all but the first are delivered.
func TestIndex_RejectingEverythingIsNotTheDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(int, *http.Request) *fakesearch.Fault {
			return items(func(document) *fakesearch.Verdict {
				return &fakesearch.Verdict{Status: 400, Type: "illegal_argument_exception", Reason: "an error that no one has seen before"}
			})
		})
		r := start(t, s)
		for i := range 100 {
			r.write(t, lines(numbered(2000)...)[i*20:(i+1)*20])
			time.Sleep(time.Second)
		}
		if n := r.Status().DeadLetters; n > 120 {
			t.Errorf("%d dead letters", n)
		}
		if !slices.Contains(r.told.kinds(), elastic.Blocked) {
			t.Errorf("reported %v", r.told.kinds())
		}
		s.SetFault(nil)
		time.Sleep(10 * time.Minute)
		st := r.Status()
		if st.Delivered+st.DeadLetters != 2000 || st.DeadLetters > 120 {
			t.Errorf("status is %+v", st)
		}
		_ = r.Close(t.Context())
	})
}

// An unknown refusal makes a dead letter only if the index takes other documents.
func TestIndex_UnknownRefusalWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(int, *http.Request) *fakesearch.Fault {
			return items(func(d document) *fakesearch.Verdict {
				if strings.Contains(string(d.Source), "odd") {
					return &fakesearch.Verdict{Status: 422, Type: "brand_new_exception", Reason: "who knows"}
				}
				return nil
			})
		})
		r := start(t, s)
		r.write(t, lines("odd"))
		time.Sleep(20 * time.Minute)
		r.status(t, elastic.Status{Waiting: 1})
		r.write(t, lines("fine"))
		time.Sleep(5 * time.Minute)
		r.status(t, elastic.Status{Delivered: 1, DeadLetters: 1})
		_ = r.Close(t.Context())
	})
}

// Something on the way does not let a document through, whatever it says. It is
// found, and the others are delivered.
func TestRequest_DocumentThatFailsRequestsIsFound(t *testing.T) {
	faults := map[string]*fakesearch.Fault{
		"firewall": {Answer: &fakesearch.Answer{Status: http.StatusForbidden, Body: "<html>Request blocked.</html>"}},
		"500":      fakesearch.Failed(http.StatusInternalServerError),
		"502":      fakesearch.Page(http.StatusBadGateway),
		"reset":    {Cut: fakesearch.CutBeforeAnswer},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{})
				s.SetFault(func(r *http.Request) *fakesearch.Fault {
					if !isBulk(r) {
						return nil
					}
					f := &fakesearch.Fault{}
					f.Item = func(_ int, d fakesearch.Document) *fakesearch.Verdict {
						if strings.Contains(string(d.Source), "<script>") {
							*f = *fault
							f.Taken = f.Answer != nil
						}
						return nil
					}
					return f
				})
				r := start(t, s)
				texts := numbered(1200)
				for i := range 600 {
					some := lines(texts...)[i*2 : i*2+2]
					if i == 100 {
						some[1].Text = []byte("<script>")
					}
					r.write(t, some)
					time.Sleep(time.Second)
				}
				time.Sleep(time.Minute)
				st := r.Status()
				if st.DeadLetters != 1 || st.Delivered < 1190 {
					t.Errorf("status is %+v, reported %s", st, r.told.text())
				}
				if dead := r.letters(t); len(dead) != 1 || message(dead[0]) != "<script>" {
					t.Errorf("%d dead letters", len(dead))
				}
				_ = r.Close(t.Context())
			})
		})
	}
}

// With 4 s for each answer 5,000 lines a second are kept up with.
func TestLatency_KeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(int, *http.Request) *fakesearch.Fault { return &fakesearch.Fault{Delay: 4 * time.Second} })
		r := start(t, s)
		begun := time.Now()
		line := 0
		for range 80 {
			batch := make([]ktail.Line, 500)
			for i := range batch {
				batch[i] = ktail.Line{Stream: stream, Time: begin + int64(line)*1000, Text: fmt.Appendf(nil, "GET /cart/%d?user=%d 200 with some more text, as lines have %d", line, line%97, line)}
				line++
			}
			r.write(t, batch)
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(begun); took > 9*time.Second {
			t.Errorf("writing took %s, want 8 s: Write waited", took)
		}
		r.close(t)
		if took := time.Since(begun); took > 30*time.Second {
			t.Errorf("delivering took %s", took)
		}
		if n := r.Status().Delivered; n != int64(line) {
			t.Errorf("%d of %d lines delivered", n, line)
		}
	})
}

// A proxy that now and then answers 413 to what is not too large, loses answers, or
// is busy, does not make bulks smaller and smaller.
func TestLimit_RecoversFromStray413(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(n int, _ *http.Request) *fakesearch.Fault {
			switch n % 25 {
			case 3:
				return fakesearch.Failed(http.StatusRequestEntityTooLarge)
			case 8:
				return &fakesearch.Fault{Cut: fakesearch.CutBeforeAnswer}
			case 13:
				return fakesearch.Busy(0)
			case 18:
				return fakesearch.Page(http.StatusServiceUnavailable)
			case 22:
				return fakesearch.Page(http.StatusOK)
			}
			return nil
		})
		r := start(t, s)
		begun := time.Now()
		for i := range 200 {
			batch := make([]ktail.Line, 200)
			for k := range batch {
				n := i*200 + k
				batch[k] = ktail.Line{Stream: stream, Time: begin + int64(n)*1000, Text: fmt.Appendf(nil, "line %d", n)}
			}
			r.write(t, batch)
			time.Sleep(time.Second)
		}
		r.close(t)
		if took, bulks := time.Since(begun), s.Counts().Bulks; took > 4*time.Minute || bulks > 600 {
			t.Errorf("it took %s and %d requests", took, bulks)
		}
		if n := len(s.Documents("*")); n != 40_000 {
			t.Errorf("%d documents", n)
		}
		r.noLetters(t)
	})
}

// A 401 while the security of the server is not up yet says nothing about where
// lines have to go.
func TestTarget_IsFixedWhenLinesAreAccepted(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch64})
				begun := time.Now()
				s.SetFault(func(*http.Request) *fakesearch.Fault {
					if time.Since(begun) < 4*time.Second {
						return fakesearch.Denied(status)
					}
					return nil
				})
				r := start(t, s)
				r.write(t, lines("a"))
				time.Sleep(time.Minute)
				r.close(t)
				same(t, s.Indices(), []string{daily})
				same(t, s.messages(), []string{"a"})
			})
		})
	}
}

// Credentials are read again when they are rejected, and every minute.
func TestCredentials_AreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := atomic.Value{}
		token.Store("old-secret")
		failing := atomic.Bool{}
		s := serve(t, fakesearch.Options{})
		valid := atomic.Value{}
		valid.Store("old-secret")
		s.SetFault(func(r *http.Request) *fakesearch.Fault {
			if r.Header.Get("Authorization") != "Bearer "+valid.Load().(string) {
				return fakesearch.Denied(http.StatusUnauthorized)
			}
			return nil
		})
		r := start(t, s, func(o *elastic.Options) {
			o.Credentials = func() (elastic.Credentials, error) {
				if failing.Load() {
					return elastic.Credentials{}, errors.New("read secret: no such file")
				}
				return elastic.Credentials{Auth: elastic.Auth{Bearer: token.Load().(string)}}, nil
			}
		})
		r.write(t, lines("a"))
		time.Sleep(10 * time.Second)
		valid.Store("new-secret") // revoked before the file changes
		r.write(t, lines("a", "b")[1:])
		time.Sleep(20 * time.Second)
		r.status(t, elastic.Status{Delivered: 1, Waiting: 1})
		token.Store("new-secret")
		time.Sleep(70 * time.Second)
		r.status(t, elastic.Status{Delivered: 2})
		failing.Store(true)
		time.Sleep(2 * time.Minute)
		r.write(t, lines("a", "b", "c")[2:])
		r.close(t)
		same(t, s.messages(), []string{"a", "b", "c"})
		if !slices.Contains(r.told.kinds(), elastic.CredentialsFailing) {
			t.Errorf("reported %v", r.told.kinds())
		}
	})
}

// What servers say never reaches the terminal as a command, or as a line of its
// own.
func TestEvents_AreOneLineWithoutControlCharacters(t *testing.T) {
	const evil = "\x1b]0;OWNED\x07\x1b[2J\nktail: all is well\r\u202eevil"
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(n int, _ *http.Request) *fakesearch.Fault {
			if n < 4 {
				return failing(403, evil, evil)
			}
			return items(func(document) *fakesearch.Verdict {
				return &fakesearch.Verdict{Status: 400, Type: "mapper_parsing_exception", Reason: evil}
			})
		})
		r := start(t, s)
		r.write(t, lines("a"))
		time.Sleep(5 * time.Minute)
		err := r.Close(t.Context())
		for _, text := range append(strings.Split(r.told.text(), "\n"), fmt.Sprint(err), fmt.Sprint(r.Status().LastError)) {
			if strings.ContainsAny(text, "\x1b\x07\r\n\u202e") || strings.HasPrefix(text, "ktail: all") {
				t.Errorf("%q", text)
			}
		}
		if len(r.told.kinds()) < 2 {
			t.Errorf("reported %v", r.told.kinds())
		}
	})
}
