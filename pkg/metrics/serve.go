package metrics

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// maxScrapes is how many scrapes are answered at once; more are refused.
const maxScrapes = 8

// A Handler answers scrapes with the series of a sink, and with figures about the
// process.
type Handler struct {
	sink    *Sink
	process prometheus.Gatherer
	slots   chan struct{}
	open    sync.Map // net.Conn to *scraper
}

// NewHandler returns a handler. Its Observe must be called with the server.
func NewHandler(s *Sink) *Handler {
	return &Handler{sink: s, process: processGatherer(), slots: make(chan struct{}, maxScrapes)}
}

// processGatherer returns the usual go_ and process_ metrics.
func processGatherer() prometheus.Gatherer {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

type scraperKey struct{}

// Observe makes the handler distinguish scrapers by their connections to the server, which
// Prometheus keeps open until a scrape fails.
func (h *Handler) Observe(server *http.Server) {
	server.ConnContext = h.connect
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateClosed || state == http.StateHijacked {
			h.disconnect(c)
		}
	}
}

func (h *Handler) connect(ctx context.Context, c net.Conn) context.Context {
	sc := &scraper{new: true}
	h.open.Store(c, sc)
	return context.WithValue(ctx, scraperKey{}, sc)
}

func (h *Handler) disconnect(c net.Conn) {
	if sc, ok := h.open.LoadAndDelete(c); ok {
		h.sink.leave(sc.(*scraper))
	}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	default:
		http.Error(w, "too many scrapes at once; scrape less often", http.StatusServiceUnavailable)
		return
	}
	sc, ok := r.Context().Value(scraperKey{}).(*scraper)
	if !ok {
		sc = &scraper{new: true}
	}
	families, err := h.sink.gather(sc, clientOf(r))
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	gatherer := gathererFunc(func() ([]*dto.MetricFamily, error) {
		process, err := h.process.Gather()
		return merge(families, process), err
	})
	promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true,
	}).ServeHTTP(w, r)
	if r.Context().Err() != nil {
		h.sink.missed(sc)
	}
}

// clientOf returns the address, without the port, and the program that a request comes
// from.
func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return host + " " + r.UserAgent()
}

// gathererFunc is a function that gathers.
type gathererFunc func() ([]*dto.MetricFamily, error)

// Gather implements prometheus.Gatherer.
func (f gathererFunc) Gather() ([]*dto.MetricFamily, error) { return f() }

// merge merges two lists of families that have no name in common, sorted by name.
func merge(a, b []*dto.MetricFamily) []*dto.MetricFamily {
	all := make([]*dto.MetricFamily, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].GetName() < b[0].GetName() {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}

var errNotReady = errors.New("the logs are not known yet; scrape again")

// gather returns the families for a scraper of the client, after it has saved them.
func (s *Sink) gather(sc *scraper, client string) ([]*dto.MetricFamily, error) {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	if !s.known && s.o.State != "" {
		s.mu.Unlock()
		return nil, errNotReady
	}
	if sc.new {
		s.join(sc, client)
	}
	families := s.collect(sc)
	if s.o.State == "" {
		s.shown(sc, time.Now())
		s.mu.Unlock()
		return families, nil
	}
	s.scrapes++ // of the state that is saved
	s.buffer = s.encode(s.buffer[:0])
	s.scrapes--
	s.mu.Unlock()
	if err := s.write(s.buffer); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.shown(sc, time.Now())
	s.mu.Unlock()
	return families, nil
}
