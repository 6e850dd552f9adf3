package kube

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptrace"
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
	narrowWindow = 64 << 10 // HTTP/2's own default; that of net/http is 4 MiB. With less, a far server could not send a busy log fast enough
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
	rt, free := t.wide, func() {}
	select {
	case t.places <- struct{}{}:
		free = sync.OnceFunc(func() { <-t.places })
	default:
		rt = t.narrow
	}
	body := &logBody{free: free, follow: req.URL.Query().Has("follow")}
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{GotConn: body.gotConn})
	resp, err := rt.RoundTrip(req.WithContext(ctx))
	if err != nil {
		free()
		return nil, err
	}
	body.ReadCloser, resp.Body = resp.Body, body
	return resp, nil
}

// logBody is the body of a log. It gives the log's place back when it is closed.
type logBody struct {
	io.ReadCloser
	share  logShare
	follow bool
	free   func()
}

func (b *logBody) gotConn(info httptrace.GotConnInfo) {
	conn := info.Conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	b.share.conn, _ = conn.(*gatheringConn)
	if b.share.conn != nil && b.follow {
		b.share.conn.followed.Store(true)
	}
}

func (b *logBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.share.conn != nil {
		b.share.add(n)
	}
	return n, err
}

func (b *logBody) Close() error {
	defer b.free()
	return b.ReadCloser.Close()
}
