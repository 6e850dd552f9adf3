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
)

const (
	// bulkTimeout is how long a server waits for a shard before it says, in the item,
	// which one it waits for.
	bulkTimeout = 20 * time.Second
	// headerTimeout is how long a server may take to begin its answer.
	headerTimeout = 30 * time.Second
	// requestTimeout is how long a bulk may take.
	requestTimeout = time.Minute
	// dialTimeout is how long a connection may take, and again a TLS handshake.
	dialTimeout = 5 * time.Second
	// probeTimeout is how long it may take to say what it is.
	probeTimeout = 5 * time.Second
	// maxAnswer bounds what is read of an answer. An item of a bulk that was
	// refused takes some hundred bytes.
	maxAnswer = 32 << 20
	// mostUsual bounds the room that is made for an answer before it is read.
	mostUsual = 2 << 20
	// maxRetryAfter is the longest a server may have us wait.
	maxRetryAfter = 5 * time.Minute
)

// ParseNodes parses the addresses of the nodes of one cluster. The user and
// password that one of them holds are taken out, so that no message shows them.
func ParseNodes(addresses []string) ([]*url.URL, Auth, error) {
	var nodes []*url.URL
	var auth Auth
	for _, address := range addresses {
		u, err := url.Parse(address)
		// An error of url.Parse quotes the address, and with it a password.
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, Auth{}, errors.New("an address of Elasticsearch is like http://host:9200")
		}
		if u.RawQuery != "" || u.Fragment != "" {
			return nil, Auth{}, fmt.Errorf("the address of Elasticsearch at %s ends with its path", u.Host)
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
		return nil, Auth{}, errors.New("no address of Elasticsearch")
	}
	return nodes, auth, nil
}

// NewTransport returns the transport for requests to the servers. config may be nil.
//
// HTTP/2 connections are pinged: a request's timeout does not close one, so that a
// connection whose other end is gone would be used for all requests to come. See
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

// client sends requests to the nodes of one cluster. It is used by many goroutines.
type client struct {
	nodes       *nodePool
	agent       string
	report      *reporter
	credentials func() (Credentials, error) // nil: those of the first session stay
	fixed       bool                        // the transport does not depend on credentials
	session     atomic.Pointer[session]
	reloading   sync.Mutex
	plain       atomic.Bool // bodies are not compressed: a server did not accept that
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

// responseBuffer is where answers are read to. One that comes compressed does not say how
// long it is; it is about as long as the last.
type responseBuffer struct {
	bytes.Buffer
	usual int
}

// response is an answer that was read to its end.
type response struct {
	status     int
	header     http.Header
	body       []byte
	node       *node
	auth       *Auth
	retryAfter time.Duration // 0 if the server did not ask for it
}

// request sends a request to a node, and to the next ones if that does not answer.
// Credentials go to the nodes alone: redirects are not followed. into is where the
// answer is read to; its body is good until that is used again.
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
		resp, err := c.ask(ctx, n, method, path, header, body, into)
		switch {
		case err != nil && ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
			return nil, err
		case err == nil && !resp.fromGateway():
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

// fromGateway reports whether the response is that of a proxy in front of a node
// that does not answer.
func (r *response) fromGateway() bool {
	switch r.status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return !json.Valid(r.body)
	}
	return false
}

// ask sends a request to one node and reads the answer.
func (c *client) ask(ctx context.Context, n *node, method, path string, header http.Header, body []byte, into *responseBuffer) (*response, error) {
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
	into.Grow(min(max(int(resp.ContentLength), into.usual), mostUsual) + bytes.MinRead)
	if _, err := into.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1)); err != nil {
		return nil, fmt.Errorf("read the response: %w", err)
	}
	into.usual = into.Len()
	if into.Len() > maxAnswer {
		return nil, fmt.Errorf("the response is longer than %d MiB", maxAnswer>>20)
	}
	return &response{
		status: resp.StatusCode, header: resp.Header, body: into.Bytes(), node: n, auth: &session.auth,
		retryAfter: parseRetryAfter(resp.Header.Get("Retry-After")),
	}, nil
}

// newRequest returns a request to the path, which is escaped, below that of the node.
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
		return maxRetryAfter // more than 64 bits of seconds
	}
	if at, err := http.ParseTime(s); err == nil {
		return min(max(time.Until(at), 0), maxRetryAfter)
	}
	return 0
}

// sendJSON sends a small request with a JSON body.
func (c *client) sendJSON(ctx context.Context, method, path, body string) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	header := http.Header{"Accept": {"application/json"}}
	if body != "" {
		header.Set("Content-Type", "application/json")
	}
	return c.request(ctx, method, path, header, []byte(body), &responseBuffer{})
}

// bulk sends a compressed body of actions and documents. into is as that of
// request.
func (c *client) bulk(ctx context.Context, path string, body []byte, into *responseBuffer) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-ndjson"}}
	if c.plain.Load() {
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
	return c.request(ctx, http.MethodPost, path, header, body, into)
}

// A StatusError is an answer that says that a request as a whole has failed.
type StatusError struct {
	Host   string
	Status int
	Type   string // as the server names it: index_not_found_exception; may be empty
	Reason string // in the server's words; may be empty
}

// Error says what the server said.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s: %d %s", e.Host, e.Status, http.StatusText(e.Status))
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// serverError returns what the server says is wrong with the request.
func (r *response) serverError() *StatusError {
	e := &StatusError{Host: r.node.url.Host, Status: r.status}
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(r.body, &body) == nil {
		e.Type, e.Reason = parseError(body.Error)
		e.Type, e.Reason = oneLine(r.auth.redact(e.Type)), oneLine(r.auth.redact(e.Reason))
	}
	if r.status >= 300 && r.status < 400 {
		e.Reason = "it points elsewhere; give the address that it points to"
		if to, err := url.Parse(r.header.Get("Location")); err == nil && to.Host != "" {
			e.Reason = oneLine(fmt.Sprintf("it points to %s; if that is right, give its address", to.Host))
		}
	}
	return e
}
