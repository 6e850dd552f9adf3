// Package fakesearch is an Elasticsearch or OpenSearch in memory, for faults that
// real servers do not produce on demand. Its concepts:
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
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Server. The zero value is an Elasticsearch 7.10 without TLS that
// lets everybody in.
type Options struct {
	// Flavor is the product and version. The default is Elasticsearch710.
	Flavor Flavor
	// Fault is asked about each request that may come in; nil means that nothing
	// goes wrong with it. SetFault replaces it.
	Fault func(*http.Request) *Fault
	// Authorization lists the values of that header that are let in. The others
	// are answered with 401. None lets everybody in.
	Authorization []string
	// TLS serves HTTPS, with a certificate signed by the server's own authority.
	TLS bool
	// ClientCertificates asks for one of that authority. It needs TLS.
	ClientCertificates bool
	// MaxContentLength is the most bytes of a body, decompressed, as that of
	// http.max_content_length. 0 means no limit.
	MaxContentLength int64
	// Numbers are the paths of fields that are mapped as numbers: text in them
	// has a document refused.
	Numbers []string
}

// Server is the search server. Its methods may be called by any goroutine.
type Server struct {
	opts   Options
	flavor atomic.Pointer[Flavor]
	fault  atomic.Pointer[func(*http.Request) *Fault]

	decoded sync.Map // fields of documents, for searches
	tally   tally
	store   *store

	http     *http.Server
	listener *listener
	authority
	url string

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	serving chan struct{} // closed when the listener's goroutine has ended

	mu       sync.Mutex
	closed   bool
	handlers sync.WaitGroup
}

// New returns a server that is reached through DialContext alone, which works
// in a testing/synctest bubble.
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
	s := &Server{
		opts:     opts,
		store:    newStore(opts.Numbers),
		listener: newListener(l),
		url:      "http://" + address,
		serving:  make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.flavor.Store(&opts.Flavor)
	s.SetFault(opts.Fault)
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0), // handshakes that do not work out
	}
	serve := func() error { return s.http.Serve(s.listener) }
	if opts.TLS {
		var err error
		if s.authority, err = newAuthority(); err != nil {
			_ = l.Close()
			return nil, err
		}
		s.url = "https://" + address
		s.http.TLSConfig = &tls.Config{Certificates: []tls.Certificate{s.server}, MinVersion: tls.VersionTLS12}
		if opts.ClientCertificates {
			s.http.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
			s.http.TLSConfig.ClientCAs = x509.NewCertPool()
			s.http.TLSConfig.ClientCAs.AddCert(s.root)
		}
		serve = func() error { return s.http.ServeTLS(s.listener, "", "") }
	}
	go func() {
		defer close(s.serving)
		_ = serve() // ends with Close
	}()
	return s, nil
}

// URL is where the server is reached. That of New needs DialContext.
func (s *Server) URL() string { return s.url }

// SetFault replaces Options.Fault from the next request on.
func (s *Server) SetFault(f func(*http.Request) *Fault) { s.fault.Store(&f) }

// SetFlavor replaces the server by one of another version that has the same
// documents: open connections end.
func (s *Server) SetFlavor(f Flavor) {
	s.flavor.Store(&f)
	s.DropConns()
}

// Close ends every request and returns when their handlers have.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	_ = s.http.Close()
	s.Down() // also connections accepted in between
	<-s.serving
	s.handlers.Wait()
}

// enter reports whether a request may still be handled; leave it with
// s.handlers.Done.
func (s *Server) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.handlers.Add(1)
	return true
}
