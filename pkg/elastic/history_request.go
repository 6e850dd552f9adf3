package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/text"
)

var errSearchTimeout = errors.New("the server stopped the search before it was complete")

const (
	// searchTimeout is how long a server may take to answer a search.
	searchTimeout = 60 * time.Second
	// searchPatience is for how long a search is tried again when servers are busy or
	// unreachable.
	searchPatience = time.Minute
	// reportWaitAfter is how long a search takes until that is reported.
	reportWaitAfter = 10 * time.Second
)

// path returns the path of a search API.
func (h *History) path(api string) string {
	names := strings.Split(h.o.Index, ",")
	for i, name := range names {
		names[i] = strings.ReplaceAll(url.PathEscape(strings.TrimSpace(name)), "%2A", "*")
	}
	path := "/" + strings.Join(names, ",") + "/" + api
	if api == "_search" {
		// A failed shard, from 6.3 on, or a closed index that matches a pattern is an error.
		// By default, servers leave these out of the result. Responses are checked as well.
		path += "?allow_partial_search_results=false&expand_wildcards=open,closed"
	}
	return path
}

// search sends a search.
func (h *History) search(ctx context.Context, request jsonObject, into *responseBuffer) (*response, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	return h.send(ctx, http.MethodPost, h.path("_search"), "application/json", body, into)
}

// aggregate sends a search for aggregations, and decodes them. They are empty if no index
// matches.
func (h *History) aggregate(ctx context.Context, request jsonObject, aggregations any) error {
	var into responseBuffer
	resp, err := h.search(ctx, request, &into)
	if err != nil {
		return err
	}
	answer := struct {
		completeness
		Aggregations any `json:"aggregations"`
	}{Aggregations: aggregations}
	if json.Unmarshal(resp.body, &answer) != nil {
		return errResponse
	}
	return answer.err()
}

// send sends a request until a server answers it, or for searchPatience. A
// response that is not complete is an error.
func (h *History) send(ctx context.Context, method, path, contentType string, body []byte, into *responseBuffer) (resp *response, err error) {
	err = h.repeat(ctx, isTransient, func() (retryAfter time.Duration, err error) {
		resp, err = h.try(ctx, method, path, contentType, body, into)
		var status *StatusError
		if errors.As(err, &status) && resp != nil {
			retryAfter = resp.retryAfter
		}
		return retryAfter, err
	})
	return resp, err
}

// detect returns product and version of the servers. Addresses where no server listens
// are reported at once.
func (h *History) detect(ctx context.Context) (found server, err error) {
	isBusy := func(err error) bool {
		var status *StatusError
		return isTimeout(err) || errors.As(err, &status) && isTransient(err)
	}
	err = h.repeat(ctx, isBusy, func() (_ time.Duration, err error) {
		found, err = h.client.detect(ctx)
		return 0, err
	})
	return found, err
}

// repeat calls try until it succeeds, or for searchPatience if it is worth it.
func (h *History) repeat(ctx context.Context, isWorth func(error) bool, try func() (retryAfter time.Duration, err error)) error {
	if h.o.OnWait != nil {
		timer := time.AfterFunc(reportWaitAfter, func() {
			if h.waiting.CompareAndSwap(false, true) {
				h.o.OnWait(reportWaitAfter)
			}
		})
		defer timer.Stop()
	}
	begun := time.Now()
	delay := 250 * time.Millisecond
	for {
		retryAfter, err := try()
		if err == nil {
			h.waiting.Store(false)
			return nil
		}
		if ctx.Err() != nil || !isWorth(err) || time.Since(begun) > searchPatience {
			return err
		}
		if sleep(ctx, max(delay, min(retryAfter, searchPatience/4))); ctx.Err() != nil {
			return ctx.Err()
		}
		delay = min(2*delay, 5*time.Second)
	}
}

func (h *History) try(ctx context.Context, method, path, contentType string, body []byte, into *responseBuffer) (*response, error) {
	ctx, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	header := http.Header{"Accept": {"application/json"}, "Content-Type": {contentType}}
	if h.isLocal() {
		// Compression would cost a third of ktail's CPU time, and time of the server.
		header.Set("Accept-Encoding", "identity")
	}
	resp, err := h.client.request(ctx, method, path, header, body, into)
	if err != nil {
		return nil, err
	}
	if resp.status == http.StatusNotFound {
		return resp, fmt.Errorf("no index matches %q: check --history-index: %w", h.o.Index, resp.serverError())
	}
	if resp.status != http.StatusOK {
		err := resp.serverError()
		if err.Type == "index_closed_exception" {
			return resp, fmt.Errorf("%s is closed, so its lines cannot be read: open it, or exclude it by --history-index: %w", resp.failedIndex(), err)
		}
		return resp, err
	}
	return resp, nil
}

// failedIndex returns the index that the error in the response names.
func (r *response) failedIndex() string {
	var body struct{ Error struct{ Index string } }
	if json.Unmarshal(r.body, &body) != nil || body.Error.Index == "" {
		return "an index"
	}
	return "the index " + text.OneLine(body.Error.Index)
}

// isLocal reports whether all nodes are on this machine.
func (h *History) isLocal() bool {
	return !slices.ContainsFunc(h.o.Nodes, func(n *url.URL) bool {
		return n.Hostname() != "localhost" && !net.ParseIP(n.Hostname()).IsLoopback()
	})
}

// isTransient reports whether it is worth trying again.
func isTransient(err error) bool {
	var status *StatusError
	if !errors.As(err, &status) {
		return true // not reached, or cut off
	}
	return status.Status == http.StatusTooManyRequests || status.Status >= http.StatusInternalServerError
}
