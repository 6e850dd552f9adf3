package kube

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// turnMost is how long a request that gets no connection keeps others waiting.
const turnMost = time.Second

// turns lets requests take their connection one after the other. An API server
// takes a hundred at a time on each, and net/http has every request that finds
// them all taken make one of its own, although the first would do for the rest:
// a thousand logs were 240 connections, and ten stayed.
type turns struct {
	http.RoundTripper
	turn   chan struct{} // capacity 1
	single atomic.Bool   // connections are for one request each: the server does not speak HTTP/2
}

func takingTurns(rt http.RoundTripper) *turns {
	return &turns{RoundTripper: rt, turn: make(chan struct{}, 1)}
}

// RoundTrip implements http.RoundTripper, for requests that have no body.
func (t *turns) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if !t.single.Load() {
		end, err := t.begin(ctx)
		if err != nil {
			return nil, err
		}
		defer end()
		req = req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { end() },
		}))
	}
	resp, err := t.RoundTripper.RoundTrip(req)
	if err == nil && resp.ProtoMajor < 2 {
		t.single.Store(true)
	}
	return resp, err
}

// begin waits for the turn.
func (t *turns) begin(ctx context.Context) (end func(), err error) {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	free := sync.OnceFunc(func() { <-t.turn })
	timer := time.AfterFunc(turnMost, free)
	return func() {
		timer.Stop()
		free()
	}, nil
}
