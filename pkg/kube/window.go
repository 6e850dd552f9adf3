package kube

import (
	"io"
	"net/http"
	"sync"
)

// What a server may send of a log ahead of what is read from it: the log's
// HTTP/2 window. It bounds what a log may bring in one round trip, and the
// memory that it takes while our own output is blocked. So the first logs have
// a wider one: a thousand of them together keep any connection busy.
//
// A window of the whole connection is no bound for both: a log from which
// nothing is read, because its lines are not due yet, would hold up the one
// that brings those that are.
const (
	wideWindow   = 256 << 10
	wideLogs     = 16
	narrowWindow = 64 << 10 // the least that net/http takes; its default is 4 MiB
)

// logTransport opens logs, each over a connection with the window it gets.
type logTransport struct {
	wide, narrow http.RoundTripper
	places       chan struct{} // one taken by each log that is read with the wide window
}

func newLogTransport(wide, narrow http.RoundTripper) *logTransport {
	return &logTransport{wide: wide, narrow: narrow, places: make(chan struct{}, wideLogs)}
}

// RoundTrip implements http.RoundTripper.
func (t *logTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case t.places <- struct{}{}:
	default:
		return t.narrow.RoundTrip(req)
	}
	free := sync.OnceFunc(func() { <-t.places })
	resp, err := t.wide.RoundTrip(req)
	if err != nil {
		free()
		return nil, err
	}
	resp.Body = &placedBody{resp.Body, free}
	return resp, nil
}

// placedBody gives its place back when it is closed.
type placedBody struct {
	io.ReadCloser
	free func()
}

func (b *placedBody) Close() error {
	defer b.free()
	return b.ReadCloser.Close()
}
