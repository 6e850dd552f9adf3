package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
)

// saveEvery is how often the positions of acknowledged lines are saved.
const saveEvery = 2 * time.Second

// forwarding is a run that forwards lines.
type forwarding struct {
	sink      *elastic.Sink
	positions *tail.Positions // nil without --resume
	say       func(format string, args ...any)
	name      string    // of the servers, in messages
	lock      io.Closer // of what outlives the run; nil if nothing does
	probes    *probes   // nil without --listen
	stop      func()
	running   sync.WaitGroup
}

// newForwarding makes what the options ask for. Nothing runs yet.
func newForwarding(s streams, o *elasticOptions, say func(string, ...any)) (*forwarding, error) {
	f := &forwarding{say: say, name: hosts(o)}
	auth, err := o.credentials(s.Env)
	if err != nil {
		return nil, err
	}
	config, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	dir, err := o.stateDir(s.Env)
	if err != nil {
		return nil, err
	}
	eo := elastic.Options{
		Nodes: o.nodes, Credentials: func() (elastic.Credentials, error) { return elastic.Credentials{Auth: auth, TLS: config}, nil },
		Index: o.index, Pipeline: o.pipeline, Fields: o.parsedFields, Version: version,
		Dir: dir, DropOldest: bool(o.whenFull), DeadLetters: o.deadLetters, OnEvent: f.event,
	}
	if o.spool != "" {
		eo.SpoolSize = int64(o.spoolSize)
	}
	if eo.DeadLetters == "" {
		eo.DeadLetters = filepath.Join(dir, "dead-letters.ndjson")
	}
	if o.resend != "" && sameFile(o.resend, eo.DeadLetters) {
		return nil, fmt.Errorf("--elasticsearch-resend: what is refused again is appended to %s: move the file away first", o.resend)
	}
	if o.resume || o.spool != "" {
		if f.lock, err = elastic.LockDir(dir); err != nil {
			return nil, err
		}
	}
	if o.resume {
		if f.positions, err = tail.LoadPositions(filepath.Join(dir, "positions")); err != nil {
			return nil, err
		}
		if n := f.positions.Damaged(); n > 0 {
			say("warning: %d bytes of %s are damaged; some logs are read again from an earlier position", n, filepath.Join(dir, "positions"))
		}
		eo.Resumed, eo.Settled = f.positions.Resumed, f.positions.Settled
	}
	if o.insecure {
		say("warning: the certificate of %s is not checked", f.name)
	}
	f.sink, err = elastic.New(eo)
	return f, err
}

// hosts returns the servers without what else their addresses may hold.
func hosts(o *elasticOptions) string {
	names := make([]string, len(o.nodes))
	for i, n := range o.nodes {
		names[i] = n.Host
	}
	return "Elasticsearch at " + strings.Join(names, ", ")
}

// stateDir returns the folder for what outlives the run: the spool, or one that
// belongs to the destination. It is made.
func (o *elasticOptions) stateDir(env func(string) (string, bool)) (string, error) {
	dir := o.spool
	if dir == "" {
		base, ok := env("XDG_STATE_HOME")
		if !ok || base == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", fmt.Errorf("find a folder for ktail's state: %w; give one by --elasticsearch-spool", err)
			}
			base = filepath.Join(home, ".local", "state")
		}
		addresses := make([]string, len(o.nodes))
		for i, n := range o.nodes {
			addresses[i] = n.String()
		}
		slices.Sort(addresses)
		sum := sha256.Sum256([]byte(strings.Join(append(addresses, o.index), "\n")))
		dir = filepath.Join(base, "ktail", hex.EncodeToString(sum[:6]))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make a folder for ktail's state: %w; give another by --elasticsearch-spool", err)
	}
	return dir, nil
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// start has the lines sent that the sink is given.
func (f *forwarding) start(ctx context.Context) {
	saving, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = stop
	f.running.Go(func() { f.sink.Run(ctx) }) //nolint:errcheck // it runs once
	f.running.Go(func() { tuneGC(saving) })
	f.running.Go(func() { onSummarySignal(saving, func() { f.say("%s", summary(f.name, f.sink.Status())) }) })
	if f.positions != nil {
		f.running.Go(func() { f.save(saving) })
	}
}

// save saves the positions again and again, and tells once that it fails.
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
				f.say("%v; if it stays so, --resume will begin further back", err)
			}
			failing = err != nil
		case <-ctx.Done():
			return
		}
	}
}

// finish ends it after the sink was closed, and says what was done.
func (f *forwarding) finish() error {
	f.stop()
	f.running.Wait()
	st := f.sink.Status()
	f.say("%s", summary(f.name, st))
	if f.positions != nil && st.Waiting > 0 {
		f.say("the next run with --resume reads the %d lines again that wait, as far as the nodes still have them", st.Waiting)
	}
	var errs []error
	if f.positions != nil {
		errs = append(errs, f.positions.Save())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
	}
	return errors.Join(errs...)
}

// summary says in one line what was forwarded.
func summary(name string, st elastic.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d lines delivered, %d of them there already; %d sent again, %d dead letters, %d waiting, %d in the spool (%s)",
		name, st.Delivered, st.Present, st.Retried, st.DeadLetters, st.Waiting, st.Spooled, formatSize(st.SpoolSize))
	for _, more := range []struct {
		n    int64
		what string
	}{
		{st.Truncated, "shortened"},
		{st.Minimal, "with few fields, for their mapping"},
		{st.Diverted, "in the failure store"},
		{st.Dropped, "dropped"},
	} {
		if more.n > 0 {
			fmt.Fprintf(&b, ", %d %s", more.n, more.what)
		}
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

// forwardTimeout bounds how long the end of a run may take while lines are being
// delivered; the sink gives up much earlier when none are.
const forwardTimeout = 24 * time.Hour

// runForwarding runs the tailer with a sink more.
func runForwarding(ctx context.Context, s streams, p plan, messages *messenger, t *tail.Tailer, probes *probes) error {
	f, err := newForwarding(s, &p.elastic, messages.printf)
	if err != nil {
		return err
	}
	f.probes = probes
	probes.forwards(f.sink)
	if p.elastic.quiet {
		t.Sink = &notices{tell: messages.notice}
	}
	t.Sink = tail.Fanout{t.Sink, f.sink}
	t.Positions = f.positions
	t.CloseTimeout = forwardTimeout
	f.start(ctx)
	err = t.Run(ctx)
	return errors.Join(err, f.finish())
}

// notices is a sink that tells of what is no line, in place of one that writes.
type notices struct{ tell func(*ktail.Line) }

// Write implements ktail.Sink.
func (n *notices) Write(_ context.Context, lines []ktail.Line) error {
	for i := range lines {
		if lines[i].Kind != ktail.Log || lines[i].Cut {
			n.tell(&lines[i])
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
	defer letters.Close() //nolint:errcheck // it is only read from
	f, err := newForwarding(s, &p.elastic, newMessenger(s, p).printf)
	if err != nil {
		return err
	}
	f.start(ctx)
	err = f.sink.Resend(ctx, letters)
	return errors.Join(err, f.sink.Close(context.WithoutCancel(ctx)), f.finish())
}
