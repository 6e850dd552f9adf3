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

// Cut is the point at which a connection is closed.
type Cut int

const (
	// CutNowhere does not close the connection.
	CutNowhere Cut = iota
	// CutRequest closes the connection after Fault.After bytes of the request body. The
	// request is not executed.
	CutRequest
	// CutBeforeResponse executes the request and closes the connection without a
	// response.
	CutBeforeResponse
	// CutResponse closes the connection after Fault.After bytes of the response body.
	CutResponse
)

// Fault describes how one request fails. The zero value means no fault.
type Fault struct {
	// Response replaces the real response. The request is not executed unless Executed
	// is set.
	Response *Response
	Executed bool

	// Item decides the result of a document of a bulk by its index. A nil result leaves
	// the document alone.
	Item func(n int, d Document) *Verdict
	// Items replaces the items in the response to an executed bulk.
	Items func([]json.RawMessage) []json.RawMessage

	// Delay is the time between the execution and the response.
	Delay time.Duration

	Cut   Cut
	After int64
}

// Response is a complete response.
type Response struct {
	Status int // 0 means 200
	Header http.Header
	Body   string
}

// Verdict is the result of one document.
type Verdict struct {
	Status int
	// Type and Reason describe the error; they are empty if there is none.
	Type, Reason string
	// FailureStore is the result of storing the document in the failure store: used,
	// failed, or not_enabled.
	FailureStore string
}

// EmptyBody executes the request and responds with 200 and an empty body.
func EmptyBody() *Fault { return &Fault{Executed: true, Response: &Response{}} }

// Failed responds with the status and an empty body.
func Failed(status int) *Fault { return &Fault{Response: &Response{Status: status}} }

// HTMLPage responds like a proxy, with the status and an HTML page.
func HTMLPage(status int) *Fault {
	return &Fault{Response: &Response{
		Status: status,
		Header: http.Header{"Content-Type": {"text/html"}},
		Body:   "<html>\r\n<head><title>" + http.StatusText(status) + "</title></head>\r\n<body>Please try again.</body>\r\n</html>\r\n",
	}}
}

// Busy responds with 429 and, unless retryAfter is 0, a Retry-After header.
func Busy(retryAfter time.Duration) *Fault {
	f := &Fault{Response: errorResponse(http.StatusTooManyRequests, "es_rejected_execution_exception", "rejected execution of coordinating operation")}
	if retryAfter > 0 {
		seconds := (retryAfter + time.Second - 1) / time.Second
		f.Response.Header.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	return f
}

// Denied responds with 401 or 403, like the security plugin of the server.
func Denied(status int) *Fault {
	return &Fault{Response: errorResponse(status, "security_exception", "action [indices:data/write/bulk] is unauthorized")}
}

// Redirect responds with a redirect.
func Redirect(status int, to string) *Fault {
	return &Fault{Response: &Response{Status: status, Header: http.Header{"Location": {to}}}}
}

// RefuseGzip is the fault of a proxy that does not support compressed requests. It is
// nil for an uncompressed request.
func RefuseGzip(r *http.Request) *Fault {
	if r.Header.Get("Content-Encoding") == "" {
		return nil
	}
	return Failed(http.StatusUnsupportedMediaType)
}

// errorResponse returns the response for the failure of a whole request.
func errorResponse(status int, kind, reason string) *Response {
	cause := map[string]any{"type": kind, "reason": reason}
	body, _ := json.Marshal(map[string]any{ // strings can be encoded
		"error":  map[string]any{"root_cause": []any{cause}, "type": kind, "reason": reason},
		"status": status,
	})
	return &Response{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: string(body)}
}

// write sends the response up to the point where the fault cuts it.
func (r *Response) write(w http.ResponseWriter, f *Fault) {
	maps.Copy(w.Header(), r.Header)
	w.Header().Set("Content-Length", strconv.Itoa(len(r.Body)))
	w.WriteHeader(cmp.Or(r.Status, http.StatusOK))
	if f.Cut == CutResponse && f.After < int64(len(r.Body)) {
		_, _ = io.WriteString(w, r.Body[:f.After])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, r.Body)
}
