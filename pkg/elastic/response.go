package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/ktail/ktail/pkg/text"
)

// item is the result of one document in a bulk response. It is small, because a sender
// holds one for each of thousands of documents, and few have an error.
type item struct {
	err    *itemError // nil: none
	index  string     // concrete index; empty unless the request asked for it
	status int16
	stored bool // the server put the document into the failure store
}

// itemError is the error of a document.
type itemError struct {
	kind   string // such as mapper_parsing_exception
	reason string
}

// errConflict is the error of a document that is in the index.
var errConflict = &itemError{kind: versionConflict}

// failedItem returns an item with an error, unless kind and reason are empty.
func failedItem(status int, kind, reason string) item {
	it := item{status: int16(status)}
	if kind != "" || reason != "" {
		it.err = &itemError{kind, reason}
	}
	return it
}

// kind returns the type of the error; empty without one.
func (it *item) kind() string {
	if it.err == nil {
		return ""
	}
	return it.err.kind
}

// reason returns the reason of the error; empty without one.
func (it *item) reason() string {
	if it.err == nil {
		return ""
	}
	return it.err.reason
}

// filterPath makes the servers omit the fields that ktail does not read.
// With indexFilterPath they also name the concrete index of each document.
const (
	filterPath      = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by,items.*.failure_store"
	indexFilterPath = filterPath + ",items.*._index"
)

var errResponse = errors.New("unexpected response")

// parseBulkResponse parses the response to a bulk request with n documents. It returns
// one item per document, or an error if the body is anything else: then the result of
// all documents is unknown. It reuses items for the result.
func parseBulkResponse(items []item, body []byte, n int) ([]item, error) {
	items, ok := parseFast(slices.Grow(items[:0], n), body, n)
	if ok {
		return items, nil
	}
	items, err := parseItems(items[:0], body)
	if err != nil {
		return nil, err
	}
	if len(items) != n {
		return nil, fmt.Errorf("%w: it has %d items for %d documents", errResponse, len(items), n)
	}
	return items, nil
}

// parseFast parses the most frequent responses: each document was created or is already
// indexed. It compares bytes and does not allocate. It omits the reasons of conflicts.
func parseFast(items []item, body []byte, n int) ([]item, bool) {
	s := fastParser{rest: bytes.TrimSpace(body)}
	if !s.skip(`{"errors":false,"items":[`) && !s.skip(`{"errors":true,"items":[`) {
		return items, false
	}
	for i := range n {
		if i > 0 && !s.skip(",") {
			return items, false
		}
		it, ok := s.item()
		if !ok {
			return items, false
		}
		items = append(items, it)
	}
	return items, s.skip("]}") && len(s.rest) == 0
}

// fastParser holds the rest of a response.
type fastParser struct {
	rest  []byte
	index []byte // text of the last index name, as in the response
	name  string // text as a string
}

// skip removes the prefix and reports whether it was there.
func (s *fastParser) skip(prefix string) bool {
	ok := len(s.rest) >= len(prefix) && string(s.rest[:len(prefix)]) == prefix
	if ok {
		s.rest = s.rest[len(prefix):]
	}
	return ok
}

func (s *fastParser) item() (item, bool) {
	if !s.skip(`{"create":{`) || !s.skipIndex() {
		return item{}, false
	}
	switch {
	case s.skip(`"status":201}}`):
		return item{status: http.StatusCreated, index: s.name}, true
	case s.skip(`"status":409,"error":{"type":"` + versionConflict + `","reason":"`):
		return item{status: http.StatusConflict, err: errConflict, index: s.name}, s.skipText() && s.skip("}}}")
	}
	return item{}, false
}

// skipIndex skips the name of the index, if there is one, and stores it in name.
func (s *fastParser) skipIndex() bool {
	if !s.skip(`"_index":"`) {
		s.name = ""
		return true
	}
	start := s.rest
	if !s.skipText() {
		return false
	}
	if text := start[:len(start)-len(s.rest)-1]; s.name == "" || !bytes.Equal(text, s.index) {
		s.index, s.name = text, string(text)
	}
	return s.skip(",")
}

// skipText skips the rest of a string. It returns false if the string has escape
// sequences.
func (s *fastParser) skipText() bool {
	end := text.IndexSpecial(s.rest)
	if end < 0 || s.rest[end] != '"' {
		return false
	}
	s.rest = s.rest[end+1:]
	return true
}

// parseItems parses any bulk response.
func parseItems(items []item, body []byte) ([]item, error) {
	var response struct {
		Errors *bool              `json:"errors"`
		Items  *[]json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(body, &response); err != nil {
		return nil, fmt.Errorf("%w: %w", errResponse, err)
	}
	if response.Items == nil {
		return nil, fmt.Errorf("%w: it has no items", errResponse)
	}
	for _, raw := range *response.Items {
		var one map[string]struct {
			Index        string          `json:"_index"`
			Status       int             `json:"status"`
			Error        json.RawMessage `json:"error"`
			FailureStore string          `json:"failure_store"`
		}
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, fmt.Errorf("%w: %w", errResponse, err)
		}
		create, ok := one["create"]
		if !ok {
			create, ok = one["index"] // the result of replaceAction
		}
		if !ok || len(one) != 1 {
			return nil, fmt.Errorf("%w: it has an item for an action that was not sent", errResponse)
		}
		if create.Status < 200 || create.Status > 599 {
			return nil, fmt.Errorf("%w: it has an item of status %d", errResponse, create.Status)
		}
		kind, reason := parseError(create.Error)
		it := failedItem(create.Status, kind, reason)
		it.stored, it.index = create.FailureStore == "used", create.Index
		items = append(items, it)
	}
	return items, nil
}

// parseError parses the error of an item or of a whole request. Some servers send a
// string instead of an object.
func parseError(raw json.RawMessage) (kind, reason string) {
	var e struct {
		Type     string          `json:"type"`
		Reason   string          `json:"reason"`
		CausedBy json.RawMessage `json:"caused_by"`

		RootCause []json.RawMessage `json:"root_cause"` // names what failed in a shard
	}
	var plain string
	switch {
	case len(raw) == 0:
	case json.Unmarshal(raw, &e) == nil:
		cause := e.CausedBy
		if len(cause) == 0 && len(e.RootCause) > 0 {
			cause = e.RootCause[0]
		}
		if _, cause := parseError(cause); cause != "" && cause != e.Reason {
			e.Reason += ": " + cause
		}
	case json.Unmarshal(raw, &plain) == nil:
		e.Reason = plain
	}
	return e.Type, text.Shorten(e.Reason, maxReason)
}

// maxReason is the maximum length of a reason, which may quote a document.
const maxReason = 1000
