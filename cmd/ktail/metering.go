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
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/metrics"
	"github.com/ktail/ktail/pkg/tail"
)

// metering makes metrics of the lines of a run. A nil metering does nothing.
type metering struct {
	flags     metricsFlags
	sink      *metrics.Sink
	handler   *metrics.Handler
	positions *tail.Positions // nil without --resume
	lock      io.Closer       // of the state directory; nil without --resume
	printf    func(format string, args ...any)
	out       io.Writer
	began     time.Time
	status    func() tail.Status
	probes    *probes // nil until the run has some

	mu   sync.Mutex
	sets map[int][]*ktail.Stream // by watcher
	want int                     // number of watchers
}

const (
	// metricsStateFile has the counts and the positions of --resume.
	metricsStateFile = "metrics.1"
	// saveMetricsEvery is the time between two saves of the counts if no scrape saves them.
	saveMetricsEvery = 10 * time.Second
	// writeMetricsEvery is how often --metrics-file is written.
	writeMetricsEvery = 15 * time.Second
	// pushGrace bounds how long the end of a run may take because of a push.
	pushGrace = 10 * time.Second
)

// newMetering prepares metrics according to the plan.
func newMetering(s streams, p plan, messages *messenger) (*metering, error) {
	if !p.metrics.enabled() {
		return nil, nil
	}
	m := &metering{flags: p.metrics, printf: messages.printf, out: s.Out, began: time.Now(), sets: map[int][]*ktail.Stream{}}
	o := metrics.Options{Rules: p.metrics.all, MaxSeries: p.metrics.maxSeries, Warn: m.printf, Figures: m.figures}
	if p.metrics.push != "" {
		o.By = metrics.PushBy
	}
	o.KeepSeries = p.metrics.listen == "" && (p.noFollow || p.metrics.file == "" || p.metrics.file == "-")
	if !p.noFollow {
		o.Since = m.began
	}
	if p.elastic.resume {
		if err := m.openState(s, p, &o); err != nil {
			return nil, err
		}
	}
	var err error
	if m.sink, err = metrics.New(o); err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.handler = metrics.NewHandler(m.sink)
	return m, nil
}

// openState opens the state directory for --resume.
func (m *metering) openState(s streams, p plan, o *metrics.Options) error {
	dir, err := p.metricsStateDir(s.Env)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return fmt.Errorf("create state directory: %w; use --metrics-state DIRECTORY", err)
	}
	if m.lock, err = elastic.LockDir(dir); err != nil {
		return err
	}
	o.State = filepath.Join(dir, metricsStateFile)
	snapshot, err := metrics.LoadPositions(o.State)
	if err == nil {
		m.positions, err = tail.NewPositions(snapshot)
	}
	if err != nil {
		return errors.Join(err, m.close())
	}
	o.Positions = m.positions
	return nil
}

// metricsStateDir returns the directory that keeps the counts: the one of the flag,
// one in the spool, or the one in the user's state directory that belongs to where
// the metrics go.
func (p plan) metricsStateDir(env func(string) (string, bool)) (string, error) {
	switch {
	case p.metrics.state != "":
		return p.metrics.state, nil
	case p.elastic.spool != "":
		return filepath.Join(p.elastic.spool, "metrics"), nil
	}
	base, err := stateHome(env)
	if err != nil {
		return "", err
	}
	f := p.metrics
	sum := sha256.Sum256([]byte(strings.Join(append([]string{f.listen, f.push, f.pushJob, f.file}, f.pushGroup...), "\n")))
	return filepath.Join(base, "metrics-"+hex.EncodeToString(sum[:8])), nil
}

// with returns a sink that also counts the lines.
func (m *metering) with(sink ktail.Sink) ktail.Sink {
	if m == nil {
		return sink
	}
	if m.positions == nil {
		return tail.Fanout{sink, m.sink}
	}
	return tail.Fanout{sink, m.positions.Unsettled(m.sink)}
}

// meter adds metrics to what the tailer does. Its watchers and its sink are set.
func (m *metering) meter(t *tail.Tailer) {
	if m == nil {
		return
	}
	m.status = t.Status
	t.Sink = m.with(t.Sink)
	if m.positions != nil {
		t.Positions = append(t.Positions, m.positions)
	}
	m.want = len(t.Watchers)
	for i, w := range t.Watchers {
		t.Watchers[i] = meteredWatcher{w, m, i}
	}
	report := t.OnEvent
	t.OnEvent = func(e tail.Event) {
		switch e.Kind {
		case tail.Started:
			m.sink.Started(e.Stream)
		case tail.Ended, tail.Failed:
			m.sink.Ended(e.Stream)
		}
		report(e)
	}
}

// meteredWatcher reports to the metrics which streams exist.
type meteredWatcher struct {
	ktail.Watcher
	m     *metering
	index int
}

// Watch implements ktail.Watcher.
func (w meteredWatcher) Watch(ctx context.Context, set func([]ktail.Source)) error {
	return w.Watcher.Watch(ctx, func(sources []ktail.Source) {
		streams := make([]*ktail.Stream, len(sources))
		for i, src := range sources {
			streams[i] = src.Stream()
		}
		w.m.set(w.index, streams)
		set(sources)
	})
}

