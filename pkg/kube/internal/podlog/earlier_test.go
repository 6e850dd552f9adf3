package podlog

import (
	"context"
	"io"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/ktail/ktail/pkg/ktail"
)

// restartingNode restarts the container after its log was opened for the first time.
type restartingNode struct {
	node
	next   node
	opened bool
}

func (n *restartingNode) OpenLog(ctx context.Context, q url.Values) (io.ReadCloser, error) {
	body, err := n.node.OpenLog(ctx, q)
	if !n.opened {
		n.opened, n.node = true, n.next
	}
	return body, err
}

func TestSource_PreviousShowsEachLineOnce(t *testing.T) {
	before, now := []string{"01 a", "02 b"}, []string{"05 c", "06 d"}
	tests := []struct {
		name string
		node restartingNode
		want []string
	}{
		{"restarted before", restartingNode{opened: true, node: node{state: running(1), log: now, previous: before}},
			[]string{"01 a", "02 b", "- Error", "+", "05 c", "06 d"}},
		{"never restarted", restartingNode{opened: true, node: node{state: State{Known: true, Running: true}, log: now}},
			[]string{"05 c", "06 d"}},
		{"the clock was set back", restartingNode{opened: true, node: node{state: running(1), log: before, previous: now}},
			[]string{"05 c", "06 d", "- Error", "+", "01 a", "02 b"}},
		{"the kubelet has removed the log", restartingNode{opened: true, node: node{state: running(1), log: now, previous: []string{}}},
			[]string{"05 c", "06 d"}},
		{"restarted after the log was opened", restartingNode{
			node: node{state: running(1), log: now, previous: before},
			next: node{state: running(2), log: []string{"08 e"}, previous: now}},
			[]string{"05 c", "06 d", "- Error", "+", "08 e"}},
		{"in back-off", restartingNode{opened: true, node: node{state: exited(1), log: now, previous: now}},
			[]string{"05 c", "06 d", "- Error"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, pos := New(FromOptions), ktail.Position{}
				first := tt.node.state.Instance
				var got []string
				for range 6 {
					stream := &ktail.Stream{Pod: "web", Container: "app", Instance: first}
					s := NewSource(&tt.node, &Options{Follow: true, Tail: -1, Previous: true}, stream, log, nil)
					_ = s.Read(t.Context(), pos.Clone(), func(lines []ktail.Line) error { // it is read again anyway
						pos.Advance(lines)
						for i := range lines {
							got = append(got, show(&lines[i]))
						}
						return nil
					})
					first = tt.node.state.Instance
				}
				if !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// The options also apply to the log of the current instance if a response is cut, also
// when lines of the previous instance were delivered before its first line.
func TestSource_PreviousLimitsACutLog(t *testing.T) {
	before := []string{"01 a", "02 b", "03 c"}
	now := []string{"05 d", "06 e", "07 f", "08 g", "09 h", "10 i", "11 j", "12 k"}
	want := []string{"02 b", "03 c", "- Error", "+", "11 j", "12 k"}
	for _, follow := range []bool{false, true} {
		for cut := 1; cut < 6*50; cut++ { // cuts 50 bytes of each of six responses
			n := node{state: running(1), log: now, previous: before, cutAfter: cut / 50, cut: cut%50 + 1}
			synctest.Test(t, func(t *testing.T) {
				log, pos := New(FromOptions), ktail.Position{}
				stream := &ktail.Stream{Pod: "web", Container: "app", Instance: n.state.Instance}
				var got []string
				for range 6 {
					s := NewSource(&n, &Options{Follow: follow, Tail: 2, Previous: true}, stream, log, nil)
					err := s.Read(t.Context(), pos.Clone(), func(lines []ktail.Line) error {
						pos.Advance(lines)
						for i := range lines {
							got = append(got, show(&lines[i]))
						}
						return nil
					})
					if err == nil {
						break
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("follow %v, response %d cut after %d bytes: got %q, want %q", follow, cut/50, cut%50+1, got, want)
				}
			})
		}
	}
}
