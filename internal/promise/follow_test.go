package promise_test

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

func TestMain(m *testing.M) {
	klog.SetLogger(logr.Discard()) // as cmd/ktail does
	m.Run()
}

// newServer returns a server on the bubble's clock, which ends with the test.
func newServer(t testing.TB, opts fakeapi.Options) *fakeapi.Server {
	api := fakeapi.New(opts)
	t.Cleanup(api.Close)
	return api
}

// connect returns a client whose requests reach the server without a network.
func connect(t testing.TB, api *fakeapi.Server) *kube.Client {
	t.Helper()
	return connectThrough(t, api, api.Transport())
}

// connectThrough returns a client whose requests go through the transport.
func connectThrough(t testing.TB, api *fakeapi.Server, transport http.RoundTripper) *kube.Client {
	t.Helper()
	config := &rest.Config{Host: api.URL()}
	config.Wrap(func(http.RoundTripper) http.RoundTripper { return transport })
	client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// run is a run of ktail and its results so far. It is also the sink.
type run struct {
	stop      func() error // ends the run and returns the error of Run
	positions *tail.Positions
	writing   chan struct{} // capacity 1; full while a batch is written, and while the output is blocked
	pace      atomic.Int64  // how long the output takes for a line, in nanoseconds

	mu          sync.Mutex
	lines       []string                    // of the logs
	keys        map[ktail.Key]*ktail.Stream // of these, as the last line describes them
	gaps        []ktail.Line
	diagnostics []string
	warnings    []string
	events      []tail.Event
	screen      []string // lines, starts, and exits, in order
	terminated  int      // exits of instances that have ended
}

// followAll follows every pod of the namespace, as ktail does without flags.
func followAll(t testing.TB, client *kube.Client) *run {
	return follow(t, watchAll(client, true))
}

// watchAll finds every pod of the namespace.
func watchAll(client *kube.Client, follow bool) *kube.Watcher {
	return &kube.Watcher{
		Client: client, Selection: kube.Selection{Namespaces: []string{"default"}},
		Options: kube.LogOptions{Follow: follow, Tail: -1},
	}
}

// follow runs the engine until the test ends.
func follow(t testing.TB, w *kube.Watcher) *run { return resume(t, w, nil) }

// resume runs the engine with positions. Each line is settled when it is
// written.
func resume(t testing.TB, w *kube.Watcher, positions *tail.Positions) *run {
	return start(t, w, positions, 0)
}

// followAtMost is follow with a limit on the logs that are read at a time.
func followAtMost(t testing.TB, w *kube.Watcher, limit int) *run { return start(t, w, nil, limit) }

// start runs the engine until the test ends.
func start(t testing.TB, w *kube.Watcher, positions *tail.Positions, limit int) *run {
	r := &run{positions: positions, writing: make(chan struct{}, 1), keys: map[ktail.Key]*ktail.Stream{}}
	w.Warn = func(err error) { r.add(func() { r.warnings = append(r.warnings, err.Error()) }) }
	window := 100 * time.Millisecond
	if !w.Options.Follow {
		window = -1 // as cmd/ktail does
	}
	tailer := &tail.Tailer{
		Watchers: []ktail.Watcher{w}, Sink: r, Once: !w.Options.Follow, MergeWindow: window,
		MaxStreams: limit,
		OnEvent: func(e tail.Event) {
			r.add(func() {
				r.events = append(r.events, e)
				if e.Kind == tail.Started {
					r.screen = append(r.screen, "+")
				}
			})
		},
	}
	if positions != nil {
		tailer.Positions = []*tail.Positions{positions}
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- tailer.Run(ctx) }()
	r.stop = sync.OnceValue(func() error {
		if w.Options.Follow {
			cancel()
		}
		err := <-result
		cancel()
		return err
	})
	t.Cleanup(func() { _ = r.stop() })
	return r
}

func (r *run) add(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// block blocks the output until unblock.
func (r *run) block()   { r.writing <- struct{}{} }
func (r *run) unblock() { <-r.writing }

func (r *run) Write(_ context.Context, lines []ktail.Line) error {
	r.block()
	defer r.unblock()
	time.Sleep(time.Duration(r.pace.Load()) * time.Duration(len(lines)))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range lines {
		switch l.Kind {
		case ktail.Log:
			r.lines = append(r.lines, string(l.Text))
			r.keys[l.Stream.Key()] = l.Stream
			r.screen = append(r.screen, string(l.Text))
			if r.positions != nil {
				r.positions.Settled(l.Stream.Key(), 1)
			}
		case ktail.Gap:
			r.gaps = append(r.gaps, l)
		case ktail.Exit:
			if !l.StreamEnd {
				r.terminated++
			}
			r.screen = append(r.screen, strings.TrimSpace("- "+string(l.Text)))
		case ktail.Restart:
			r.screen = append(r.screen, "+")
		case ktail.Diagnostic:
			r.diagnostics = append(r.diagnostics, string(l.Text))
		}
	}
	return nil
}

func (r *run) Close(context.Context) error { return nil }

// reports returns the failures of streams reported so far.
func (r *run) reports() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var words []string
	for _, e := range r.events {
		switch e.Kind {
		case tail.Failing:
			words = append(words, "failing: "+e.Err.Error())
		case tail.Failed:
			words = append(words, "failed: "+e.Err.Error())
		case tail.Recovered:
			words = append(words, "recovered")
		}
	}
	return words
}

// count returns the number of events of the kind.
func (r *run) count(kind tail.EventKind) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, e := range r.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// wants fails the test unless exactly these lines were written, without a gap.
func (r *run) wants(t testing.TB, lines ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.lines, lines) {
		same := 0
		for same < min(len(r.lines), len(lines)) && r.lines[same] == lines[same] {
			same++
		}
		excerpt := func(all []string) string {
			rest := all[same:]
			return strings.Join(rest[:min(len(rest), 20)], "\n\t")
		}
		t.Errorf("wrote %d lines, want %d; after %d correct lines, wrote\n\t%s\nwant\n\t%s",
			len(r.lines), len(lines), same, excerpt(r.lines), excerpt(lines))
	}
	r.wantsNoGap(t)
}

func (r *run) wantsNoGap(t testing.TB) {
	t.Helper()
	for _, gap := range r.gaps {
		t.Errorf("gap after %d: %s", gap.Since, gap.Text)
	}
}

// wantsWords fails the test unless there are as many texts as patterns and each
// text matches its pattern.
func wantsWords(t testing.TB, what string, texts []string, patterns ...string) {
	t.Helper()
	ok := len(texts) == len(patterns)
	for i := 0; ok && i < len(texts); i++ {
		ok = regexp.MustCompile(patterns[i]).MatchString(texts[i])
	}
	if !ok {
		t.Errorf("%s:\n\t%s\nwant\n\t%s", what, strings.Join(texts, "\n\t"), strings.Join(patterns, "\n\t"))
	}
}

// pass advances the bubble's clock.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// faults injects the faults into the log requests, one after another. Later
// requests succeed.
func faults(api *fakeapi.Server, list ...*fakeapi.Fault) {
	var mu sync.Mutex
	api.SetFault(func(r *http.Request) *fakeapi.Fault {
		mu.Lock()
		defer mu.Unlock()
		if fakeapi.Parse(r).Subresource != "log" || len(list) == 0 {
			return nil
		}
		first := list[0]
		list = list[1:]
		return first
	})
}
