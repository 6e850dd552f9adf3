package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/metrics"
)

// listenFlags make ktail serve HTTP requests about itself.
type listenFlags struct {
	listen string
}

func (f *listenFlags) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.listen, "listen", "",
		"Serve /healthz and /readyz on this address, such as :9100 `ADDRESS`")
}

// saveOverdue is how long positions may remain unsaved before the run is unhealthy.
const saveOverdue = time.Minute

// probes serve the health checks of an orchestrator. nil serves none.
//
// An unreachable destination makes a run neither unhealthy nor unready, because
// restarting ktail does not help and a rollout must not wait for it.
type probes struct {
	servers []*http.Server
	printf  func(format string, args ...any)

	found   atomic.Bool                  // the first set of logs is known
	savedAt atomic.Int64                 // when positions were last saved, Unix nanoseconds; 0: positions are not saved
	sink    atomic.Pointer[elastic.Sink] // nil: lines are not forwarded
	ready   atomic.Bool                  // set once the run was ready
	check   atomic.Pointer[func() error] // returns an error if reading makes no progress; nil: nothing is known about that
}

// startProbes serves the probes on the addresses of --listen and --metrics-listen,
// and metrics on the latter. One listener serves both if the addresses are equal.
func (p plan) startProbes(ctx context.Context, m *metering, messages *messenger) (*probes, error) {
	if p.listen == "" && p.metrics.listen == "" {
		return nil, nil
	}
	pr := &probes{printf: messages.printf}
	if m != nil {
		m.probes = pr
	}
	if p.metrics.listen != "" {
		mux := pr.mux()
		mux.Handle("GET /metrics", m.handler)
		mux.HandleFunc("GET /-/healthy", answer(pr.unhealthy))
		mux.HandleFunc("GET /-/ready", answer(pr.unready))
		server := newServer(mux)
		m.handler.Observe(server)
		if err := pr.serve(ctx, "--metrics-listen", p.metrics.listen, server, p.metrics.webConfig); err != nil {
			return nil, err
		}
	}
	if p.listen != "" && p.listen != p.metrics.listen {
		if err := pr.serve(ctx, "--listen", p.listen, newServer(pr.mux()), ""); err != nil {
			pr.close()
			return nil, err
		}
	}
	return pr, nil
}

// mux returns a handler of the probes.
func (p *probes) mux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", answer(p.unhealthy))
	mux.HandleFunc("GET /readyz", answer(p.unready))
	return mux
}

// scrapeIdle is how long a connection may be idle. Prometheus reuses it for the next
// scrape, which is a minute later by default.
const scrapeIdle = 5 * time.Minute

func newServer(mux *http.ServeMux) *http.Server {
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: scrapeIdle,
		ErrorLog: log.New(io.Discard, "", 0), // errors of clients
	}
}

// serve serves requests on the address until close, with the web config file if
// there is one.
func (p *probes) serve(ctx context.Context, flag, address string, server *http.Server, webConfig string) error {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	p.servers = append(p.servers, server)
	go func() {
		var err error
		if webConfig != "" {
			err = metrics.Serve(l, server, webConfig)
		} else {
			err = server.Serve(l)
		}
		if err != nil && !errors.Is(err, http.ErrServerClosed) {
			p.printf("error: %s %s: %v; nothing is served there until ktail is started again", flag, address, err)
		}
	}()
	return nil
}

// answer responds with 200 if check succeeds, and with 503 otherwise.
func answer(check func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok") //nolint:errcheck // an error means that the client has disconnected
	}
}

func (p *probes) close() {
	if p == nil {
		return
	}
	for _, server := range p.servers {
		_ = server.Close() // the run is over
	}
}

// unhealthy returns why the process does not work, or nil if it does.
func (p *probes) unhealthy() error {
	if at := p.savedAt.Load(); at != 0 {
		if age := time.Since(time.Unix(0, at)); age > saveOverdue {
			return fmt.Errorf("positions were last saved %s ago", age.Round(time.Second))
		}
	}
	if check := p.check.Load(); check != nil {
		return (*check)()
	}
	return nil
}

// unready returns what the run waits for before it works for the first time, or
// nil if it does not wait.
func (p *probes) unready() error {
	if p.ready.Load() {
		return nil
	}
	if !p.found.Load() {
		return errors.New("the logs to read are not known yet")
	}
	if sink := p.sink.Load(); sink != nil {
		if st := sink.Status(); st.Waiting+st.Spooled > 0 && st.Delivered == 0 {
			return errors.New("the destination has not accepted lines yet")
		}
	}
	p.ready.Store(true)
	return nil
}

// observe returns a watcher that reports the first set to the probes.
func (p *probes) observe(w ktail.Watcher) ktail.Watcher {
	if p == nil {
		return w
	}
	if check := checkOf(w); check != nil {
		p.check.Store(&check)
	}
	return observedWatcher{w, p}
}

// checkOf returns the method that checks the progress of reading, of the watcher
// or of a watcher that it wraps, or nil if there is none.
func checkOf(w ktail.Watcher) func() error {
	switch w := w.(type) {
	case interface{ Check() error }:
		return w.Check
	case interface{ Unwrap() ktail.Watcher }:
		return checkOf(w.Unwrap())
	}
	return nil
}

type observedWatcher struct {
	ktail.Watcher
	probes *probes
}

// Watch implements ktail.Watcher.
func (w observedWatcher) Watch(ctx context.Context, set func([]ktail.Source)) error {
	return w.Watcher.Watch(ctx, func(sources []ktail.Source) {
		set(sources)
		w.probes.found.Store(true)
	})
}

// forwards records the sink that delivers the lines.
func (p *probes) forwards(sink *elastic.Sink) {
	if p != nil {
		p.sink.Store(sink)
	}
}

// saved records that positions were saved, or will be.
func (p *probes) saved() {
	if p != nil {
		p.savedAt.Store(time.Now().UnixNano())
	}
}
