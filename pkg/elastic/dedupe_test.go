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
	"github.com/ktail/ktail/pkg/ktail"
)

// rollingTarget is a target that can be rolled over.
type rollingTarget struct {
	name   string
	flavor fakesearch.Flavor
	index  string // empty: the default data stream
}

var rollingTargets = []rollingTarget{
	{"Elasticsearch 6 alias", fakesearch.Elasticsearch64, "shop"},
	{"Elasticsearch 7 alias", fakesearch.Elasticsearch710, "shop"},
	{"Elasticsearch 8", fakesearch.Elasticsearch8, ""},
	{"Elasticsearch 9", fakesearch.Elasticsearch9, ""},
	{"Elasticsearch 9 named stream", fakesearch.Elasticsearch9, "logs-shop-prod"},
	{"Serverless", fakesearch.Serverless, ""},
	{"OpenSearch 1", fakesearch.OpenSearch1, ""},
	{"OpenSearch 2", fakesearch.OpenSearch2, ""},
	{"OpenSearch 2 alias", fakesearch.OpenSearch2, "shop"},
	{"OpenSearch 3", fakesearch.OpenSearch3, ""},
}

func (rt rollingTarget) dataset() string {
	if rt.index == "" {
		return "logs-ktail-default"
	}
	return rt.index
}

// onRollingTargets runs a test on each target.
func onRollingTargets(t *testing.T, test func(*testing.T, server, rollingTarget, func(*elastic.Options))) {
	for _, rt := range rollingTargets {
		t.Run(rt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: rt.flavor})
				if rt.index != "" && !strings.HasPrefix(rt.index, "logs-") {
					s.MakeAlias(rt.index)
				}
				test(t, s, rt, func(o *elastic.Options) { o.Index = rt.index })
			})
		})
	}
}

// linesAt returns lines that were logged from that time on.
func linesAt(at time.Time, texts ...string) []ktail.Line {
	all := lines(texts...)
	for i := range all {
		all[i].Time = at.Add(time.Duration(i) * time.Millisecond).UnixNano()
	}
	return all
}

// A second run over the same lines creates no duplicates, although the target was
// rolled over once or several times in between.
func TestRollover_SecondRunCreatesNoDuplicates(t *testing.T) {
	onRollingTargets(t, func(t *testing.T, s server, rt rollingTarget, o func(*elastic.Options)) {
		texts := numbered(30)
		logged := linesAt(time.Now(), texts...)
		for run := range 4 {
			r := start(t, s, o)
			r.write(t, logged)
			r.close(t)
			same(t, s.messages(), texts)
			if st := r.Status(); st.Delivered != 30 || st.Present != int64(30*min(run, 1)) {
				t.Errorf("run %d: status is %+v", run, st)
			}
			time.Sleep(time.Duration(run) * time.Hour)
			s.RollOver(rt.dataset())
		}
	})
}

// A rollover between two attempts creates no duplicates, whatever happens to the
// responses, and whatever the times of the lines are.
func TestRollover_BetweenAttemptsCreatesNoDuplicates(t *testing.T) {
	t.Parallel()
	faults := map[string]*fakesearch.Fault{
		"lost response":      {Cut: fakesearch.CutBeforeResponse},
		"truncated response": {Cut: fakesearch.CutResponse, After: 30},
		"empty response":     fakesearch.EmptyBody(),
		"503 after storing":  {Executed: true, Response: &fakesearch.Response{Status: http.StatusServiceUnavailable, Body: "{}"}},
	}
	for name, fault := range faults {
		for _, future := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", future times ", future), func(t *testing.T) {
				onRollingTargets(t, func(t *testing.T, s server, rt rollingTarget, o func(*elastic.Options)) {
					s.fault(func(n int, _ *http.Request) *fakesearch.Fault {
						if n >= 2 && n <= 4 {
							return fault
						}
						return nil
					})
					r := start(t, s, o)
					texts := numbered(40)
					logged := time.Now()
					if future {
						logged = logged.Add(time.Hour)
					}
					all := linesAt(logged, texts...)
					r.write(t, all[:20])
					time.Sleep(5 * time.Second)
					r.write(t, all[20:])
					for s.Counts().Bulks < 2 {
						time.Sleep(10 * time.Millisecond)
					}
					s.RollOver(rt.dataset()) // the second bulk is stored in the index before
					r.close(t)
					same(t, s.messages(), texts)
				})
			})
		}
	}
}

