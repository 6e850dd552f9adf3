package podlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/ktail"
)

// node is a scripted API: the current state of a container, and its logs.
type node struct {
	state    State
	log      []string
	previous []string // nil if there is none
	cut      int      // length to which the next response is cut; 0: not cut
	cutAfter int      // responses before the one that is cut
	closed   string   // request to which the server closes the connection: previous or state
	failure  error    // of each request for a log; may be nil
}

// minuteAfter is the age of all lines on the node's clock, in seconds, at least.
const minuteAfter = 60

// errClosed is the error of net/http for a connection that was closed before a response.
var errClosed = &url.Error{Op: "Get", URL: "https://api", Err: io.EOF}

func (n *node) Container(context.Context) (State, error) {
	if n.closed == "state" {
		return State{}, errClosed
	}
	return n.state, nil
}

func (n *node) Files(context.Context) Files { return nil }

func (n *node) OpenLog(_ context.Context, q url.Values) (io.ReadCloser, error) {
	lines := n.log
	switch {
	case n.failure != nil:
		return nil, n.failure
	case n.closed == "previous" && q.Get("previous") != "":
		return nil, errClosed
	case q.Get("previous") != "" && n.previous == nil:
		return nil, apierrors.NewBadRequest("previous terminated container not found")
	case q.Get("previous") != "":
		lines = n.previous
	case n.log == nil:
		return nil, apierrors.NewBadRequest("container is waiting to start")
	}
	if since, err := strconv.Atoi(q.Get("sinceSeconds")); err == nil && since < minuteAfter {
		lines = nil
	}
	if tail, err := strconv.Atoi(q.Get("tailLines")); err == nil {
		lines = lines[max(0, len(lines)-tail):]
	}
	var body bytes.Buffer
	for _, text := range lines {
		// The text begins with its second.
		fmt.Fprintf(&body, "2026-01-31T10:00:%sZ %s\n", text[:2], text)
	}
	if n.cut > 0 {
		if n.cutAfter == 0 {
			body.Truncate(min(n.cut, body.Len()))
			n.cut = 0
		}
		n.cutAfter--
	}
	return io.NopCloser(&body), nil
}

// show returns what a user sees of a line.
func show(l *ktail.Line) string {
	switch l.Kind {
	case ktail.Exit:
		return strings.TrimSpace("- " + string(l.Text))
	case ktail.Restart:
		return "+"
	case ktail.Gap:
		return "gap"
	}
	return string(l.Text)
}

func running(restarts int) State {
	return State{Known: true, Running: true, Instance: ktail.Instance{ID: fmt.Sprint(restarts), Restarts: restarts}, Before: "Error"}
}

func exited(restarts int) State {
	return State{Known: true, Instance: ktail.Instance{ID: fmt.Sprint(restarts), Restarts: restarts}, Reason: "Error"}
}

func finished() State {
	s := exited(0)
	s.Finished = true
	return s
}

// growingNode appends ten lines before each response, so that no response reaches the end of
// the log.
type growingNode struct{ node }

func (n *growingNode) OpenLog(ctx context.Context, q url.Values) (io.ReadCloser, error) {
	for range 10 {
		n.log = append(n.log, fmt.Sprintf("%02d %d", min(len(n.log), 59), len(n.log)))
	}
	return n.node.OpenLog(ctx, q)
}

// A log that grows while its end is being confirmed has not broken off.
func TestSource_GrowingLogIsUnconfirmed(t *testing.T) {
	for _, tail := range []int64{-1, 1, 20} {
		synctest.Test(t, func(t *testing.T) {
			log, pos := New(FromOptions), ktail.Position{}
			n := growingNode{node: node{state: running(0)}}
			s := NewSource(&n, &Options{Tail: tail}, &ktail.Stream{Pod: "web", Container: "app"}, log, nil)
			for range 10 {
				err := s.Read(t.Context(), pos.Clone(), func(lines []ktail.Line) error {
					pos.Advance(lines)
					return nil
				})
				if err == nil {
					return
				}
				if !errors.Is(err, ktail.ErrUnconfirmed) {
					t.Fatalf("--tail %d: %v, want ErrUnconfirmed", tail, err)
				}
			}
			t.Errorf("--tail %d: the read does not end", tail)
		})
	}
}

