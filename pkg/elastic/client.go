package elastic

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/ktail/ktail/pkg/text"
)

const (
	// bulkTimeout is how long a server waits for an unavailable shard before it reports
	// the shard in the item.
	bulkTimeout = 20 * time.Second
	// headerTimeout is how long a server may take until it begins its response.
	headerTimeout = 30 * time.Second
	// requestTimeout is how long a bulk request may take.
	requestTimeout = time.Minute
	// dialTimeout limits the time to connect, and the time of the TLS handshake.
	dialTimeout = 5 * time.Second
	// probeTimeout is how long a small request may take. It doubles with each timeout, up
	// to headerTimeout.
	probeTimeout = 5 * time.Second
	// lookupTimeout is how long a lookup of documents may take.
	lookupTimeout = 30 * time.Second
	// maxResponse is the maximum length of a response. A rejected item takes a few
	// hundred bytes.
	maxResponse = 32 << 20
	// maxPresizedResponse limits the memory that is allocated for a response before it
	// is read.
	maxPresizedResponse = 2 << 20
	// maxRetryAfter is the longest Retry-After that ktail respects.
	maxRetryAfter = 5 * time.Minute
)

// ParseNodes parses the addresses of the nodes of one cluster. It removes user and
// password from the addresses, so that no message shows them, and returns them as Auth.
func ParseNodes(addresses []string) ([]*url.URL, Auth, error) {
	var nodes []*url.URL
	var auth Auth
	for _, address := range addresses {
		u, err := url.Parse(address)
		// Errors of url.Parse quote the address, including the password.
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, Auth{}, errors.New("must be a URL such as http://host:9200")
		}
		if u.RawQuery != "" || u.Fragment != "" {
			return nil, Auth{}, fmt.Errorf("%s: must be a URL without a query or a fragment", u.Host)
		}
		if u.User != nil {
			auth.User = u.User.Username()
			auth.Password, _ = u.User.Password()
			u.User = nil
		}
		u.Path = strings.TrimRight(u.Path, "/")
		nodes = append(nodes, u)
	}
	if len(nodes) == 0 {
		return nil, Auth{}, errors.New("must be at least one URL such as http://host:9200")
	}
	return nodes, auth, nil
}

// NewTransport returns the transport for requests to the servers. config may be nil.
//
// The transport pings HTTP/2 connections, because the timeout of a request does not
// close them: a half-open connection would be used for all later requests. See
// https://go.dev/issue/36026.
func NewTransport(config *tls.Config) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = config
	t.MaxIdleConnsPerHost = inFlight + 1
	t.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	t.TLSHandshakeTimeout = dialTimeout
	t.ResponseHeaderTimeout = headerTimeout
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second, WriteByteTimeout: headerTimeout}
	return t
}

// client sends requests to the nodes of one cluster. It is safe for concurrent use.
type client struct {
	nodes       *nodePool
	agent       string
	report      *reporter
	credentials func() (Credentials, error) // nil: the first session is used for good
	fixed       bool                        // the transport does not depend on credentials
	session     atomic.Pointer[session]
	reloading   sync.Mutex
	plain       plainBodies
	timeouts    atomic.Int32 // timeouts of small requests since one was fast
}

func newClient(o *Options, report *reporter) (*client, error) {
	c := &client{
		nodes: newNodePool(o.Nodes, report), agent: o.Version, report: report,
		credentials: o.Credentials, fixed: o.Transport != nil,
	}
	s := session{transport: o.Transport, read: time.Now()}
	if o.Credentials != nil {
		now, err := o.Credentials()
		if err != nil {
			return nil, err
		}
		s.auth, s.tls = now.Auth, now.TLS
	}
	if s.transport == nil {
		s.transport = NewTransport(s.tls)
	}
	c.session.Store(&s)
	return c, nil
}

