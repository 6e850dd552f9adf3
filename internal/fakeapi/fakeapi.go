// Package fakeapi is a Kubernetes API server in memory, for tests and for the
// demo: pods that a test starts, restarts, and deletes, and their logs, served
// as a kube-apiserver and a kubelet serve them. Its concepts:
//
//	Server     the API server; an http.Handler, usually with a listener
//	Pod        a pod, whose status follows the state of its containers
//	Container  a container and the log of its current instance
//	Entry      an entry of a log, as in the file on the node
//	Fault      how the response to one request fails
//	Counts     the requests so far, to assert on and to wait for
//	Object     an object of another kind
//
// It responds in JSON only and authorizes every request. Nothing happens by
// itself: a test creates the pods of its Deployments.
package fakeapi

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ktail/ktail/internal/faultserver"
)

// Options of a Server. The zero value is a server with TLS and HTTP/2.
type Options struct {
	// PlainHTTP serves HTTP/1.1 without TLS.
	PlainHTTP bool
	// Now is the clock of the cluster. The default is time.Now.
	Now func() time.Time
	// Fault returns the fault to inject into a request, or nil for none.
	// SetFault replaces it.
	Fault func(*http.Request) *Fault
	// MaxStreams limits the concurrent streams of one HTTP/2 connection. The
	// default is 100, as in a kube-apiserver.
	MaxStreams int
	// NoWatchList rejects streamed lists, as servers before v1.32 do.
	NoWatchList bool
	// NoAggregatedDiscovery responds to /api and /apis as servers before v1.27
	// do.
	NoAggregatedDiscovery bool
	// BookmarkEvery is the time between the bookmarks of a watch that allows
	// them. The default is a minute.
	BookmarkEvery time.Duration
	// MaxLogSize rotates a log automatically when its text has that many bytes.
	// 0 means that only Container.Rotate rotates logs.
	MaxLogSize int64
	// QueueRotations makes requests that follow a log skip and repeat files like a
	// kubelet that its client keeps waiting: at the end of a file, it opens the newest
	// one, once for each rotation since it was at the end of a file for the first time.
	QueueRotations bool
	// Context is the name of the context in the kubeconfig. The default is
	// "fake".
	Context string
}

// Server is the API server. Its methods may be called by any goroutine.
type Server struct {
	opts    Options
	store   *store
	counter faultserver.Counter[Counts]
	fault   atomic.Pointer[func(*http.Request) *Fault]
	denied  atomic.Pointer[func(Request) bool]

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	handlers sync.WaitGroup

	// The following fields are only set for a server with a listener.
	http     *http.Server
	listener *faultserver.Listener
	url      string
	ca       []byte // PEM; nil without TLS

	mu        sync.Mutex
	closed    bool
	pods      map[string]*Pod // by namespace/name
	kinds     []*Kind
	stores    map[string]*store // of objects other than pods, by group/resource
	nodes     map[string]*Node
	podsMade  int
	responses map[*response]struct{} // open log streams
}

// New returns a server that does not listen. It is used through ServeHTTP or
// Transport, for example in a testing/synctest bubble.
func New(opts Options) *Server {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxStreams == 0 {
		opts.MaxStreams = 100
	}
	if opts.BookmarkEvery == 0 {
		opts.BookmarkEvery = time.Minute
	}
	if opts.Context == "" {
		opts.Context = "fake"
	}
	s := &Server{
		opts:      opts,
		store:     newStore(),
		pods:      map[string]*Pod{},
		kinds:     builtIn(),
		stores:    map[string]*store{},
		nodes:     map[string]*Node{},
		responses: map[*response]struct{}{},
		url:       "http://fakeapi",
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.SetFault(opts.Fault)
	return s
}

// Start returns a server that listens on a free port of the loopback interface.
func Start(opts Options) (*Server, error) {
	s := New(opts)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s.listener = faultserver.NewListener(tcp)
	s.http = &http.Server{
		Handler:           s,
		ConnContext:       faultserver.WithConn,
		ReadHeaderTimeout: time.Minute,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: s.opts.MaxStreams},
		ErrorLog:          faultserver.Discard,
	}
	if opts.PlainHTTP {
		s.url = "http://" + tcp.Addr().String()
		go func() { _ = s.http.Serve(s.listener) }() // ends with Close
		return s, nil
	}
	authority, err := faultserver.NewAuthority("fakeapi")
	if err != nil {
		_ = tcp.Close()
		return nil, err
	}
	cert, err := authority.Issue("kubernetes")
	if err != nil {
		_ = tcp.Close()
		return nil, err
	}
	s.url, s.ca = "https://"+tcp.Addr().String(), authority.PEM
	s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert.TLS}, MinVersion: tls.VersionTLS12}
	go func() { _ = s.http.ServeTLS(s.listener, "", "") }()
	return s, nil
}

// URL returns the URL of the server.
func (s *Server) URL() string { return s.url }

// SetFault replaces Options.Fault from the next request on.
func (s *Server) SetFault(f func(*http.Request) *Fault) { s.fault.Store(&f) }

// Close ends every request and returns when their handlers have returned.
func (s *Server) Close() {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if first {
		s.cancel()
		if s.http != nil {
			_ = s.http.Close()
			s.listener.Drop()
		}
	}
	s.handlers.Wait()
}

// enter reports whether a request may still be handled. If so, the caller calls
// s.handlers.Done afterwards.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.handlers.Add(1)
	return true
}
