package transport

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// dialGateLimit is how long a request that waits for a connection holds the
// gate.
const dialGateLimit = time.Second

// dialGate lets one request at a time wait for a connection. An API server
// allows a hundred streams per HTTP/2 connection, and net/http dials a new
// connection for every request that finds no connection with a free stream,
// although one new connection would serve a hundred of them. Without the gate,
// opening a thousand logs dials 240 connections, of which ten remain.
type dialGate struct {
	http.RoundTripper
	gate      chan struct{} // capacity 1
	exclusive atomic.Bool   // every request needs its own connection, because the server does not speak HTTP/2
}

func newDialGate(rt http.RoundTripper) *dialGate {
	return &dialGate{RoundTripper: rt, gate: make(chan struct{}, 1)}
}

// RoundTrip implements http.RoundTripper, for requests without a body.
func (g *dialGate) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if !g.exclusive.Load() {
		leave, err := g.enter(ctx)
		if err != nil {
			return nil, err
		}
		defer leave()
		req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { leave() },
		}))
	}
	resp, err := g.RoundTripper.RoundTrip(req)
	if err == nil && resp.ProtoMajor < 2 {
		g.exclusive.Store(true)
	}
	return resp, err
}

// CloseIdleConnections closes the connections that no request uses.
func (g *dialGate) CloseIdleConnections() {
	if rt, ok := g.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		rt.CloseIdleConnections()
	}
}

// enter waits for the gate.
func (g *dialGate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free := sync.OnceFunc(func() { <-g.gate })
	timer := time.AfterFunc(dialGateLimit, free)
	return func() {
		timer.Stop()
		free()
	}, nil
}