// responseBuffer is a reusable buffer for responses. Compressed responses do not
// announce their length, so the buffer is sized like the previous response.
type responseBuffer struct {
	bytes.Buffer
	lastLen int
}

// response is a complete response.
type response struct {
	status     int
	header     http.Header
	body       []byte
	node       *node
	auth       *Auth
	plain      bool          // the body of the request was not compressed
	retryAfter time.Duration // 0 if there is no Retry-After header
}

// request sends a request to a node, and to the next node if that does not respond. It
// does not follow redirects, so that only the nodes receive credentials. The body of
// the response is in the buffer, and valid until the buffer is reused.
func (c *client) request(ctx context.Context, method, path string, header http.Header, body []byte, into *responseBuffer) (*response, error) {
	var errs []error
	var tried []*node
	for {
		n, err := c.nodes.pick(tried)
		if err != nil {
			return nil, err
		}
		if n == nil {
			return nil, errors.Join(errs...)
		}
		tried = append(tried, n)
		var resp *response
		if c.nodes.mayBeForeign(n) {
			err = c.probeNode(ctx, n)
		}
		if err == nil {
			resp, err = c.send(ctx, n, method, path, header, body, into)
		}
		switch {
		case err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
			return nil, err
		case err == nil && !resp.fromGateway(len(body) > 0):
			if resp.retryAfter > 0 && (resp.status == http.StatusTooManyRequests || resp.status >= http.StatusInternalServerError) {
				c.nodes.pause(n, resp.retryAfter)
			}
			return resp, nil
		case err == nil:
			err = resp.serverError()
			c.nodes.fail(n, err)
			if resp.retryAfter > 0 {
				c.nodes.pause(n, resp.retryAfter)
			}
			errs = append(errs, err)
		default:
			c.nodes.fail(n, err)
			errs = append(errs, fmt.Errorf("%s: %w", n.url.Host, err))
		}
		if ctx.Err() != nil {
			return nil, errors.Join(errs...)
		}
	}
}

// fromGateway reports whether a proxy responded in place of a node that it could not
// reach. A 400 to a request with a body may concern that body.
func (r *response) fromGateway(hasBody bool) bool {
	switch r.status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return !json.Valid(r.body)
	case http.StatusBadRequest:
		return !hasBody && !json.Valid(r.body)
	}
	return false
}

// send sends a request to one node and reads the response.
func (c *client) send(ctx context.Context, n *node, method, path string, header http.Header, body []byte, into *responseBuffer) (*response, error) {
	r, err := newRequest(ctx, n.url, method, path, body)
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, header)
	r.Header.Set("User-Agent", "ktail/"+c.agent)
	session := c.session.Load()
	session.auth.set(r)
	resp, err := session.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it is only read from
	into.Reset()
	into.Grow(min(max(int(resp.ContentLength), into.lastLen), maxPresizedResponse) + bytes.MinRead)
	if _, err := into.ReadFrom(io.LimitReader(resp.Body, maxResponse+1)); err != nil {
		return nil, fmt.Errorf("read the response: %w", err)
	}
	into.lastLen = into.Len()
	if into.Len() > maxResponse {
		return nil, fmt.Errorf("the response is longer than %d MiB", maxResponse>>20)
	}
	return &response{
		status: resp.StatusCode, header: resp.Header, body: into.Bytes(), node: n, auth: &session.auth,
		retryAfter: parseRetryAfter(resp.Header.Get("Retry-After")),
	}, nil
}

