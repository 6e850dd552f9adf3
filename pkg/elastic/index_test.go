package elastic_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// A daily index that is red or closed delays only its own documents.
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
				t.Fatalf("%d lines delivered, want at least %d", n, i/2)
			}
		}
		if got := r.events.kinds(); !slices.Equal(got, []elastic.EventKind{elastic.Busy}) || !strings.Contains(r.events.text(), daily) {
			t.Errorf("reported %v: %s", got, r.events.text())
		}
		red.Store(false)
		time.Sleep(time.Minute)
		r.status(t, elastic.Status{Delivered: 600})
		r.close(t)
		same(t, s.messages(), texts)
	})
}

// If an index rejects everything, the index is at fault, not the documents. Once it
// accepts documents again, all but the first ones are delivered.
func TestIndex_RejectingEverythingProducesFewDeadLetters(t *testing.T) {
	t.Parallel()
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
		if !slices.Contains(r.events.kinds(), elastic.Blocked) {
			t.Errorf("reported %v", r.events.kinds())
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

// An unknown error produces a dead letter only if the index accepts other documents.
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

// Many documents that the server fails to process, such as lines that an ingest pipeline
// cannot parse, stop the others for a minute at most.
func TestIndex_ManyFailingDocumentsDoNotStopOthers(t *testing.T) {
	t.Parallel()
	for name, spoolSize := range map[string]int64{"without a spool": 0, "with a spool": 64 << 20} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{})
				s.fault(func(int, *http.Request) *fakesearch.Fault {
					return items(func(d document) *fakesearch.Verdict {
						if strings.Contains(string(d.Source), "poison") {
							return &fakesearch.Verdict{Status: 500, Type: "exception", Reason: "java.lang.IllegalArgumentException: Unrecognized token"}
						}
						return nil
					})
				})
				r := start(t, s, elastic.WithQueueSize(smallQueue/4), func(o *elastic.Options) { o.Dir, o.SpoolSize = t.TempDir(), spoolSize })
				const n, perSecond = 2400, 10
				written := make(chan struct{})
				go func() {
					defer close(written)
					for i := range n / perSecond {
						texts := make([]string, perSecond)
						for k := range texts {
							texts[k] = fmt.Sprint("good ", i, " ", k)
							if k%2 == 0 {
								texts[k] = fmt.Sprint("poison ", i, " ", k, noise(i*perSecond+k, 1000))
							}
						}
						some := lines(texts...)
						for k := range some {
							some[k].Time += int64(i) * int64(time.Second)
						}
						if r.Write(t.Context(), some) != nil {
							return
						}
						time.Sleep(time.Second)
					}
				}()
				for i := range 12 { // the lines are written in the first four
					time.Sleep(time.Minute)
					if got, want := r.Status().Delivered, int64(min(i+1, 4)-2)*60*perSecond/2; got < want {
						t.Errorf("%d lines delivered after %d minutes, want at least %d", got, i+1, want)
						break
					}
				}
				// The last ones are the documents' fault only once the index accepts another one.
				last := lines("good")
				last[0].Time += int64(time.Hour)
				r.write(t, last)
				time.Sleep(10 * time.Minute)
				r.status(t, elastic.Status{Delivered: n/2 + 1, DeadLetters: n / 2})
				_ = r.Close(t.Context()) // dead letters are an error
				<-written
			})
		})
	}
}

// One of the two shards of an index is red for 25 minutes: its documents wait on disk, however
// many they are, and those of the other shard are delivered.
func TestIndex_RedShardDelaysOnlyItsDocuments(t *testing.T) {
	t.Parallel()
	for name, flavor := range map[string]fakesearch.Flavor{"daily": fakesearch.Elasticsearch64, "data stream": fakesearch.OpenSearch3} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: flavor})
				var red, asked atomic.Int64
				red.Store(1)
				s.fault(func(int, *http.Request) *fakesearch.Fault {
					f := &fakesearch.Fault{Delay: 200 * time.Millisecond}
					f.Item = func(_ int, d fakesearch.Document) *fakesearch.Verdict {
						if !strings.HasPrefix(document{d}.message(), "red") || red.Load() == 0 {
							return nil
						}
						f.Delay = 20 * time.Second // a server waits for the shard
						asked.Add(1)
						return &fakesearch.Verdict{Status: 503, Type: "unavailable_shards_exception", Reason: "[ktail][0] primary shard is not active"}
					}
					return f
				})
				r := start(t, s, elastic.WithQueueSize(smallQueue), func(o *elastic.Options) {
					o.Dir, o.SpoolSize = t.TempDir(), 64<<20
				})
				const seconds, perSecond = 300, 10
				write := func(i int) {
					texts := make([]string, perSecond)
					for k := range texts {
						texts[k] = fmt.Sprint([]string{"red", "fine"}[k%2], " ", i, " ", k, noise(i*perSecond+k, 500))
					}
					some := lines(texts...)
					for k := range some {
						some[k].Time += int64(i) * int64(time.Second)
					}
					r.write(t, some)
					time.Sleep(time.Second)
				}
				for i := range seconds {
					write(i)
					if got, want := r.Status().Delivered, int64(i-60)*perSecond/2; got < want {
						t.Errorf("%d lines delivered after %d s, want at least %d; %+v asked %d", got, i, want, r.Status(), asked.Load())
					}
				}
				before := asked.Load()
				time.Sleep(20 * time.Minute)
				if n := asked.Load() - before; n > 100*seconds*perSecond/2 {
					t.Errorf("lines of the red shard were sent %d times in 20 minutes", n)
				}
				r.status(t, elastic.Status{Delivered: seconds * perSecond / 2, Waiting: r.Status().Waiting, Spooled: seconds*perSecond/2 - r.Status().Waiting})
				const more = 30
				for i := range more {
					write(seconds + i)
				}
				red.Store(0)
				time.Sleep(45 * time.Second) // one probe is rejected, and the next one is due
				r.status(t, elastic.Status{Delivered: (seconds + more) * perSecond})
				r.close(t)
				if n := len(s.documents()); n != (seconds+more)*perSecond {
					t.Errorf("%d documents, want %d", n, (seconds+more)*perSecond)
				}
			})
		})
	}
}

// A firewall blocks requests with one document, with any kind of response. ktail
// isolates the document and delivers the others.
func TestRequest_DocumentThatFailsRequestsIsFound(t *testing.T) {
	t.Parallel()
	faults := map[string]*fakesearch.Fault{
		"firewall": {Response: &fakesearch.Response{Status: http.StatusForbidden, Body: "<html>Request blocked.</html>"}},
		"500":      fakesearch.Failed(http.StatusInternalServerError),
		"502":      fakesearch.HTMLPage(http.StatusBadGateway),
		"reset":    {Cut: fakesearch.CutBeforeResponse},
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
							f.Executed = f.Response != nil
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
					t.Errorf("status is %+v, reported %s", st, r.events.text())
				}
				if dead := r.letters(t); len(dead) != 1 || message(dead[0]) != "<script>" {
					t.Errorf("%d dead letters", len(dead))
				}
				_ = r.Close(t.Context())
			})
		})
	}
}

// A 401 while the security plugin is starting does not determine the target.
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
