package promise_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// After each of many logs has written many lines once, what is kept of a log are the
// digests of the lines delivered last and a buffer, however many lines there were.
func TestBurst_LeavesLittleMemory(t *testing.T) {
	const pods, most = 20, 18 << 10 // bytes of each log; a quiet one holds 1 KiB of them before
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{})
		for i := range 2 * pods {
			api.RunPod("default", fmt.Sprintf("web-%d", i), "app")
		}
		logs := &burstLogs{next: api.Transport(), burst: make(chan struct{})}
		config := &rest.Config{Host: api.URL()}
		config.Wrap(func(http.RoundTripper) http.RoundTripper { return logs })
		client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var lines lineCount
		tailer := &tail.Tailer{Watchers: []ktail.Watcher{watchAll(client, true)}, Sink: &lines, MergeWindow: 50 * time.Millisecond}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { _ = tailer.Run(ctx) })
		burst := func() {
			for range pods {
				logs.burst <- struct{}{} // one log after the other
				pass(time.Second)
			}
			pass(time.Minute)
		}
		pass(time.Minute)
		burst() // what the logs share has its size then
		before := heap()
		burst()
		if kept := (heap() - before) / pods; kept > most {
			t.Errorf("%d bytes are kept of each log, want at most %d", kept, most)
		}
		cancel()
		running.Wait()
		if want := int64(2 * pods * burstLines); lines.Load() != want {
			t.Errorf("%d lines were written, want %d", lines.Load(), want)
		}
	})
}

// lineCount is a sink that counts lines.
type lineCount struct{ atomic.Int64 }

// Write implements ktail.Sink.
func (c *lineCount) Write(_ context.Context, lines []ktail.Line) error {
	for i := range lines {
		if lines[i].Kind == ktail.Log {
			c.Add(1)
		}
	}
	return nil
}

// Close implements ktail.Sink.
func (c *lineCount) Close(context.Context) error { return nil }

// heap returns the size of the live heap.
func heap() int64 {
	var m runtime.MemStats
	for range 3 { // a sync.Pool keeps what it has for two collections
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// burstLines is how many lines a burstBody has.
const burstLines = 5000

// burstLogs serves logs that begin with a line, followed by a burst. Nothing of them is
// kept in memory.
type burstLogs struct {
	next  http.RoundTripper
	burst chan struct{} // starts the burst of one log
}

func (b *burstLogs) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/log") {
		return b.next.RoundTrip(r)
	}
	body := &burstBody{ctx: r.Context(), burst: b.burst, at: time.Now()}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
}

// burstBody is the body of such a log.
type burstBody struct {
	ctx   context.Context
	burst chan struct{}
	at    time.Time
	lines int
	rest  []byte
}

// Read implements io.Reader.
func (b *burstBody) Read(p []byte) (int, error) {
	if b.lines == 1 && len(b.rest) == 0 {
		select {
		case <-b.burst:
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
	if b.lines == burstLines && len(b.rest) == 0 {
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	if len(b.rest) == 0 {
		n := 1
		if b.lines > 0 {
			n = min(100, burstLines-b.lines)
		}
		for range n {
			b.rest = fmt.Appendf(b.rest, "%s line %d\n", b.at.Add(time.Duration(b.lines)).UTC().Format("2006-01-02T15:04:05.000000000Z07:00"), b.lines)
			b.lines++
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	if len(b.rest) == 0 {
		b.rest = nil
	}
	return n, nil
}