// set records the set of one watcher. The sink gets the union of all sets, once each is
// known.
func (m *metering) set(watcher int, streams []*ktail.Stream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sets[watcher] = streams
	if len(m.sets) < m.want {
		return
	}
	var all []*ktail.Stream
	for i := range m.want {
		all = append(all, m.sets[i]...)
	}
	m.sink.Streams(all)
}

// run publishes the metrics while it runs produce, which writes lines to the sink.
func (m *metering) run(ctx context.Context, produce func(context.Context) error) error {
	if m == nil {
		return produce(ctx)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	every := func(interval time.Duration, what string, do func() error) {
		running.Go(func() { m.repeat(background, interval, what, do) })
	}
	if m.positions != nil {
		every(saveMetricsEvery, "/metrics responds with 503", m.sink.Save)
	}
	if m.toFile() {
		every(writeMetricsEvery, "the file is out of date", func() error { return m.sink.WriteFile(m.flags.file) })
	}
	err := produce(ctx)
	stop()
	running.Wait()
	return errors.Join(err, m.finish(ctx, err), m.close())
}

func (m *metering) toFile() bool { return m.flags.file != "" && m.flags.file != "-" }

// repeat calls do again and again. It reports a failure once.
func (m *metering) repeat(ctx context.Context, interval time.Duration, consequence string, do func() error) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ticker.C:
			err := do()
			if err != nil && !failing {
				m.printf("warning: %v; retrying; until this succeeds, %s", err, consequence)
			}
			failing = err != nil
		case <-ctx.Done():
			return
		}
	}
}

// finish writes and pushes the metrics of the whole run.
func (m *metering) finish(ctx context.Context, err error) error {
	var errs []error
	switch {
	case m.flags.file == "-":
		errs = append(errs, m.sink.WriteText(m.out))
	case m.flags.file != "":
		errs = append(errs, m.sink.WriteFile(m.flags.file))
	}
	if m.flags.push != "" {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pushGrace)
		defer cancel()
		errs = append(errs, m.sink.Push(ctx, m.flags.pushOptions(), metrics.Run{Began: m.began, Success: err == nil || errors.Is(err, errAllSafe)}))
	}
	return errors.Join(errs...)
}

// close releases the state directory.
func (m *metering) close() error {
	if m == nil || m.lock == nil {
		return nil
	}
	return m.lock.Close()
}

// figures returns the current metrics about ktail itself. Those with labels are also there
// before the run, so that a group with these labels is refused.
func (m *metering) figures() []metrics.Figure {
	counter := func(name, help string, value int64) metrics.Figure {
		return metrics.Figure{Name: name, Help: help, Counter: true, Value: float64(value)}
	}
	gauge := func(name, help string, value float64, labels ...metrics.FigureLabel) metrics.Figure {
		return metrics.Figure{Name: name, Help: help, Value: value, Labels: labels}
	}
	all := []metrics.Figure{gauge("ktail_build_info", "1, with the version of ktail as labels.", 1,
		metrics.FigureLabel{Name: "goversion", Value: runtime.Version()},
		metrics.FigureLabel{Name: "revision", Value: commit}, metrics.FigureLabel{Name: "version", Value: version})}
	var streams tail.Status
	if m.status != nil {
		streams = m.status()
	}
	const help = "Logs that are being read, or that wait for a free slot (--max-log-requests)."
	all = append(all,
		gauge("ktail_streams", help, float64(streams.Active), metrics.FigureLabel{Name: "state", Value: "reading"}),
		gauge("ktail_streams", help, float64(streams.Waiting), metrics.FigureLabel{Name: "state", Value: "waiting"}),
		counter("ktail_stream_resumes_total", "Reads of a log that continued from a position.", streams.Resumes))
	if m.probes == nil || m.probes.sink.Load() == nil {
		return all
	}
	st := m.probes.sink.Load().Status()
	if !st.Oldest.IsZero() {
		all = append(all, gauge("ktail_elasticsearch_oldest_line_timestamp_seconds",
			"Time of the oldest line that is not delivered yet, in seconds since the epoch. Absent if there is none.", float64(st.Oldest.UnixNano())/1e9))
	}
	return append(all,
		counter("ktail_elasticsearch_delivered_lines_total", "Lines that Elasticsearch has stored.", st.Delivered),
		counter("ktail_elasticsearch_dead_letters_total", "Documents that Elasticsearch has rejected.", st.DeadLetters),
		counter("ktail_elasticsearch_dropped_lines_total", "Lines dropped because the buffer was full.", st.Dropped),
		counter("ktail_elasticsearch_retries_total", "Documents that were sent again.", st.Retried),
		gauge("ktail_elasticsearch_waiting_lines", "Lines in memory that are not delivered yet.", float64(st.Waiting)),
		gauge("ktail_elasticsearch_spooled_lines", "Lines in the spool that are not delivered yet.", float64(st.Spooled)),
		gauge("ktail_elasticsearch_spool_bytes", "Size of the spool.", float64(st.SpoolSize)),
		gauge("ktail_elasticsearch_delivery_lag_seconds", "Age of the oldest line of the last bulk request when it was stored.", st.Lag.Seconds()))
}
