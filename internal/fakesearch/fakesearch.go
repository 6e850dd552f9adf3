// Package fakesearch is an Elasticsearch or OpenSearch server in memory. Tests use it
// for faults that real servers do not produce on demand. Its concepts:
//
//	Server    the search server, reached over TCP or over pipes in memory
//	Flavor    the product and version that it behaves like
//	Document  a stored document, by index and ID
//	Fault     how one request fails
//	Counts    the requests so far, to assert on and to wait for
//
// It supports bulk requests, templates, data streams, and the requests with which
// clients detect the server. Its responses have the fields of the real ones. The
// behavior of Elasticsearch 6.4 and 7.10 and of OpenSearch 2 and 3 was observed;
// that of Elasticsearch 8 and 9, serverless and OpenSearch 1 is as documented.
package fakesearch

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

// Options configure a Server. The zero value is an Elasticsearch 7.10 without TLS and
// without authentication.
type Options struct {
	// Flavor is the product and version. The default is Elasticsearch710.
	Flavor Flavor
	// ClusterUUID is the UUID of the cluster. All servers have the same one by
	// default, like the nodes of a cluster.
	ClusterUUID string
	// Fault, if set, decides how each request fails. A nil result means that the
	// request succeeds. SetFault replaces it.
	Fault func(*http.Request) *Fault
	// Authorization lists the accepted values of that header. Requests with another
	// value are rejected with 401. An empty list accepts all requests.
	Authorization []string
	// TLS serves HTTPS, with a certificate signed by the server's own authority.
	TLS bool
	// ClientCertificates requires a client certificate signed by that authority. It
	// requires TLS.
	ClientCertificates bool
	// MaxContentLength is the maximum size of a decompressed body in bytes, like
	// http.max_content_length. 0 means no limit.
	MaxContentLength int64
	// Numbers are the paths of fields that are mapped as numbers. Documents with text
	// in them are rejected.
	Numbers []string
}

// Server is the search server. Its methods are safe for concurrent use.
type Server struct {
	opts   Options
	flavor atomic.Pointer[Flavor]
	fault  atomic.Pointer[func(*http.Request) *Fault]

	decoded sync.Map // decoded fields of documents, for searches
	store   *store

	http     *http.Server
	listener *faultserver.Listener
	url      string

	// The following fields are only set with TLS.
	authority      *faultserver.Authority
	server, client *faultserver.Certificate

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	serving chan struct{} // closed when the listener's goroutine has ended

	counter faultserver.Counter[Counts]

	mu       sync.Mutex
	closed   bool
	requests []Request
	handlers sync.WaitGroup
}

// New returns a server that only DialContext can connect to. It works in a
// testing/synctest bubble.
func New(opts Options) (*Server, error) {
	return start(opts, newPipes(), "fakesearch:9200")
}

// Start returns a server that listens on a free port of the loopback interface.
func Start(opts Options) (*Server, error) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return start(opts, tcp, tcp.Addr().String())
}

func start(opts Options, l net.Listener, address string) (*Server, error) {
	if opts.Flavor.Number == "" {
		opts.Flavor = Elasticsearch710
	}
	if opts.ClusterUUID == "" {
		opts.ClusterUUID = "Zm9yIHRlc3RzIG9ubHkhIQ"
	}
	s := &Server{
		opts:     opts,
		store:    newStore(opts.Numbers),
		listener: faultserver.NewListener(l),
		url:      "http://" + address,
		serving:  make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.flavor.Store(&opts.Flavor)
	s.SetFault(opts.Fault)
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          faultserver.Discard,
	}
	serve := func() error { return s.http.Serve(s.listener) }
	if opts.TLS {
		if err := s.issue(); err != nil {
			_ = l.Close()
			return nil, err
		}
		s.url = "https://" + address
		s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{s.server.TLS}, MinVersion: tls.VersionTLS12}
		if opts.ClientCertificates {
			s.http.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
			s.http.TLSConfig.ClientCAs = s.authority.Pool()
		}
		serve = func() error { return s.http.ServeTLS(s.listener, "", "") }
	}
	go func() {
		defer close(s.serving)
		_ = serve() // ends with Close
	}()
	return s, nil
}

// URL returns the address of the server. The address of a server from New requires
// DialContext.
func (s *Server) URL() string { return s.url }

// SetFault replaces Options.Fault for later requests.
func (s *Server) SetFault(f func(*http.Request) *Fault) { s.fault.Store(&f) }

// SetFlavor replaces the server with another version that has the same documents. It
// closes open connections.
func (s *Server) SetFlavor(f Flavor) {
	s.flavor.Store(&f)
	s.DropConns()
}

// Close aborts all requests and waits for their handlers.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	_ = s.http.Close()
	s.Down() // also close connections accepted in the meantime
	<-s.serving
	s.handlers.Wait()
}

// enter reports whether a request may still be handled. The caller then calls
// s.handlers.Done when it is finished.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.handlers.Add(1)
	return true
}
