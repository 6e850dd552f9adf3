package fakeapi

import (
	"cmp"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Break is how an answer goes wrong in its middle.
type Break int

const (
	// Whole lets the answer come whole.
	Whole Break = iota
	// End ends the body cleanly, as when the kubelet restarts.
	End
	// Reset breaks the stream off: the client sees an error.
	Reset
	// Stall sends nothing more on this stream, which stays open.
	Stall
	// Freeze stops all traffic of the TCP connection, HTTP/2 pings too. A
	// moment passes before it does, so that what was sent may arrive. Without
	// a listener it is Stall.
	Freeze
)

// Fault is how the answer to one request goes wrong. The zero value is none.
type Fault struct {
	// Delay passes before the answer.
	Delay time.Duration

	// Status, when not 0, is answered with a Status of Reason (by default the
	// usual one of the code) and Message, or with Body if there is one. A Body
	// without Status comes with 200 in the place of the real one.
	Status     int
	Reason     metav1.StatusReason
	Message    string
	Body       string
	Type       string        // content type of Body; empty: text/plain
	RetryAfter time.Duration // rounded up to whole seconds

	// Prefix is put in front of the real body.
	Prefix string

	// Break goes off when After bytes of the body, Prefix included, were sent.
	Break Break
	After int64
}

// Forbid is the fault of a user who may not do what r asks for.
func Forbid(r *http.Request) *Fault {
	status := statusOf(forbidden(Parse(r), "fake"))
	return &Fault{Status: int(status.Code), Reason: status.Reason, Message: status.Message}
}

// answer reports whether the fault took the place of the whole answer.
func (f *Fault) answer(w http.ResponseWriter) bool {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", itoa(int64(seconds(f.RetryAfter))))
	}
	switch {
	case f.Body != "":
		w.Header().Set("Content-Type", cmp.Or(f.Type, "text/plain"))
		if f.Status != 0 {
			w.WriteHeader(f.Status)
		}
		_, _ = w.Write([]byte(f.Body))
		return true
	case f.Status != 0:
		writeError(w, codeError(f.Status, f.Reason, f.Message, f.RetryAfter))
		return true
	}
	return false
}

// Cut cuts the open log streams that match accepts (nil: all), cleanly or by a
// reset, and returns how many they were.
func (s *Server) Cut(clean bool, match func(Request) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for w := range s.responses {
		if match == nil || match(w.req) {
			w.cutNow(clean)
			n++
		}
	}
	return n
}

// CutAll cuts every open log stream.
func (s *Server) CutAll(clean bool) int { return s.Cut(clean, nil) }
