package elastic_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

func TestSink_DeliversEachLineOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch9})
		r := start(t, s)
		texts := numbered(12_000)
		r.write(t, lines(texts...))
		r.close(t)
		same(t, s.messages(), texts)
		same(t, s.Indices(), []string{"logs-ktail-default"})
		r.status(t, elastic.Status{Delivered: 12_000})
		if c := s.Counts(); c.Bulks > 3 || c.Gzipped != c.Bulks {
			t.Errorf("delivery took %d bulks, %d of them compressed", c.Bulks, c.Gzipped)
		}
	})
}

// A second run over the same lines finds them already indexed.
func TestSecondRun_FindsLinesPresent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		all := lines("a", "b", "b", "c")
		all[2].Time = all[1].Time // b occurs twice at the same time
		for _, present := range []int64{0, 4} {
			r := start(t, s)
			r.write(t, all)
			r.close(t)
			r.status(t, elastic.Status{Delivered: 4, Present: present})
		}
		same(t, s.messages(), []string{"a", "b", "b", "c"})
	})
}

// While the server is unreachable, lines wait. The outage and the recovery are reported
// once each, and the server is detected again.
func TestOutage_BuffersAndReportsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		r := start(t, s)
		r.write(t, lines("before"))
		time.Sleep(5 * time.Second)
		s.Down()
		r.write(t, lines(numbered(1000)...))
		time.Sleep(time.Minute)
		// Responses of a proxy in between are not reported.
		s.SetFault(func(*http.Request) *fakesearch.Fault { return fakesearch.HTMLPage(http.StatusBadGateway) })
		s.Up()
		time.Sleep(time.Minute)
		s.Down()
		time.Sleep(time.Minute)
		r.status(t, elastic.Status{Delivered: 1, Waiting: 1000})
		s.SetFault(nil)
		s.Up()
		time.Sleep(time.Minute)
		r.status(t, elastic.Status{Delivered: 1001})
		r.close(t)
		if got, want := r.events.kinds(), []elastic.EventKind{elastic.Unreachable, elastic.Busy, elastic.Recovered}; !slices.Equal(got, want) {
			t.Errorf("reported %v, want %v: %s", got, want, r.events.text())
		}
		if n := s.Counts().Infos; n < 2 {
			t.Errorf("%d detection requests, want one more after the outage", n)
		}
	})
}

// A frozen server does not block the program forever, and receives no duplicates after
// it continues.
func TestFrozenServer_DoesNotBlockOrDuplicate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		r := start(t, s)
		r.write(t, lines("a"))
		time.Sleep(time.Minute)
		thaw := time.Now().Add(3 * time.Minute)
		s.SetFault(func(*http.Request) *fakesearch.Fault { return &fakesearch.Fault{Delay: time.Until(thaw)} })
		r.write(t, lines("a", "b", "c")[1:])
		time.Sleep(5 * time.Minute)
		r.status(t, elastic.Status{Delivered: 3, Present: 2}) // stored while frozen; the response was too late
		r.close(t)
		same(t, s.messages(), []string{"a", "b", "c"})
	})
}

// Lines that cannot be delivered at the end are reported as an error.
func TestClose_ReportsUndelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.Down()
		r := start(t, s, func(o *elastic.Options) { o.ShutdownTimeout = 10 * time.Second })
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

// Settled is called for a bulk only after all earlier bulks.
func TestSettled_IsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(n int, _ *http.Request) *fakesearch.Fault {
			if n == 1 {
				return &fakesearch.Fault{Delay: 20 * time.Second}
			}
			return nil
		})
		var settled atomic.Int64
		r := start(t, s, func(o *elastic.Options) {
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
		if st := r.Status(); settled.Load() != 0 || st.Delivered != 1 {
			t.Errorf("settled %d lines, of %d delivered, before the first", settled.Load(), st.Delivered)
		}
		time.Sleep(20 * time.Second)
		if settled.Load() != 3 {
			t.Errorf("settled %d lines, want 3", settled.Load())
		}
		r.close(t)
	})
}

// The queue is bounded: Write waits, or the oldest lines are dropped.
func TestQueue_IsBounded(t *testing.T) {
	t.Parallel()
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprint("drop ", drop), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{})
				s.Down()
				r := start(t, s, elastic.WithQueueSize(smallQueue), func(o *elastic.Options) { o.DropOldest = drop })
				fill(t, s, r, drop, 0)
			})
		})
	}
}

// smallQueue is the size of a queue that fill fills: a tenth of the real one.
const smallQueue = 300 << 10

// fill writes more lines than the buffer holds while the server is unreachable.
// Afterwards no line may be missing, except those that were dropped and counted.
func fill(t *testing.T, s server, r *run, drop bool, pause time.Duration) {
	t.Helper()
	const n = 24
	done := make(chan struct{})
	var written atomic.Int64
	go func() {
		defer close(done)
		for i := range n {
			l := lines(noise(i, 70_000))
			l[0].Time += int64(i)
			r.write(t, l)
			written.Add(1)
			time.Sleep(pause)
		}
	}()
	time.Sleep(5 * time.Minute)
	want := elastic.Full
	if drop {
		want = elastic.Dropping
	}
	if blocked := written.Load() < n; blocked == drop || !slices.Contains(r.events.kinds(), want) {
		t.Errorf("wrote %d of %d lines, reported %v", written.Load(), n, r.events.kinds())
	}
	s.Up()
	<-done
	err := r.Close(t.Context())
	st := r.Status()
	if drop && (err == nil || st.Dropped == 0) || !drop && (err != nil || st.Dropped != 0) || st.Delivered+st.Dropped != n {
		t.Errorf("close returns %v, status is %+v", err, st)
	}
	if got := len(s.documents()); int64(got) != st.Delivered {
		t.Errorf("%d documents, status is %+v", got, st)
	}
}

// noise returns n bytes of text that hardly compress.
func noise(seed, n int) string {
	b := make([]byte, n*3/4)
	rand.NewChaCha8([32]byte{byte(seed)}).Read(b) //nolint:errcheck // Read never fails
	return base64.StdEncoding.EncodeToString(b)
}
