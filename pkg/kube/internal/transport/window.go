package transport

import (
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// The HTTP/2 receive window of a log bounds how far the server may send ahead
// of what ktail has read. It determines how much a log delivers per round trip,
// and how much memory it uses while ktail's own output is blocked. The first
// logs get a wider window; with many logs, a narrow one keeps the connection
// busy as well.
//
// A window for the whole connection cannot replace these: a log whose lines are
// not due yet is not read, and would hold up the log that has the next line.
const (
	wideWindow   = 256 << 10
	wideLogs     = 16
	narrowWindow = 64 << 10 // the default of HTTP/2; net/http uses 4 MiB. A smaller window limits a busy log on a distant server
)

// logTransport opens logs, each on a connection with the window assigned to it.
type logTransport struct {
	wide, narrow http.RoundTripper
	slots        chan struct{} // each log with the wide window takes one
}

func newLogTransport(wide, narrow http.RoundTripper) *logTransport {
	return &logTransport{wide: wide, narrow: narrow, slots: make(chan struct{}, wideLogs)}
}

// RoundTrip implements http.RoundTripper.
func (t *logTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	rt, free := t.wide, func() {}
	select {
	case t.slots <- struct{}{}:
		free = sync.OnceFunc(func() { <-t.slots })
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

// logBody is the body of a log. Closing it frees the log's slot.
type logBody struct {
	io.ReadCloser
	share  batchShare
	follow bool
	free   func()
}

func (b *logBody) gotConn(info httptrace.GotConnInfo) {
	b.share.conn = coalescingUnder(info.Conn)
	if b.share.conn != nil && b.follow {
		b.share.conn.follows.Store(true)
	}
}

// coalescingUnder returns the coalescing connection that carries conn, or nil.
// TLS lies between them, twice if the proxy uses TLS as well.
func coalescingUnder(conn net.Conn) *coalescingConn {
	for {
		switch c := conn.(type) {
		case *coalescingConn:
			return c
		case interface{ NetConn() net.Conn }:
			conn = c.NetConn()
		default:
			return nil
		}
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
