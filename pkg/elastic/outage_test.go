package elastic_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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

func spool(dir string, size int64) func(*elastic.Options) {
	return func(o *elastic.Options) { o.Dir, o.SpoolSize = dir, size }
}

// During an outage, lines are on disk and settled. Afterwards they are delivered, and
// the disk space is released.
func TestSpool_BuffersOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dir := serve(t, fakesearch.Options{}), t.TempDir()
		var settled atomic.Int64
		r := start(t, s, spool(dir, 64<<20), func(o *elastic.Options) {
			o.Settled = func(_ ktail.Key, n int) { settled.Add(int64(n)) }
		})
		texts := numbered(5000)
		all := lines(texts...)
		for i := range 50 {
			switch i {
			case 10:
				s.Down()
			case 40:
				s.Up()
			}
			r.write(t, all[i*100:(i+1)*100])
			time.Sleep(2 * time.Second)
			if i == 39 {
				if st := r.Status(); st.Spooled < 2000 || st.Waiting > 300 || settled.Load() < 3700 {
					t.Errorf("status is %+v, settled %d", st, settled.Load())
				}
				if at := r.Status().Oldest; at.UnixNano() != all[1000].Time {
					t.Errorf("the oldest pending line is from %s, want that of the first line of the outage", at)
				}
			}
		}
		r.close(t)
		same(t, s.messages(), texts)
		if st := r.Status(); st.Delivered != 5000 || st.Spooled != 0 || st.SpoolSize != 0 || st.Waiting != 0 || settled.Load() != 5000 || !st.Oldest.IsZero() {
			t.Errorf("status is %+v, settled %d", st, settled.Load())
		}
		if got := spoolFiles(t, dir); len(got) > 0 {
			t.Errorf("%q are left", got)
		}
		if got, want := r.events.kinds(), []elastic.EventKind{elastic.Unreachable, elastic.Recovered}; !slices.Equal(got, want) {
			t.Errorf("reported %v, want %v", got, want)
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

// The next run sends the rest of the spool, and creates no duplicates, whatever was in
// flight.
func TestSpool_IsSentByNextRun(t *testing.T) {
	busy := items(func(d document) *fakesearch.Verdict {
		if m := d.message(); m[len(m)-1] < '5' {
			return nil
		}
		return &fakesearch.Verdict{Status: 429, Type: "es_rejected_execution_exception", Reason: "busy"}
	})
	faults := map[string]*fakesearch.Fault{
		"refuses connections": nil,
		"loses answers":       {Cut: fakesearch.CutBeforeResponse},
		"hangs":               {Delay: time.Hour},
		"takes some":          busy,
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dir := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3}), t.TempDir()
				s.fault(func(int, *http.Request) *fakesearch.Fault { return fault })
				if fault == nil {
					s.Down()
				}
				texts := numbered(90)
				for i := range 3 {
					r := start(t, s, spool(dir, 64<<20))
					r.write(t, lines(texts...)[i*30:(i+1)*30])
					time.Sleep(3 * time.Second)
					r.stop()
					synctest.Wait()
					err := r.Close(t.Context())
					if st := r.Status(); err != nil || st.Waiting != 0 || st.Spooled == 0 {
						t.Errorf("run %d: %v, status %+v", i, err, st)
					}
				}
				s.SetFault(nil)
				s.Up()
				r := start(t, s, spool(dir, 64<<20))
				time.Sleep(time.Minute)
				r.close(t)
				same(t, s.messages(), texts)
				checkDataStreams(t, s)
				if got := spoolFiles(t, dir); len(got) > 0 {
					t.Errorf("%q are left", got)
				}
			})
		})
	}
}

// Lines that were spooled before the server was detected go to the right target.
func TestSpool_IsConvertedForAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dir := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch64}), t.TempDir()
		s.Down()
		r := start(t, s, spool(dir, 64<<20))
		r.write(t, lines("a"))
		r.stop()
		synctest.Wait()
		if err := r.Close(t.Context()); err != nil {
			t.Errorf("everything is in the spool, and the error is %v", err)
		}
		s.Up()
		r = start(t, s, spool(dir, 64<<20))
		r.close(t)
		same(t, s.messages(), []string{"a"})
		same(t, s.Indices(), []string{daily})
		checkDataStreams(t, s)
	})
}

// A full spool makes Write wait, or drops and counts the oldest lines.
func TestSpoolFull_FollowsPolicy(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprint("drop ", drop), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{})
				s.Down()
				r := start(t, s, spool(t.TempDir(), 300<<10), elastic.WithQueueSize(smallQueue), func(o *elastic.Options) { o.DropOldest = drop })
				fill(t, s, r, drop, 2*time.Second)
			})
		})
	}
}

// If the directory cannot be written, that is reported, and lines wait in memory. When
// the memory is full, Write waits or the oldest lines are dropped, as configured.
func TestSpoolFailure_BuffersInMemory(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(fmt.Sprint("drop ", drop), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dir := serve(t, fakesearch.Options{}), t.TempDir()
				s.Down()
				r := start(t, s, spool(dir, 1<<30), elastic.WithQueueSize(smallQueue), func(o *elastic.Options) { o.DropOldest = drop })
				if err := os.RemoveAll(dir); err != nil { // root can write to any existing directory
					t.Fatal(err)
				}
				fill(t, s, r, drop, 2*time.Second)
				n := 0
				for _, kind := range r.events.kinds() {
					if kind == elastic.SpoolFailing {
						n++
					}
				}
				if n != 1 || !strings.Contains(r.events.text(), "write to spool") {
					t.Errorf("reported %d times that the spool fails: %s", n, r.events.text())
				}
			})
		})
	}
}
