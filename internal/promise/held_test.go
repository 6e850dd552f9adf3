package promise_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
)

// heldBack is a log that is rotated every ten seconds, while the output keeps ktail, and
// therefore the kubelet, waiting.
type heldBack struct {
	*run
	c    *fakeapi.Container
	file []string
}

// write writes five lines a second for so many seconds.
func (h *heldBack) write(seconds int) {
	for range 5 * seconds {
		if len(h.file)%50 == 0 && len(h.file) > 0 {
			h.c.Rotate()
		}
		h.file = append(h.file, fmt.Sprintf("line %d %s", len(h.file), strings.Repeat("x", 200_000)))
		h.c.Log(h.file[len(h.file)-1])
		pass(200 * time.Millisecond)
	}
}

// A kubelet that had to wait skips files of the log and repeats others. What it has skipped
// is reported, and nothing is written twice.
func TestKubeletHeldBack_LosesNothingSilently(t *testing.T) {
	for _, tt := range []struct {
		name string
		slow func(*heldBack)
		lost bool
	}{
		{"not at all", func(h *heldBack) { h.write(60) }, false},
		{"for less than a rotation", func(h *heldBack) { h.block(); h.write(8); h.unblock() }, false},
		{"while the container pauses", func(h *heldBack) { h.block(); h.write(2); pass(5 * time.Second); h.write(2); h.unblock() }, false},
		{"while the container pauses before a rotation", func(h *heldBack) { h.block(); h.write(4); pass(5 * time.Second); h.write(3); h.unblock() }, false},
		{"while the container pauses and the log is rotated", func(h *heldBack) { h.block(); h.write(5); pass(5 * time.Second); h.write(3); h.unblock() }, false},
		{"by one long pause", func(h *heldBack) { h.block(); h.write(45); h.unblock() }, true},
		{"by several pauses", func(h *heldBack) {
			for range 3 {
				h.block()
				h.write(25)
				h.unblock()
				h.write(15)
			}
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{QueueRotations: true})
				c := api.RunPod("default", "web", "app").Container("app")
				h := &heldBack{run: followAll(t, connect(t, api)), c: c}
				h.write(5)
				tt.slow(h)
				h.write(15)
				pass(time.Minute)
				(&scheduler{run: h.run}).wantsNothingSilent(t, h.file)
				if got := len(h.lines) < len(h.file); got != tt.lost {
					t.Errorf("%d of %d lines, %d gaps; lost: %v, want %v", len(h.lines), len(h.file), len(h.gaps), got, tt.lost)
				}
				if last := h.lines[len(h.lines)-1]; last != h.file[len(h.file)-1] {
					t.Errorf("the last line was not written")
				}
			})
		})
	}
}

// If a pod is deleted while its log is read late, the rest cannot be read any more. That is
// reported.
func TestDeletedPod_UnreadEndIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{QueueRotations: true})
		pod := api.RunPod("default", "web", "app")
		h := &heldBack{run: followAll(t, connect(t, api)), c: pod.Container("app")}
		h.write(5)
		h.block()
		h.write(30)
		pod.Remove()
		api.CutAll(true)
		h.unblock()
		pass(time.Minute)
		(&scheduler{run: h.run}).wantsNothingSilent(t, h.file)
		if len(h.gaps) != 1 || !strings.Contains(string(h.gaps[0].Text), "deleted") {
			t.Fatalf("gaps: %v", h.gaps)
		}
		if last := h.screen[len(h.screen)-1]; last != "- deleted" {
			t.Errorf("the last line on the screen is %.40q", last)
		}
	})
}

// FuzzHeldBack checks that whatever pace the output takes, each line is written once and in
// order, and what is missing is within a reported gap.
//
// The fuzzer writes a schedule, two bytes a step: how fast the container writes and how fast
// the output takes lines, and for how long.
func FuzzHeldBack(f *testing.F) {
	f.Add([]byte("\x04nW<\x0e?0\x12\x038\x04v"))              // the newest file has one line when it is repeated
	f.Add([]byte("w\x1c\x14lG<4\x14gr38\x18+"))               // waits before it has read what was there
	f.Add([]byte("\x02\x50\x07\x50\x00\x10\x04\x40\x05\x20")) // slower and slower
	f.Fuzz(func(t *testing.T, schedule []byte) {
		const most = 15 // steps
		synctest.Test(t, func(t *testing.T) {
			n := newPaced(t)
			n.write(100*time.Millisecond, 10)
			for i := 0; i+1 < min(len(schedule), 2*most); i += 2 {
				n.step(schedule[i], int(schedule[i+1])%120)
			}
			n.run.pace.Store(0)
			n.write(time.Second, 20)
			pass(2 * time.Minute)
			n.check(t)
		})
	})
}

