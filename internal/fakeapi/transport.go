package fakeapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
)

// Transport returns a RoundTripper that calls the server without a connection.
// Bodies are streamed without buffering: a handler continues when its client
// has read what it wrote.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ server *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	stop := context.AfterFunc(t.server.ctx, func() { cancel(io.ErrUnexpectedEOF) })
	body, out := io.Pipe()
	w := &pipeResponse{header: http.Header{}, out: out, ready: make(chan struct{})}
	context.AfterFunc(ctx, func() { _ = out.CloseWithError(context.Cause(ctx)) })
	in := r.Clone(ctx)
	in.RequestURI = r.URL.RequestURI()

	go func() {
		defer cancel(nil)
		defer stop()
		defer func() {
			switch err := recover(); err {
			case nil:
				w.WriteHeader(http.StatusOK)
				_ = out.CloseWithError(context.Cause(ctx)) // a clean end, unless the client has disconnected
			case http.ErrAbortHandler:
				_ = out.CloseWithError(io.ErrUnexpectedEOF)
				w.WriteHeader(http.StatusOK)
			default:
				panic(err)
			}
		}()
		t.server.ServeHTTP(w, in)
	}()

	select {
	case <-w.ready:
	case <-ctx.Done():
		select {
		case <-w.ready: // the handler has already returned
		default:
			return nil, context.Cause(ctx)
		}
	}
	return &http.Response{
		Status:        http.StatusText(w.code),
		StatusCode:    w.code,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.sent,
		Body:          &pipeBody{body, cancel, length(w.sent)},
		ContentLength: length(w.sent),
		Request:       r,
	}, nil
}

// length returns the length of the body according to the header; -1: not known.
func length(header http.Header) int64 {
	n, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// pipeBody ends the request when it is closed.
type pipeBody struct {
	*io.PipeReader
	cancel context.CancelCauseFunc
	left   int64 // bytes that are to come; negative: not known
}

// Read implements io.Reader. As in net/http, a body that is shorter than its header says
// ends with an error.
func (b *pipeBody) Read(p []byte) (int, error) {
	n, err := b.PipeReader.Read(p)
	if errors.Is(err, io.EOF) && b.left > int64(n) {
		err = io.ErrUnexpectedEOF
	}
	b.left -= int64(n)
	return n, err
}

func (b *pipeBody) Close() error {
	b.cancel(nil)
	return b.PipeReader.Close()
}

// pipeResponse is the server's end of the body.
type pipeResponse struct {
	header http.Header
	out    *io.PipeWriter
	once   sync.Once
	ready  chan struct{} // closed when code and sent are set
	code   int
	sent   http.Header
}

func (w *pipeResponse) Header() http.Header { return w.header }

func (w *pipeResponse) WriteHeader(code int) {
	w.once.Do(func() {
		w.code, w.sent = code, w.header.Clone()
		close(w.ready)
	})
}

func (w *pipeResponse) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if len(p) == 0 {
		return 0, nil
	}
	return w.out.Write(p)
}

// FlushError sends the header. The body is never buffered.
func (w *pipeResponse) FlushError() error {
	w.WriteHeader(http.StatusOK)
	return nil
}