// If another program rolls over the target and stores the lines first, ktail deletes
// the copies that it created in the new index.
func TestRollover_CopiesInNewIndexAreDeleted(t *testing.T) {
	onRollingTargets(t, func(t *testing.T, s server, rt rollingTarget, o func(*elastic.Options)) {
		texts := numbered(20)
		all := linesAt(time.Now().Add(time.Hour), texts...)
		early := start(t, s, o)
		early.write(t, lines("early"))
		time.Sleep(2 * time.Second)
		other := start(t, s, o) // a second replica
		other.write(t, all)
		other.close(t)
		s.RollOver(rt.dataset()) // the first replica does not know of it
		var faults atomic.Int32
		s.SetFault(func(r *http.Request) *fakesearch.Fault {
			if strings.HasSuffix(r.URL.Path, "/_mget") && faults.Add(1) <= 2 {
				return fakesearch.Failed(http.StatusServiceUnavailable) // the check itself may fail
			}
			return nil
		})
		early.write(t, all)
		early.close(t)
		same(t, s.messages(), slices.Sorted(slices.Values(append([]string{"early"}, texts...))))
		if st := early.Status(); st.Delivered != 21 || st.Present != 20 {
			t.Errorf("status is %+v", st)
		}
	})
}

// Current lines are looked up only for a short time after a rollover.
func TestRollover_CurrentLinesAreNotLookedUp(t *testing.T) {
	onRollingTargets(t, func(t *testing.T, s server, rt rollingTarget, o func(*elastic.Options)) {
		r := start(t, s, o)
		write := func(text string) {
			r.write(t, linesAt(time.Now(), text))
			time.Sleep(2 * time.Second)
		}
		write("before")
		s.RollOver(rt.dataset())
		time.Sleep(time.Hour)
		write("first after the rollover")
		before := s.countRequests("POST /_mget")
		for i := range 50 {
			write(fmt.Sprint("line ", i))
		}
		if n := s.countRequests("POST /_mget") - before; n > 0 {
			t.Errorf("%d lookups", n)
		}
		r.close(t)
	})
}

// Without the right to look up documents, lines are delivered, and the missing right is
// reported.
func TestRollover_MissingReadRightIsReported(t *testing.T) {
	for _, denied := range []string{"/_settings", "/_mget"} {
		t.Run(denied, func(t *testing.T) {
			onRollingTargets(t, func(t *testing.T, s server, rt rollingTarget, o func(*elastic.Options)) {
				s.SetFault(func(r *http.Request) *fakesearch.Fault {
					if strings.Contains(r.URL.Path, denied) {
						return fakesearch.Denied(http.StatusForbidden)
					}
					return nil
				})
				r := start(t, s, o)
				r.write(t, lines("a"))
				time.Sleep(2 * time.Second)
				s.RollOver(rt.dataset())
				r.write(t, lines("a", "b")[1:])
				r.close(t)
				same(t, s.messages(), []string{"a", "b"})
				if got := r.events.kinds(); !slices.Equal(got, []elastic.EventKind{elastic.NoLookup}) {
					t.Errorf("reported %v: %s", got, r.events.text())
				}
			})
		})
	}
}

// Servers that are compatible with the bulk API only, and proxies that fail now and
// then, do not stop delivery.
func TestRollover_UnsupportedLookupDoesNotStopDelivery(t *testing.T) {
	faults := map[string]*fakesearch.Fault{
		"404":       fakesearch.Failed(http.StatusNotFound),
		"400":       failing(http.StatusBadRequest, "illegal_argument_exception", "no handler found"),
		"501":       fakesearch.Failed(http.StatusNotImplemented),
		"HTML page": fakesearch.HTMLPage(http.StatusOK),
		"JSON":      {Response: &fakesearch.Response{Body: `{"status":"ok"}`}},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch9})
				s.SetFault(func(r *http.Request) *fakesearch.Fault {
					if strings.Contains(r.URL.Path, "_settings") || strings.Contains(r.URL.Path, "_mget") {
						return fault
					}
					return nil
				})
				r := start(t, s)
				texts := numbered(20)
				for i := range texts {
					r.write(t, linesAt(time.Now(), texts[i]))
					time.Sleep(5 * time.Second)
				}
				begin := time.Now()
				r.close(t)
				same(t, s.messages(), texts)
				if took := time.Since(begin); took > time.Minute {
					t.Errorf("closing took %s", took)
				}
			})
		})
	}
}

