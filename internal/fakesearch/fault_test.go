package fakesearch_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
)

func TestFaults_AreInjected(t *testing.T) {
	tests := []struct {
		name   string
		fault  *fakesearch.Fault
		status int    // 0: the response is incomplete
		body   string // substring of the body
		kept   int
	}{
		{"200 without a body", fakesearch.EmptyBody(), 200, "", 3},
		{"500 without a body", fakesearch.Failed(500), 500, "", 0},
		{"a page", fakesearch.HTMLPage(502), 502, "<html>", 0},
		{"too large", fakesearch.Failed(413), 413, "", 0},
		{"busy", fakesearch.Busy(1500 * time.Millisecond), 429, "es_rejected_execution_exception", 0},
		{"denied", fakesearch.Denied(403), 403, "security_exception", 0},
		{"no items", &fakesearch.Fault{Items: func([]json.RawMessage) []json.RawMessage { return []json.RawMessage{} }}, 200, `"items":[]`, 3},
		{"too few items", &fakesearch.Fault{Items: func(i []json.RawMessage) []json.RawMessage { return i[:1] }}, 200, "201", 3},
		{"too many items", &fakesearch.Fault{Items: func(i []json.RawMessage) []json.RawMessage { return append(i, i...) }}, 200, "201", 3},
		{"each its own", &fakesearch.Fault{Item: func(n int, _ fakesearch.Document) *fakesearch.Verdict {
			return []*fakesearch.Verdict{nil, {Status: 429, Type: "es_rejected_execution_exception"}, {Status: 400, Type: "mapper_parsing_exception"}}[n]
		}}, 200, "mapper_parsing_exception", 1},
		{"cut in the request", &fakesearch.Fault{Cut: fakesearch.CutRequest, After: 10}, 0, "", 0},
		{"cut before the answer", &fakesearch.Fault{Cut: fakesearch.CutBeforeResponse}, 0, "", 3},
		{"cut in the answer", &fakesearch.Fault{Cut: fakesearch.CutResponse, After: 20}, 0, "", 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, fakesearch.Options{Fault: func(*http.Request) *fakesearch.Fault { return tt.fault }})
			resp, body, err := c.do("PUT", "/_bulk", create("a", "1", "2", "3"))
			switch {
			case tt.status == 0 && err == nil:
				t.Errorf("the answer came whole: %s", body)
			case tt.status != 0 && err != nil:
				t.Error(err)
			case err == nil && (resp.StatusCode != tt.status || !strings.Contains(body, tt.body)):
				t.Errorf("%d: %s", resp.StatusCode, body)
			case err == nil && tt.status == 429 && resp.Header.Get("Retry-After") != "2":
				t.Errorf("Retry-After %q, want 2", resp.Header.Get("Retry-After"))
			}
			c.SetFault(nil)
			wantStatuses(t, c.statuses(create("b", "1")), 201)
			if kept := len(c.Documents("a")); kept != tt.kept {
				t.Errorf("%d documents are kept, want %d", kept, tt.kept)
			}
		})
	}
}

// The response arrives after the client has given up; the documents are stored.
func TestFault_LateResponseIsExecuted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, fakesearch.Options{Fault: func(*http.Request) *fakesearch.Fault { return &fakesearch.Fault{Delay: time.Minute} }})
		c.http.Timeout = time.Second
		if _, _, err := c.do("POST", "/_bulk", create("a", "1")); err == nil {
			t.Error("the answer came in time")
		}
		if len(c.Documents("a")) != 1 {
			t.Error("the document is not kept")
		}
		c.http.Timeout = 2 * time.Minute
		if got := c.statuses(create("a", "1")); got[0] != 409 {
			t.Errorf("statuses %v", got)
		}
	})
}

func TestRedirect_IsSent(t *testing.T) {
	other := newClient(t, fakesearch.Options{})
	c := newClient(t, fakesearch.Options{Fault: func(*http.Request) *fakesearch.Fault {
		return fakesearch.Redirect(http.StatusTemporaryRedirect, "http://elsewhere:9200/_bulk")
	}})
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, _, err := c.do("POST", "/_bulk", create("a", "1"))
	if err != nil || resp.StatusCode != 307 || resp.Header.Get("Location") != "http://elsewhere:9200/_bulk" {
		t.Errorf("%v, %+v", err, resp)
	}
	if other.Counts().Requests != 0 {
		t.Error("the other server was asked")
	}
}
