package fakesearch

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// Cut is where a connection is cut.
type Cut int

const (
	// CutNowhere lets the request and its answer through.
	CutNowhere Cut = iota
	// CutRequest cuts when Fault.After bytes of the body were read: nothing is
	// carried out.
	CutRequest
	// CutBeforeAnswer carries the request out and answers nothing.
	CutBeforeAnswer
	// CutAnswer cuts when Fault.After bytes of the answer's body were sent.
	CutAnswer
)

// Fault is how one request goes wrong. The zero value is none.
type Fault struct {
	// Answer takes the place of the real answer. The request is not carried out,
	// unless Taken says so.
	Answer *Answer
	Taken  bool

	// Item is asked about each document of a bulk, by its place. What is not nil
	// is its fate instead of what it would have been.
	Item func(n int, d Document) *Verdict
	// Items replaces the items of the answer to a bulk, once it was carried out.
	Items func([]json.RawMessage) []json.RawMessage

	// Delay passes before the answer, when the request was carried out.
	Delay time.Duration

	Cut   Cut
	After int64
}

// Answer is a whole answer.
type Answer struct {
	Status int // 0 is 200
	Header http.Header
	Body   string
}

// Verdict is the fate of one document.
type Verdict struct {
	Status int
	// Type and Reason are those of the error; empty without one.
	Type, Reason string
	// FailureStore is the result of storing the document there: used, failed,
	// not_enabled.
	FailureStore string
}

// Empty is an answer of 200 without a body, to a request that was carried out.
func Empty() *Fault { return &Fault{Taken: true, Answer: &Answer{}} }

// Failed is an answer of that status without a body.
func Failed(status int) *Fault { return &Fault{Answer: &Answer{Status: status}} }

// Page is an answer of a proxy, for people.
func Page(status int) *Fault {
	return &Fault{Answer: &Answer{
		Status: status,
		Header: http.Header{"Content-Type": {"text/html"}},
		Body:   "<html>\r\n<head><title>" + http.StatusText(status) + "</title></head>\r\n<body>Please try again.</body>\r\n</html>\r\n",
	}}
}

// Busy is an answer of 429 that asks for time; 0 does not say how much.
func Busy(retryAfter time.Duration) *Fault {
	f := &Fault{Answer: errorAnswer(http.StatusTooManyRequests, "es_rejected_execution_exception", "rejected execution of coordinating operation")}
	if retryAfter > 0 {
		seconds := (retryAfter + time.Second - 1) / time.Second
		f.Answer.Header.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	return f
}

// Denied is an answer of 401 or 403 by the server's security.
func Denied(status int) *Fault {
	return &Fault{Answer: errorAnswer(status, "security_exception", "action [indices:data/write/bulk] is unauthorized")}
}

// Redirect sends the client elsewhere, with that status.
func Redirect(status int, to string) *Fault {
	return &Fault{Answer: &Answer{Status: status, Header: http.Header{"Location": {to}}}}
}

// RefuseGzip is the fault of a proxy that knows no compressed requests; nil for
// one that is not compressed.
func RefuseGzip(r *http.Request) *Fault {
	if r.Header.Get("Content-Encoding") == "" {
		return nil
	}
	return Failed(http.StatusUnsupportedMediaType)
}

// errorAnswer is an error of the whole request.
func errorAnswer(status int, kind, reason string) *Answer {
	cause := map[string]any{"type": kind, "reason": reason}
	body, _ := json.Marshal(map[string]any{ // strings can be encoded
		"error":  map[string]any{"root_cause": []any{cause}, "type": kind, "reason": reason},
		"status": status,
	})
	return &Answer{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: string(body)}
}

// write sends the answer, up to where the fault cuts it.
func (a *Answer) write(w http.ResponseWriter, f *Fault) {
	maps.Copy(w.Header(), a.Header)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.Body)))
	w.WriteHeader(cmp.Or(a.Status, http.StatusOK))
	if f.Cut == CutAnswer && f.After < int64(len(a.Body)) {
		_, _ = io.WriteString(w, a.Body[:f.After])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, a.Body)
}