// Each case is a sequence of reads. The container changes before each of them.
// What a read emits and returns follows from the state that the previous read
// left.
func TestLog_EachReadContinuesThePreviousOne(t *testing.T) {
	type read struct {
		node node
		want []string
		err  error
	}
	one := []string{"01 a", "02 b"}
	first := read{node{state: running(0), log: one}, []string{"01 a", "02 b"}, ktail.ErrInterrupted}
	end := read{node{state: exited(0), log: one}, []string{"- Error"}, ktail.ErrWaiting}
	tests := []struct {
		name  string
		reads []read
	}{
		{"instance → reading", []read{first}},
		{"reading → reading", []read{first,
			{node{state: running(0), log: append(one[:2:2], "03 c")}, []string{"03 c"}, ktail.ErrInterrupted}}},
		{"reading → confirmed end", []read{first, end}},
		{"reading → end of the stream", []read{first,
			{node{state: finished(), log: append(one[:2:2], "03 c")}, []string{"03 c", "- Error"}, nil}}},
		{"a response that is cut short confirms no end", []read{first,
			{node{state: finished(), log: append(one[:2:2], "03 c", "04 d"), cut: 75}, nil, ktail.ErrInterrupted},
			{node{state: finished(), log: append(one[:2:2], "03 c", "04 d")}, []string{"03 c", "04 d", "- Error"}, nil}}},
		{"confirmed end → confirmed end", []read{first, end, {end.node, nil, ktail.ErrWaiting}}},
		{"confirmed end → next instance", []read{first, end,
			{node{state: running(1), log: []string{"05 e"}, previous: one}, []string{"+", "05 e"}, ktail.ErrInterrupted}}},
		{"reading → next instance", []read{first,
			{node{state: running(1), log: []string{"05 e"}, previous: append(one[:2:2], "03 c")},
				[]string{"03 c", "- Error", "+", "05 e"}, ktail.ErrInterrupted}}},
		{"reading → an instance after others, whose logs are gone", []read{first,
			{node{state: running(3), log: []string{"05 e"}, previous: []string{"04 d"}},
				[]string{"gap", "04 d", "- Error", "+", "05 e"}, ktail.ErrInterrupted}}},
		{"reading → the log was rotated", []read{first,
			{node{state: running(0), log: []string{"05 e"}}, []string{"gap", "05 e"}, ktail.ErrInterrupted}}},
		{"reading → the pod is gone", []read{first,
			{node{state: State{Gone: true, Reason: "deleted"}, log: append(one[:2:2], "03 c")}, []string{"03 c", "- deleted"}, ktail.ErrGone}}},
		{"the pod is gone → reading", []read{first,
			{node{state: State{Gone: true, Reason: "deleted"}, log: one}, []string{"- deleted"}, ktail.ErrGone},
			{node{state: State{Gone: true, Reason: "deleted"}, log: one}, nil, ktail.ErrGone},
			{node{state: running(0), log: append(one[:2:2], "03 c")}, []string{"+", "03 c"}, ktail.ErrInterrupted}}},
		{"reading → waiting to start", []read{first,
			{node{state: State{Known: true, Instance: ktail.Instance{ID: "0"}}}, nil, ktail.ErrWaiting}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, pos := New(FromOptions), ktail.Position{}
				for i, r := range tt.reads {
					stream := &ktail.Stream{Pod: "web", Container: "app", Instance: r.node.state.Instance}
					s := NewSource(&r.node, &Options{Follow: true, Tail: -1}, stream, log, nil)
					var got []string
					err := s.Read(t.Context(), pos.Clone(), func(lines []ktail.Line) error {
						pos.Advance(lines)
						for i := range lines {
							got = append(got, show(&lines[i]))
						}
						return nil
					})
					if !slices.Equal(got, r.want) || !errors.Is(err, r.err) {
						t.Fatalf("read %d emits %q and returns %v, want %q and %v", i, got, err, r.want, r.err)
					}
				}
			})
		})
	}
}

// A connection that is closed instead of a response is not the end of a response.
func TestLog_ClosedConnectionIsNoEndOfAResponse(t *testing.T) {
	for _, request := range []string{"previous", "state"} {
		t.Run(request, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log, pos := New(FromOptions), ktail.Position{}
				var got []string
				read := func(n node) error {
					s := NewSource(&n, &Options{Follow: true, Tail: -1}, &ktail.Stream{Instance: n.state.Instance}, log, nil)
					return s.Read(t.Context(), pos.Clone(), func(lines []ktail.Line) error {
						pos.Advance(lines)
						for i := range lines {
							got = append(got, show(&lines[i]))
						}
						return nil
					})
				}
				one := []string{"01 a", "02 b"}
				next := node{state: running(1), log: []string{"05 e"}, previous: append(one[:2:2], "03 c")}
				broken := next
				broken.closed = request
				_ = read(node{state: running(0), log: one})
				if err := read(broken); err == nil || errors.Is(err, io.EOF) {
					t.Errorf("the read returns %v", err)
				}
				_ = read(next)
				if want := []string{"01 a", "02 b", "03 c", "- Error", "+", "05 e"}; !slices.Equal(got, want) {
					t.Errorf("got %q, want %q", got, want)
				}
			})
		})
	}
}

