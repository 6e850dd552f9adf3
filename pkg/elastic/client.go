package elastic

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	// requestTimeout is how long a server may take to answer a bulk.
	requestTimeout = 30 * time.Second
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

// Auth is how a client shows who it is. It takes the first that is there.
type Auth struct {
	APIKey   string
	Bearer   string
	User     string
	Password string
}

func (a *Auth) set(r *http.Request) {
	switch {
	case a.APIKey != "":
		r.Header.Set("Authorization", "ApiKey "+a.APIKey)
	case a.Bearer != "":
		r.Header.Set("Authorization", "Bearer "+a.Bearer)
	case a.User != "" || a.Password != "":
		r.SetBasicAuth(a.User, a.Password)
	}
}

// leastSecret is how long a secret is at least. One that is shorter could be part
// of any word.
const leastSecret = 4

// redact returns what a server has said without the secrets, in case that it
// repeats what it was sent.
func (a *Auth) redact(words string) string {
	if words == "" {
		return ""
	}
	secrets := []string{a.APIKey, a.Bearer, a.Password}
	if id, err := base64.StdEncoding.DecodeString(a.APIKey); err == nil {
		_, key, _ := strings.Cut(string(id), ":")
		secrets = append(secrets, key)
	}
	if a.Password != "" {
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(a.User+":"+a.Password)), url.QueryEscape(a.Password))
	}
	for _, secret := range secrets {
		if len(secret) >= leastSecret {
			words = strings.ReplaceAll(words, secret, "***")
		}
	}
	return words
}

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
		return nil, Auth{}, errors.New("there is no address of Elasticsearch")
	}
	return nodes, auth, nil
}

// NewTransport returns what speaks HTTP to the servers. config may be nil.
func NewTransport(config *tls.Config) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = config
	t.MaxIdleConnsPerHost = inFlight + 1
	return t
}

// client sends requests to the nodes of one cluster. Many goroutines use it.
type client struct {
	nodes     []*url.URL
	auth      Auth
	agent     string
	transport http.RoundTripper
	next      atomic.Uint32 // the node to ask
	plain     atomic.Bool   // bodies are not compressed: a server did not like that
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
	node       *url.URL
	auth       *Auth
	retryAfter time.Duration // 0 if the server did not ask for it
}

// request sends a request to a node, and to the next ones if it cannot be
// reached. Credentials go to the nodes alone: redirects are not followed.
// into is where the answer is read to; its body is good until that is used again.
func (c *client) request(ctx context.Context, method, path string, header http.Header, body []byte, into *responseBuffer) (*response, error) {
	var errs []error
	for range c.nodes {
		index := c.next.Load()
		node := c.nodes[int(index)%len(c.nodes)]
		resp, err := c.ask(ctx, node, method, path, header, body, into)
		if err == nil && resp.status < http.StatusInternalServerError && resp.status != http.StatusTooManyRequests {
			if len(c.nodes) > 1 && method == http.MethodPost {
				c.next.CompareAndSwap(index, index+1) // bulks take turns
			}
			return resp, nil
		}
		c.next.CompareAndSwap(index, index+1)
		if err == nil {
			return resp, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", node.Host, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// ask sends a request to one node and reads the answer.
func (c *client) ask(ctx context.Context, node *url.URL, method, path string, header http.Header, body []byte, into *responseBuffer) (*response, error) {
	u := *node
	path, query, _ := strings.Cut(path, "?")
	u.Path, u.RawQuery = u.Path+path, query
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, header)
	r.Header.Set("User-Agent", "ktail/"+c.agent)
	c.auth.set(r)
	resp, err := c.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it is only read from
	into.Reset()
	into.Grow(min(max(int(resp.ContentLength), into.usual), mostUsual) + bytes.MinRead)
	if _, err := into.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1)); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	into.usual = into.Len()
	if into.Len() > maxAnswer {
		return nil, fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)
	}
	return &response{
		status: resp.StatusCode, header: resp.Header, body: into.Bytes(), node: node, auth: &c.auth,
		retryAfter: parseRetryAfter(resp.Header.Get("Retry-After")),
	}, nil
}

func parseRetryAfter(s string) time.Duration {
	if s == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(s); err == nil {
		return min(max(time.Duration(seconds), 0)*time.Second, maxRetryAfter)
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
	e := &StatusError{Host: r.node.Host, Status: r.status}
	var body struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(r.body, &body) == nil {
		e.Type, e.Reason = parseError(body.Error)
		e.Type, e.Reason = r.auth.redact(e.Type), r.auth.redact(e.Reason)
	}
	if r.status >= 300 && r.status < 400 {
		e.Reason = "it points elsewhere; give the address that it points to"
		if to, err := url.Parse(r.header.Get("Location")); err == nil && to.Host != "" {
			e.Reason = fmt.Sprintf("it points to %s; if that is right, give its address", to.Host)
		}
	}
	return e
}