// newRequest returns a request for the path, which is escaped and relative to that of
// the node.
func newRequest(ctx context.Context, node *url.URL, method, path string, body []byte) (*http.Request, error) {
	u := *node
	escaped, query, _ := strings.Cut(path, "?")
	plain, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	u.RawPath, u.Path, u.RawQuery = u.EscapedPath()+escaped, u.Path+plain, query
	r, err := http.NewRequestWithContext(ctx, method, "", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.URL, r.Host = &u, u.Host
	return r, nil
}

func parseRetryAfter(s string) time.Duration {
	if s == "" {
		return 0
	}
	if seconds, err := strconv.ParseUint(s, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	if strings.Trim(s, "0123456789") == "" {
		return maxRetryAfter // the number of seconds does not fit in 64 bits
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}

// sendJSON sends a small request with a JSON body. The timeout is short, so that a silent
// node does not delay the start, and adapts if all nodes are always slow.
func (c *client) sendJSON(ctx context.Context, method, path, body string) (*response, error) {
	n := c.timeouts.Load()
	begin := time.Now()
	resp, err := c.sendJSONWithin(ctx, min(probeTimeout<<n, headerTimeout), method, path, body)
	switch {
	case isTimeout(err) && ctx.Err() == nil && probeTimeout<<n < headerTimeout && c.nodes.areDown():
		c.timeouts.CompareAndSwap(n, n+1)
	case err == nil && time.Since(begin) < probeTimeout/2:
		c.timeouts.Store(0)
	}
	return resp, err
}

// isTimeout reports whether a request failed because a server was silent or slow.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout() // includes context.DeadlineExceeded
}

// sendJSONWithin is sendJSON with another timeout.
func (c *client) sendJSONWithin(ctx context.Context, timeout time.Duration, method, path, body string) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	header := http.Header{"Accept": {"application/json"}}
	if body != "" {
		header.Set("Content-Type", "application/json")
	}
	return c.request(ctx, method, path, header, []byte(body), &responseBuffer{})
}

// bulk sends a compressed body of actions and documents. See request for the buffer.
func (c *client) bulk(ctx context.Context, path string, body []byte, into *responseBuffer) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-ndjson"}}
	plain := c.plain.on()
	if plain {
		r, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, fmt.Errorf("unpack bulk: %w", err)
		}
		if body, err = io.ReadAll(r); err != nil {
			return nil, fmt.Errorf("unpack bulk: %w", err)
		}
	} else {
		header.Set("Content-Encoding", "gzip")
	}
	resp, err := c.request(ctx, http.MethodPost, path, header, body, into)
	if resp != nil {
		resp.plain = plain
	}
	return resp, err
}

// plainFor is how long bodies are sent uncompressed before gzip is tried again.
const plainFor = 10 * time.Minute

// plainBodies records whether bodies are sent uncompressed, because a proxy may have
// rejected gzip. It is safe for concurrent use.
type plainBodies struct {
	mu    sync.Mutex
	until time.Time
}

func (p *plainBodies) on() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.until)
}

// turnOn is called after a rejection that may concern gzip. It returns false, and turns
// compression on again, if the rejected body was not compressed.
func (p *plainBodies) turnOn(plain bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Time{}
	if !plain {
		p.until = time.Now().Add(plainFor)
	}
	return !plain
}

// A StatusError is a response that reports the failure of a whole request.
type StatusError struct {
	Host   string
	Status int
	Type   string // type of the error, such as index_not_found_exception; may be empty
	Reason string // message of the server; may be empty
}

// Error returns the host, the status, and the reason.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s: %d %s", e.Host, e.Status, http.StatusText(e.Status))
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// serverError returns the error in the response.
func (r *response) serverError() *StatusError {
	e := &StatusError{Host: r.node.url.Host, Status: r.status}
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(r.body, &body) == nil {
		e.Type, e.Reason = parseError(body.Error)
		e.Type, e.Reason = text.OneLine(r.auth.redact(e.Type)), text.OneLine(r.auth.redact(e.Reason))
	}
	if r.status >= 300 && r.status < 400 {
		e.Reason = "redirect to another path; give the address of the search server"
		if to, err := url.Parse(r.header.Get("Location")); err == nil && to.Host != "" {
			e.Reason = text.OneLine(fmt.Sprintf("redirect to %s; if that is the search server, give its address", to.Host))
		}
	}
	return e
}