// An error that is not the end of a response keeps what it says about retries: a credential
// plugin, for example, may fail with this cause.
func TestLog_ErrorWithoutEOFKeepsItsQualification(t *testing.T) {
	shared := &ktail.ReadError{Err: fmt.Errorf("get credentials: %w", io.EOF), RetryAfter: time.Minute, Shared: true}
	n := node{state: running(0), log: []string{"01 a"}, failure: shared}
	s := NewSource(&n, &Options{Follow: true, Tail: -1}, &ktail.Stream{Instance: n.state.Instance}, New(FromOptions), nil)
	err := s.Read(t.Context(), ktail.Position{}, func([]ktail.Line) error { return nil })
	if got, ok := errors.AsType[*ktail.ReadError](err); !ok || got != shared || !errors.Is(err, error(shared)) || errors.Is(err, io.EOF) {
		t.Errorf("the read returns %v, %+v, want %+v", err, got, shared)
	}
}

// A caller that drops what a broken read has emitted, and starts over, gets all lines.
func TestLog_StartingOverIncludesThePreviousInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := node{state: running(1), log: []string{"05 e", "06 f"}, previous: []string{"01 a", "02 b"}, cut: 30}
		log := New(FromOptions)
		for try := range 10 {
			s := NewSource(&n, &Options{Tail: -1, Previous: true}, &ktail.Stream{Instance: n.state.Instance}, log, nil)
			var got []string
			err := s.Read(t.Context(), ktail.Position{}, func(lines []ktail.Line) error {
				for i := range lines {
					got = append(got, show(&lines[i]))
				}
				return nil
			})
			if err != nil {
				continue
			}
			if try == 0 {
				t.Error("the first read has not failed")
			}
			if want := []string{"01 a", "02 b", "- Error", "+", "05 e", "06 f"}; !slices.Equal(got, want) {
				t.Errorf("emits %q, want %q", got, want)
			}
			return
		}
		t.Error("no read has succeeded")
	})
}

// askedNode records the parameters of the last log request.
type askedNode struct {
	node
	asked url.Values
}

func (n *askedNode) OpenLog(ctx context.Context, q url.Values) (io.ReadCloser, error) {
	n.asked = q
	return n.node.OpenLog(ctx, q)
}

// The oldest wanted line is the same if the log is opened an hour late, because the API
// server or the node was unreachable, or because the pod was not selected.
func TestSource_SinceTimeIsFixed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		options := Options{Follow: true, Tail: -1, SinceTime: time.Now()}
		n := askedNode{node: node{state: running(0), log: []string{}}}
		s := NewSource(&n, &options, &ktail.Stream{}, New(FromOptions), nil)
		for hours := 1; hours <= 3; hours++ { // the log is empty, so each read starts over
			time.Sleep(time.Hour)
			_ = s.Read(t.Context(), ktail.Position{}, func([]ktail.Line) error { return nil })
			least := hours * 3600
			if since, err := strconv.Atoi(n.asked.Get("sinceSeconds")); err != nil || since < least || since > least+100 {
				t.Errorf("after %d hours, the request is %v", hours, n.asked)
			}
		}
	})
}

// cutNode cuts the first responses with the log of the previous instance at the same byte.
type cutNode struct {
	node
	cuts int
}

func (n *cutNode) OpenLog(ctx context.Context, q url.Values) (io.ReadCloser, error) {
	body, err := n.node.OpenLog(ctx, q)
	const withinTime = 15
	if q.Get("previous") != "" && n.cuts > 0 {
		n.cuts--
		return io.NopCloser(io.LimitReader(body, withinTime)), err
	}
	return body, err
}

// Two responses that end at the same byte show the end of a previous log, but not if that
// byte is within a timestamp.
func TestLog_PreviousLogDoesNotEndWithinATimestamp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := cutNode{node{state: running(1), log: []string{"05 e"}, previous: []string{"01 a", "02 b"}}, 3}
		var got []string
		s := NewSource(&n, &Options{Tail: -1, Previous: true}, &ktail.Stream{Instance: n.state.Instance}, New(FromOptions), nil)
		err := s.Read(t.Context(), ktail.Position{}, func(lines []ktail.Line) error {
			for i := range lines {
				got = append(got, show(&lines[i]))
			}
			return nil
		})
		if want := []string{"01 a", "02 b", "- Error", "+", "05 e"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("emits %q and returns %v, want %q", got, err, want)
		}
	})
}
