package transport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// listTimeout is how long the server may take to start its response to a
	// list. The API server itself gives up after a minute (--request-timeout).
	listTimeout = 65 * time.Second
	// responseTimeout is the limit for all other requests. If a node does not
	// respond, the API server gives up connecting to its kubelet after 30
	// seconds.
	responseTimeout = 30 * time.Second
)

// MaxRetryAfter is the longest time that a server can make ktail wait. A proxy or
// a misconfigured server may ask for a day.
const MaxRetryAfter = 30 * time.Second

// TimeoutError reports that the server accepted a request but did not start its
// response in time. It implements net.Error.
type TimeoutError struct{ After time.Duration }

// Error implements error.
func (e *TimeoutError) Error() string { return fmt.Sprintf("no response within %v", e.After) }

// Timeout implements net.Error.
func (e *TimeoutError) Timeout() bool { return true }

// Temporary implements net.Error.
func (e *TimeoutError) Temporary() bool { return true }

// headerTimeout returns how long the server may take to start its response; 0
// means no limit. A followed log has no limit, because the kubelet starts its
// response with the first line of the log (getContainerLogs in kubelet/server,
// v1.35), which may never come. There, HTTP/2 pings and TCP keep-alive detect a
// dead connection.
func headerTimeout(req *http.Request) time.Duration {
	query := req.URL.Query()
	switch {
	case query.Has("follow"):
		return 0
	case strings.HasSuffix(req.URL.Path, "/log"), query.Has("watch"):
		return responseTimeout
	case query.Has("limit"), query.Has("resourceVersion"), query.Has("labelSelector"):
		return listTimeout
	default:
		return responseTimeout
	}
}

// bounded returns a RoundTripper that bounds how long a response may take to start.
// It belongs below the credential plugin, whose prompt the user may take long to
// answer.
func bounded(next http.RoundTripper) http.RoundTripper {
	return roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		return withHeaderTimeout(next, req, headerTimeout(req))
	})
}

// checked returns a RoundTripper that bounds how long a response can make the client
// wait, and that detects responses that do not come from an API server.
func checked(next http.RoundTripper) http.RoundTripper {
	return roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil {
			return nil, explainPlainHTTP(req, err)
		}
		boundRetryAfter(resp.Header)
		if err := notAPIServer(req, resp); err != nil {
			_ = resp.Body.Close() // errors do not matter
			return nil, err
		}
		return resp, nil
	})
}

// withHeaderTimeout sends the request. It returns a TimeoutError if the
// response does not start in time.
func withHeaderTimeout(next http.RoundTripper, req *http.Request, limit time.Duration) (*http.Response, error) {
	if limit == 0 {
		return next.RoundTrip(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	timeout := &TimeoutError{limit}
	timer := time.AfterFunc(limit, func() { cancel(timeout) })
	resp, err := next.RoundTrip(req.WithContext(ctx))
	timer.Stop()
	if err != nil {
		defer cancel(nil)
		if errors.Is(context.Cause(ctx), timeout) {
			return nil, timeout
		}
		return nil, err
	}
	resp.Body = &cancelBody{resp.Body, cancel}
	return resp, nil
}

// cancelBody releases the context of its request when the body is closed.
type cancelBody struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

// Close implements io.Closer.
func (b *cancelBody) Close() error {
	defer b.cancel(nil)
	return b.ReadCloser.Close()
}

// boundRetryAfter limits the header Retry-After to MaxRetryAfter.
func boundRetryAfter(header http.Header) {
	value := header.Get("Retry-After")
	if value == "" {
		return
	}
	limit := int64(MaxRetryAfter / time.Second)
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		at, dateErr := http.ParseTime(value)
		switch {
		case dateErr == nil:
			seconds = int64(time.Until(at) / time.Second)
		case errors.Is(err, strconv.ErrRange) && value[0] != '-':
			seconds = limit
		default:
			header.Del("Retry-After")
			return
		}
	}
	header.Set("Retry-After", strconv.FormatInt(min(max(seconds, 0), limit), 10))
}

// notAPIServer returns an error if the response cannot come from an API server:
// a web page, such as the login page of a proxy, or the response of a TLS port
// to plain HTTP.
func notAPIServer(req *http.Request, resp *http.Response) error {
	typ, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err == nil && typ == "text/html" && !isListing(req, resp) {
		page := fmt.Sprintf("%s answered with a web page", req.URL.Host)
		if title := title(head(resp)); title != "" {
			page += fmt.Sprintf(" (%q)", title)
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s, status %d, in place of the Kubernetes API", page, resp.StatusCode)
		}
		return errors.New(page + " in place of the Kubernetes API; log in again, or check the server address in the kubeconfig")
	}
	if req.URL.Scheme == "http" && resp.StatusCode == http.StatusBadRequest {
		// These are the messages of net/http, Envoy, and nginx.
		if body := head(resp); bytes.Contains(body, []byte("HTTP request to an HTTPS server")) ||
			bytes.Contains(body, []byte("plain HTTP request was sent to HTTPS port")) {
			return errPlainHTTP(req)
		}
	}
	return nil
}

// isListing reports whether the response is the listing of a directory by the log
// endpoint of a kubelet.
func isListing(req *http.Request, resp *http.Response) bool {
	return strings.Contains(req.URL.Path, "/proxy/logs/") && bytes.Contains(head(resp), []byte("<pre>\n"))
}

// explainPlainHTTP adds to the error of a plain HTTP request that the server
// may speak TLS, because some servers close such a connection without a
// response.
func explainPlainHTTP(req *http.Request, err error) error {
	if req.URL.Scheme == "http" && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF)) {
		return fmt.Errorf("%w; if %s speaks TLS, use https:// in the kubeconfig", err, req.URL.Host)
	}
	return err
}

func errPlainHTTP(req *http.Request) error {
	return fmt.Errorf("%s speaks TLS: use https://%[1]s as the server address in the kubeconfig", req.URL.Host)
}

// head returns the start of the body. The body can still be read in full.
func head(resp *http.Response) []byte {
	const most = 4 << 10
	body, _ := io.ReadAll(io.LimitReader(resp.Body, most)) // reading the rest returns the error again
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), resp.Body), resp.Body}
	return body
}

var titleElement = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
})

// title returns the title of a web page, or "".
func title(page []byte) string {
	m := titleElement().FindSubmatch(page)
	if m == nil {
		return ""
	}
	return strings.Join(strings.Fields(string(m[1])), " ")
}

// CheckRedirect is an http.Client.CheckRedirect that does not follow a redirect
// to another server. That server would receive the credentials of the request,
// because the layer that adds them does so for any host.
func CheckRedirect(req *http.Request, via []*http.Request) error {
	const most = 10
	switch first := via[0].URL; {
	case req.URL.Scheme != first.Scheme || req.URL.Host != first.Host:
		return fmt.Errorf("the server redirects to %s://%s; not sending credentials there", req.URL.Scheme, req.URL.Host)
	case len(via) >= most:
		return fmt.Errorf("the server redirects more than %d times", most)
	}
	return nil
}
