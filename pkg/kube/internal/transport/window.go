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
// and how much memory it uses while ktail does not read it: because its lines
// are not due yet, or because ktail's own output is blocked. The first logs get
// a wider window; with many logs, a narrow one keeps the connection busy as well.
//
// A log that is not followed is read as its lines become due, so all its window
// is in use. With a thousand of them, slim windows hold 15 MB, and narrow ones
// 60 MB, which costs more page faults than it saves requests. A followed log never
// gets a slim window, because it might not keep up with the container.
//
// A window for the whole connection cannot replace these: a log whose lines are
// not due yet is not read, and would hold up the log that has the next line.
const (
	wideWindow   = 256 << 10
	wideLogs     = 16
	narrowWindow = 64 << 10 // the default of HTTP/2; net/http uses 4 MiB. A smaller window limits a busy log on a distant server
	narrowLogs   = 64       // that are not followed
	slimWindow   = 16 << 10
)

// logTransport opens logs, each on a connection with the window assigned to it.
type logTransport struct {
	wide, narrow, slim tier
}

// tier is a transport whose logs have a window of one size.
type tier struct {
	http.RoundTripper
	slots chan struct{} // each log that is not beyond the tier's limit takes one
}

// take takes a slot and returns a function that frees it, or nil if there is none.
func (t *tier) take() (free func()) {
	select {
	case t.slots <- struct{}{}:
		return sync.OnceFunc(func() { <-t.slots })
	default:
		return nil
	}
}

func newLogTransport(wide, narrow, slim http.RoundTripper) *logTransport {
	return &logTransport{
		wide:   tier{wide, make(chan struct{}, wideLogs)},
		narrow: tier{narrow, make(chan struct{}, narrowLogs)},
		slim:   tier{slim, nil},
	}
}

// assign returns the transport for the next log, and a function to be called when
// the log is closed.
func (t *logTransport) assign(follow bool) (rt http.RoundTripper, free func()) {
	if free := t.wide.take(); free != nil {
		return t.wide, free
	}
	if follow {
		return t.narrow, func() {}
	}
	if free := t.narrow.take(); free != nil {
		return t.narrow, free
	}
	return t.slim, func() {}
}

// RoundTrip implements http.RoundTripper.
func (t *logTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	follow := req.URL.Query().Has("follow")
	rt, free := t.assign(follow)
	body := &logBody{free: free, follow: follow}
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