// If an older index cannot be read, lines that it may hold wait for a while. They are then
// delivered, because it may be lost. When it can be read again, lookups continue.
func TestRollover_UnreadableIndexDelaysDelivery(t *testing.T) {
	t.Parallel()
	onRollingTargets(t, func(t *testing.T, s server, rt rollingTarget, o func(*elastic.Options)) {
		r := start(t, s, o)
		before := linesAt(time.Now(), "before")
		r.write(t, before)
		time.Sleep(2 * time.Second)
		s.RollOver(rt.dataset())
		s.Lose(rt.dataset(), true)
		r.write(t, linesAt(time.Now(), "after"))
		time.Sleep(8 * time.Minute)
		r.status(t, elastic.Status{Delivered: 1, Waiting: 1})
		time.Sleep(5 * time.Minute)
		r.status(t, elastic.Status{Delivered: 2, Present: r.Status().Present})
		if !slices.Contains(r.events.kinds(), elastic.NoLookup) {
			t.Errorf("reported %v: %s", r.events.kinds(), r.events.text())
		}
		r.close(t)
		s.Lose(rt.dataset(), false)
		r = start(t, s, o)
		r.write(t, before)
		r.close(t)
		same(t, s.messages(), []string{"after", "before"})
	})
}

// At the end of a run, lines are delivered although an older index cannot be read. With a
// spool, they are kept for the next run.
func TestRollover_UnreadableIndexLosesNothingAtTheEnd(t *testing.T) {
	for _, spooled := range []bool{false, true} {
		t.Run(fmt.Sprint("spool ", spooled), func(t *testing.T) {
			onRollingTargets(t, func(t *testing.T, s server, rt rollingTarget, o func(*elastic.Options)) {
				r := start(t, s, o)
				r.write(t, linesAt(time.Now(), "before"))
				r.close(t)
				s.RollOver(rt.dataset())
				s.Lose(rt.dataset(), true)
				dir := t.TempDir()
				r = start(t, s, o, func(o *elastic.Options) {
					if spooled {
						spool(dir, 64<<20)(o)
					}
				})
				r.write(t, linesAt(time.Now(), "after"))
				err := r.Close(t.Context())
				if st := r.Status(); st.Waiting > 0 || (st.Spooled > 0) != spooled || (err != nil) != spooled {
					t.Errorf("%v, status %+v", err, st)
				}
			})
		})
	}
}

// A proxy that fails some lookups does not lead to duplicates.
func TestRollover_FailedLookupIsRepeated(t *testing.T) {
	t.Parallel()
	faults := map[string]*fakesearch.Fault{
		"413":       fakesearch.Failed(http.StatusRequestEntityTooLarge),
		"429":       fakesearch.Busy(time.Second),
		"502":       fakesearch.HTMLPage(http.StatusBadGateway),
		"HTML page": fakesearch.HTMLPage(http.StatusOK),
		"lost":      {Cut: fakesearch.CutBeforeResponse},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			onRollingTargets(t, func(t *testing.T, s server, rt rollingTarget, o func(*elastic.Options)) {
				texts := numbered(30)
				logged := linesAt(time.Now(), texts...)
				for range 3 {
					var lookups atomic.Int32
					s.SetFault(func(r *http.Request) *fakesearch.Fault {
						if lookup := strings.Contains(r.URL.Path, "_settings") || strings.Contains(r.URL.Path, "_mget"); lookup && lookups.Add(1)%3 == 1 {
							return fault
						}
						return nil
					})
					r := start(t, s, o)
					r.write(t, logged)
					r.close(t)
					same(t, s.messages(), texts)
					time.Sleep(time.Minute)
					s.RollOver(rt.dataset())
				}
			})
		})
	}
}
