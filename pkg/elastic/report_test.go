package elastic_test

import (
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// A problem of the buffer or the spool is reported at once, and again every ten minutes
// with its count, as long as it lasts.
func TestBufferProblems_AreReportedEveryTenMinutes(t *testing.T) {
	tests := []struct {
		name   string
		kind   elastic.EventKind
		drop   bool
		broken bool // the spool cannot be written
	}{
		{"full", elastic.Full, false, false},
		{"dropping", elastic.Dropping, true, false},
		{"spool failing", elastic.SpoolFailing, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, dir := serve(t, fakesearch.Options{}), t.TempDir()
				s.Down()
				r := start(t, s, elastic.WithQueueSize(smallQueue), func(o *elastic.Options) {
					o.DropOldest = tt.drop
					if tt.broken {
						spool(dir, 1<<30)(o)
					}
				})
				if err := os.RemoveAll(dir); err != nil { // root can write to any existing directory
					t.Fatal(err)
				}
				go func() {
					for i := range 400 { // 33 minutes
						l := lines(noise(i, 70_000))
						l[0].Time += int64(i)
						if r.Write(t.Context(), l) != nil {
							return
						}
						time.Sleep(5 * time.Second)
					}
				}()
				time.Sleep(32 * time.Minute)
				var got []elastic.Event
				for _, e := range r.events.events() {
					if e.Kind == tt.kind {
						got = append(got, e)
					}
				}
				if len(got) < 3 || len(got) > 4 {
					t.Fatalf("%d reports in 32 minutes, want one at once and one every ten minutes: %+v", len(got), got)
				}
				if got[0].Count != 0 || got[1].Count == 0 || got[2].Count < got[1].Count {
					t.Errorf("counts are wrong: %+v", got)
				}
				if d := got[2].Lasted - got[1].Lasted; d < 10*time.Minute || d > 11*time.Minute {
					t.Errorf("the second and the third report are %s apart", d)
				}
				s.Up()
				time.Sleep(10 * time.Minute)
				before := len(r.events.kinds())
				time.Sleep(time.Hour)
				if kinds := r.events.kinds()[before:]; slices.Contains(kinds, tt.kind) {
					t.Errorf("reported after the end of the problem: %v", kinds)
				}
				_ = r.Close(t.Context()) // dropped lines are an error
			})
		})
	}
}