// paced is a log whose lines are written and taken at changing paces.
type paced struct {
	*run
	c       *fakeapi.Container
	file    []string
	times   map[string]int64
	size    int       // bytes in the newest file
	rotated time.Time // the kubelet checked the size last
}

func newPaced(t *testing.T) *paced {
	api := newServer(t, fakeapi.Options{QueueRotations: true})
	c := api.RunPod("default", "web", "app").Container("app")
	client := connectThrough(t, api, buffering{api.Transport()})
	return &paced{run: followAll(t, client), c: c, times: map[string]int64{}, rotated: time.Now()}
}

func (n *paced) step(what byte, how int) {
	paces := []time.Duration{0, time.Millisecond, 100 * time.Millisecond, time.Second, 10 * time.Second}
	n.run.pace.Store(int64(paces[int(what)%len(paces)]))
	rates := []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, time.Second}
	n.write(rates[int(what)/len(paces)%len(rates)], how)
}

// write writes lines at this interval. The kubelet checks the size of the file every three
// seconds, as in the test cluster.
func (n *paced) write(interval time.Duration, lines int) {
	for range lines {
		if time.Since(n.rotated) >= 3*time.Second {
			n.rotated = time.Now()
			if n.size > 1<<20 {
				n.c.Rotate()
				n.size = 0
			}
		}
		text := fmt.Sprintf("line %d %s", len(n.file), strings.Repeat("x", 100_000))
		n.size += len(text)
		n.file = append(n.file, text)
		n.times[text] = time.Now().UnixNano()
		n.c.Log(text)
		pass(interval)
	}
}

// check fails the test unless the lines are lines of the log, in order, and a gap covers each
// run of missing lines.
func (n *paced) check(t *testing.T) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	next := 0
	for i, text := range append(n.lines, "") {
		from := next
		for next < len(n.file) && n.file[next] != text {
			next++
		}
		if next == len(n.file) && text != "" {
			t.Fatalf("line %d, %.12q, is duplicated or out of order", i, text)
		}
		if next > from && !n.isReported(from, next) {
			t.Errorf("lines %d to %d of %d are missing; gaps:", from, next-1, len(n.file))
			for _, g := range n.gaps {
				t.Logf("from %v to %v: %s", time.Unix(0, g.Since), time.Unix(0, g.Time), g.Text)
			}
		}
		next++
	}
}

// isReported reports whether a gap covers the lines from one to before another one.
func (n *paced) isReported(from, before int) bool {
	return from > 0 && slices.ContainsFunc(n.gaps, func(g ktail.Line) bool {
		return g.Since <= n.times[n.file[from-1]] && (g.Time == 0 || before < len(n.file) && g.Time >= n.times[n.file[before]])
	})
}

// buffering is a transport with buffers for about a megabyte of each response, like those of
// the connections between a kubelet and ktail.
type buffering struct{ http.RoundTripper }

func (b buffering) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = newBufferedBody(resp.Body)
	}
	return resp, err
}

type bufferedBody struct {
	io.ReadCloser
	chunks chan []byte
	err    error // why they end
	rest   []byte
	closed chan struct{}
}

func newBufferedBody(body io.ReadCloser) *bufferedBody {
	b := &bufferedBody{ReadCloser: body, chunks: make(chan []byte, 40), closed: make(chan struct{})}
	go func() {
		defer close(b.chunks)
		for b.err == nil {
			chunk := make([]byte, 32<<10)
			var n int
			n, b.err = b.ReadCloser.Read(chunk)
			select {
			case b.chunks <- chunk[:n]:
			case <-b.closed:
				return
			}
		}
	}()
	return b
}

func (b *bufferedBody) Close() error {
	close(b.closed)
	return b.ReadCloser.Close()
}

func (b *bufferedBody) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		chunk, ok := <-b.chunks
		if !ok {
			return 0, b.err
		}
		b.rest = chunk
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}
