package tail_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// Counts never step back while the parts of a run follow each other.
func TestPart_CountsForTheWholeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole := &tail.Tailer{Sink: &sink{}, Once: true}
		for n := range 2 {
			s := newStream("a")
			part := whole.Part()
			part.Watchers = []ktail.Watcher{once(&source{stream: s, read: func(_ context.Context, try int, _ ktail.Position, emit func([]ktail.Line) error) error {
				if active := whole.Status().Active; active != 1 {
					t.Errorf("%d streams are active", active)
				}
				if try == 0 {
					return errors.New("broken")
				}
				return emit(lines(s, 0, "one", "two"))
			}})}
			if err := part.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := int64(n + 1)
			if got := whole.Status(); got != (tail.Status{Lines: 2 * want, Resumes: want}) || part.Status() != got {
				t.Errorf("after part %d, the status is %+v, and that of the part %+v", want, got, part.Status())
			}
		}
	})
}

// A new option must not be lost.
func TestPart_HasAllOptions(t *testing.T) {
	whole := &tail.Tailer{
		Watchers: []ktail.Watcher{once()}, Sink: &sink{}, Filters: []ktail.Filter{nil}, GapFilter: func(*ktail.Line) bool { return true },
		Once: true, MergeWindow: 1, MaxStreams: 1, Positions: []*tail.Positions{nil}, Start: func(ktail.Key) ktail.Position { return ktail.Position{} },
		CloseTimeout: 1, OnEvent: func(tail.Event) {},
	}
	part, typ := reflect.ValueOf(whole.Part()).Elem(), reflect.TypeFor[tail.Tailer]()
	for i := range typ.NumField() {
		if f := typ.Field(i); f.IsExported() && part.Field(i).IsZero() {
			t.Errorf("a part has no %s", f.Name)
		}
	}
}
