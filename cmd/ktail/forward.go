package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// saveEvery is how often the positions of acknowledged lines are saved.
const saveEvery = 2 * time.Second

// forwarding delivers the lines of a run to Elasticsearch.
type forwarding struct {
	sink      *elastic.Sink
	positions *tail.Positions // nil without --resume
	state     *stateDir
	printf    func(format string, args ...any)
	name      string        // name of the servers in messages
	probes    *probes       // nil without --listen
	beside    int64         // bytes that other parts of the program keep
	timeout   time.Duration // limit for the end of the run after a signal
	margin    time.Duration // the part of timeout in which nothing is delivered any more
}

// newForwarding prepares forwarding according to the options. It starts
// nothing.
func newForwarding(ctx context.Context, s streams, o *elasticOptions, printf func(string, ...any)) (*forwarding, error) {
	f := &forwarding{printf: printf, name: hosts(o), timeout: time.Duration(o.shutdownTimeout)}
	f.margin = min(f.timeout/5, 2*time.Second)
	eo := elastic.Options{
		Nodes: o.nodes, Credentials: o.readCredentials(o.auth, s.Env),
		Index: o.index, Pipeline: o.pipeline, Fields: o.parsedFields, Version: version,
		DropOldest: bool(o.whenFull), DeadLetters: o.deadLetters, DeadLettersSize: int64(o.deadLettersSize),
		ShutdownTimeout: f.timeout - f.margin, OnEvent: f.event,
	}
	var err error
	if f.state, err = openStateDir(ctx, o, s.Env, probeCluster(eo), printf); err != nil {
		return nil, err
	}
	if err := f.open(o, eo); err != nil {
		return nil, errors.Join(err, f.state.close())
	}
	if now, err := eo.Credentials(); err == nil { // elastic.New reports the error
		o.warnCredentials(now.Auth, f.name, printf)
	}
	return f, nil
}

// open opens the sink and the parts of the state directory that it needs.
func (f *forwarding) open(o *elasticOptions, eo elastic.Options) (err error) {
	eo.Dir = f.state.path
	if o.hasState() {
		eo.CheckCluster = f.state.check
	}
	if o.spool != "" {
		eo.SpoolSize = int64(o.spoolSize)
	}
	if eo.DeadLetters == "" {
		eo.DeadLetters = f.state.file("dead-letters.ndjson")
	}
	if err := checkDeadLetters(eo.DeadLetters); err != nil {
		return err
	}
	if o.resend != "" && sameFile(o.resend, eo.DeadLetters) {
		return fmt.Errorf("--elasticsearch-resend: documents that are rejected again are appended to %s; move the file away first", o.resend)
	}
	if o.resume {
		if f.positions, err = tail.LoadPositions(f.state.file(positionsFile)); err != nil {
			return err
		}
		if n := f.positions.Damaged(); n > 0 {
			f.printf("warning: %d bytes of %s are damaged; some logs are read again from an earlier position", n, f.state.file(positionsFile))
		}
		eo.Resumed, eo.Settled = f.positions.Resumed, f.positions.Settled
	}
	f.sink, err = elastic.New(eo)
	return err
}

// hosts returns the names of the servers, without credentials and paths in
// their addresses.
func hosts(o *elasticOptions) string {
	names := make([]string, len(o.nodes))
	for i, n := range o.nodes {
		names[i] = n.Host
	}
	return "Elasticsearch at " + strings.Join(names, ", ")
}

// checkDeadLetters returns an error if the file cannot store dead letters so that they
// survive a power failure, which is what allows ktail to continue without them.
func checkDeadLetters(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // it is created later
	}
	target, _ := os.Readlink(path) // of /dev/stderr, which may be a file
	if !info.Mode().IsRegular() || strings.HasPrefix(target, "/proc/") {
		return fmt.Errorf("invalid --elasticsearch-dead-letters %s: must be a regular file, because ktail deletes rejected lines only when they are saved on disk", path)
	}
	return nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// errAllSafe ends a run that SIGTERM has stopped when every line is delivered
// or in the spool. It is not an error: a pod that is stopped this way has
// succeeded.
var errAllSafe = errors.New("every line is delivered or in the spool")

// run delivers the lines that produce writes to the sink. produce closes the sink
// before it returns.
func (f *forwarding) run(ctx context.Context, produce func(context.Context) error) error {
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { f.sink.Run(ctx) }) //nolint:errcheck // returns an error only if called twice
	running.Go(func() { tuneGC(background, f.beside) })
	running.Go(func() { onSummarySignal(background, func() { f.printf("%s", summary(f.name, f.sink.Status())) }) })
	if f.positions != nil {
		running.Go(func() { f.save(background) })
	}
	err := f.untilTimeout(ctx, produce)
	stop()
	running.Wait()

	st := f.sink.Status()
	f.printf("%s", summary(f.name, st))
	if st.Spooled > 0 && err == nil {
		f.printf("the next run sends %s from %s%s", plural(int64(st.Spooled), "line"), f.state.path, lastProblem(st.LastError))
	}
	if f.positions != nil {
		if st.Waiting > 0 {
			f.printf("the next run with --resume reads the pending lines (%d) again if the nodes still have them", st.Waiting)
		}
		err = errors.Join(err, f.positions.Save())
	}
	err = errors.Join(err, f.state.close())
	if cause, ok := errors.AsType[signaled](context.Cause(ctx)); ok && cause.Signal == syscall.SIGTERM && err == nil {
		return errAllSafe
	}
	return err
}

