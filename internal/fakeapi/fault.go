package fakeapi

import (
	"cmp"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Break is how a response fails in the middle.
type Break int

const (
	// Whole sends the complete response.
	Whole Break = iota
	// End ends the body cleanly, as when the kubelet restarts.
	End
	// Reset resets the stream, so the client sees an error.
	Reset
	// Stall sends nothing more on this stream, which stays open.
	Stall
	// Freeze stops all traffic of the TCP connection, including HTTP/2 pings,
	// after a short delay in which data that was already sent can arrive.
	// Without a listener, it equals Stall.
	Freeze
)

// Fault is how the response to one request fails. The zero value means no
// fault.
type Fault struct {
	// Delay is the time before the response.
	Delay time.Duration

	// If Status is not 0, the response is a Status object with Reason (default:
	// the usual one for the code) and Message, or Body if it is not empty. A
	// Body without Status replaces the real body, with status 200.
	Status     int
	Reason     metav1.StatusReason
	Message    string
	Body       string
	Type       string        // content type of Body; empty: text/plain
	RetryAfter time.Duration // rounded up to whole seconds

	// Prefix is sent before the real body.
	Prefix string

	// Break happens after After bytes of the body, including Prefix.
	Break Break
	After int64
}

// Forbid returns the fault for a user who may not send the request.
func Forbid(r *http.Request) *Fault {
	status := statusOf(forbidden(Parse(r), "fake"))
	return &Fault{Status: int(status.Code), Reason: status.Reason, Message: status.Message}
}

// answer reports whether the fault replaced the complete response.
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

// Cut ends the open log streams that match accepts (nil: all), cleanly or with
// a reset, and returns their number.
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

// CutAll ends every open log stream.
func (s *Server) CutAll(clean bool) int { return s.Cut(clean, nil) }
