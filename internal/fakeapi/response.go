package fakeapi

import (
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/ktail/ktail/internal/faultserver"
)

// errBroken is the error that a handler gets when its response must end.
var errBroken = errors.New("the answer was broken off")

// response is the response to one request, which a fault or Cut can end.
type response struct {
	http.ResponseWriter
	ctl    *http.ResponseController
	r      *http.Request
	req    Request
	done   <-chan struct{} // closed when the server closes
	how    Break
	left   int64     // bytes until the break; unused for Whole
	prefix string    // not yet sent
	cut    chan bool // receives one value from cutNow: whether to end cleanly
	abort  bool      // end with a reset
}

func newResponse(w http.ResponseWriter, r *http.Request, done <-chan struct{}, fault *Fault) *response {
	resp := &response{
		ResponseWriter: w,
		ctl:            http.NewResponseController(w),
		r:              r,
		req:            Parse(r),
		done:           done,
		cut:            make(chan bool, 1),
	}
	if fault != nil {
		resp.how, resp.left, resp.prefix = fault.Break, fault.After, fault.Prefix
	}
	return resp
}

// Unwrap supports http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) Write(p []byte) (int, error) {
	if w.prefix != "" {
		prefix := w.prefix
		w.prefix = ""
		if _, err := w.Write([]byte(prefix)); err != nil {
			return 0, err
		}
	}
	if w.how == Whole {
		return w.ResponseWriter.Write(p)
	}
	n := min(int64(len(p)), w.left)
	w.left -= n
	if n > 0 {
		if m, err := w.ResponseWriter.Write(p[:n]); err != nil {
			return m, err
		}
	}
	if w.left == 0 {
		return int(n), w.breakOff()
	}
	return int(n), nil
}

// flush sends what was written. A response without a body breaks here.
func (w *response) flush() error {
	if w.prefix != "" {
		if _, err := io.WriteString(w, ""); err != nil {
			return err
		}
	}
	if err := w.ctl.Flush(); err != nil {
		return err
	}
	if w.how != Whole && w.left == 0 {
		return w.breakOff()
	}
	return nil
}

// breakOff returns when the handler must end.
func (w *response) breakOff() error {
	_ = w.ctl.Flush()
	switch w.how {
	case Reset:
		w.abort = true
		return errBroken
	case Freeze:
		faultserver.FreezeSoon(w.r)
		fallthrough
	case Stall:
		select {
		case clean := <-w.cut:
			w.abort = !clean
		case <-w.r.Context().Done():
		case <-w.done:
		}
	}
	return errBroken
}

// wait blocks until there is something to do, and returns an error if the
// response must end. A nil timer never fires.
func (w *response) wait(changed <-chan struct{}, timer <-chan time.Time) error {
	select {
	case <-changed:
	case <-timer:
	case clean := <-w.cut:
		w.abort = !clean
		return errBroken
	case <-w.r.Context().Done():
		return w.r.Context().Err()
	case <-w.done:
		return errBroken
	}
	return nil
}

// cutNow ends the response, even if its client does not read.
func (w *response) cutNow(clean bool) {
	select {
	case w.cut <- clean:
	default: // already cut
	}
	if !clean {
		_ = w.ctl.SetWriteDeadline(time.Unix(1, 0))
	}
}