// lastProblem returns the end of a message about lines that were not delivered.
func lastProblem(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf("; the last problem was: %v", err)
}

// errNotStopped is the error of a run whose output is blocked at its end.
var errNotStopped = errors.New("the output is blocked; lines waiting for it were not delivered")

// untilTimeout runs produce. If produce has not returned some time after the
// end of ctx, because the output is blocked, the sink is closed anyway.
func (f *forwarding) untilTimeout(ctx context.Context, produce func(context.Context) error) error {
	done := make(chan error, 1)
	go func() { done <- produce(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	notice := time.AfterFunc(noticeAfter, f.noticeWaiting)
	defer notice.Stop()
	select {
	case err := <-done:
		return err
	case <-time.After(f.timeout - f.margin/2):
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.margin/4)
	defer cancel()
	return errors.Join(errNotStopped, f.sink.Close(closing))
}

// noticeAfter is how long after a signal ktail reports that it still delivers lines.
const noticeAfter = 2 * time.Second

// noticeWaiting reports that the run delivers lines before it ends.
func (f *forwarding) noticeWaiting() {
	if n := f.sink.Status().Waiting; n > 0 {
		f.printf("%s has not accepted %s yet; ktail retries for up to %s after the signal (--elasticsearch-shutdown-timeout); a second signal ends it at once",
			f.name, plural(int64(n), "line"), f.timeout)
	}
}

// save saves the positions periodically. It reports a failure once.
func (f *forwarding) save(ctx context.Context) {
	ticker := time.NewTicker(saveEvery)
	defer ticker.Stop()
	failing := false
	f.probes.saved()
	for {
		select {
		case <-ticker.C:
			err := f.positions.Save()
			if err == nil {
				f.probes.saved()
			}
			if err != nil && !failing {
				f.printf("warning: %v; retrying; until this succeeds, --resume continues from an older position", err)
			}
			failing = err != nil
		case <-ctx.Done():
			return
		}
	}
}

// summary describes in one line what was forwarded.
func summary(name string, st elastic.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s delivered (%d already indexed), %d retried, %s, %d pending, %d in the spool (%s)",
		name, plural(st.Delivered, "line"), st.Present, st.Retried, plural(st.DeadLetters, "dead letter"), st.Waiting, st.Spooled, formatSize(st.SpoolSize))
	for _, more := range []struct {
		n    int64
		what string
	}{
		{st.Truncated, "truncated"},
		{st.Minimal, "as minimal documents"},
		{st.Diverted, "in the failure store"},
		{st.Dropped, "dropped"},
	} {
		if more.n > 0 {
			fmt.Fprintf(&b, ", %d %s", more.n, more.what)
		}
	}
	if !st.Oldest.IsZero() {
		fmt.Fprintf(&b, "; the oldest pending line is from %s", st.Oldest.UTC().Format(time.RFC3339))
	}
	if st.Lag > 0 {
		fmt.Fprintf(&b, "; lag %s", st.Lag.Round(100*time.Millisecond))
	}
	return b.String()
}

func formatSize(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KiB", (n+1<<10-1)>>10)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// forwardTimeout bounds how long the end of a run may take while lines are
// being delivered. The sink gives up much earlier if none are, and after a signal.
const forwardTimeout = 24 * time.Hour

// runForwarding runs the tailer with the Elasticsearch sink as an additional
// sink.
func runForwarding(ctx context.Context, s streams, p plan, messages *messenger, t *tail.Tailer, probes *probes) error {
	f, err := newForwarding(ctx, s, &p.elastic, messages.printf)
	if err != nil {
		return err
	}
	f.probes = probes
	probes.forwards(f.sink)
	if p.web.on {
		f.beside = int64(p.webBuffer)
	}
	sink := ktail.Sink(f.sink)
	if f.positions != nil {
		sink = f.positions.Unsettled(sink)
	}
	t.Sink = tail.Fanout{t.Sink, sink}
	if f.positions != nil {
		t.Positions = append(t.Positions, f.positions)
	}
	t.CloseTimeout = forwardTimeout
	return f.run(ctx, func(ctx context.Context) error { return p.run(ctx, s, messages, t) })
}

// notices is the sink for --quiet. It reports gaps and diagnostics, and prints
// no lines.
type notices struct{ report func(*ktail.Line) }

// Write implements ktail.Sink.
func (n *notices) Write(_ context.Context, lines []ktail.Line) error {
	for i := range lines {
		if lines[i].Kind != ktail.Log || lines[i].Cut {
			n.report(&lines[i])
		}
	}
	return nil
}

// Close implements ktail.Sink.
func (*notices) Close(context.Context) error { return nil }

// runResend sends dead letters once more.
func runResend(ctx context.Context, s streams, o options) error {
	p := plan{options: o}
	var err error
	if p.elastic, err = o.elastic.parsed(); err != nil {
		return usageError{err}
	}
	letters, err := os.Open(o.elastic.resend)
	if err != nil {
		return fmt.Errorf("resend dead letters: %w", err)
	}
	defer letters.Close() //nolint:errcheck // errors do not matter after reading
	f, err := newForwarding(ctx, s, &p.elastic, newMessenger(s, p).printf)
	if err != nil {
		return err
	}
	return f.run(ctx, func(ctx context.Context) error {
		err := f.sink.Resend(ctx, letters)
		return errors.Join(err, f.sink.Close(context.WithoutCancel(ctx)))
	})
}
