package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/ktail/ktail/pkg/text"
)

// item is what the server says of one document.
type item struct {
	status int
	kind   string // of the error: mapper_parsing_exception
	reason string
	stored bool // put into the failure store: kept by the server, but not as meant
}

// filterPath has the server leave out of an answer what ktail does not read.
const filterPath = "errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by,items.*.failure_store"

var errAnswer = errors.New("the answer makes no sense")

// parseAnswer reads the answer to a bulk of n documents. It returns an item for
// each of them, or an error if that is not what the body is: then nothing is
// known of any document. items is used again for the result.
func parseAnswer(items []item, body []byte, n int) ([]item, error) {
	items, ok := parseUsual(items[:0], body, n)
	if ok {
		return items, nil
	}
	items, err := parseItems(items[:0], body)
	if err != nil {
		return nil, err
	}
	if len(items) != n {
		return nil, fmt.Errorf("%w: it is about %d documents, of %d that were sent", errAnswer, len(items), n)
	}
	return items, nil
}

// parseUsual reads, letter by letter, what the answer usually is: each document
// was created, or is there already. It costs next to nothing. The reasons of
// conflicts are left out.
func parseUsual(items []item, body []byte, n int) ([]item, bool) {
	s := usual{bytes.TrimSpace(body)}
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

// usual is what is left of an answer.
type usual struct{ rest []byte }

// skip reports whether it begins so, and takes that off.
func (s *usual) skip(what string) bool {
	ok := len(s.rest) >= len(what) && string(s.rest[:len(what)]) == what
	if ok {
		s.rest = s.rest[len(what):]
	}
	return ok
}

func (s *usual) item() (item, bool) {
	switch {
	case s.skip(`{"create":{"status":201}}`):
		return item{status: http.StatusCreated}, true
	case s.skip(`{"create":{"status":409,"error":{"type":"` + versionConflict + `","reason":"`):
		return item{status: http.StatusConflict, kind: versionConflict}, s.skipText() && s.skip("}}}")
	}
	return item{}, false
}

// skipText skips the rest of a string, unless it has escape sequences.
func (s *usual) skipText() bool {
	end := text.IndexSpecial(s.rest)
	if end < 0 || s.rest[end] != '"' {
		return false
	}
	s.rest = s.rest[end+1:]
	return true
}

// parseItems reads any answer, one item at a time.
func parseItems(items []item, body []byte) ([]item, error) {
	var answer struct {
		Errors *bool              `json:"errors"`
		Items  *[]json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if answer.Items == nil {
		return nil, fmt.Errorf("%w: it has no items", errAnswer)
	}
	for _, raw := range *answer.Items {
		var one map[string]struct {
			Status       int             `json:"status"`
			Error        json.RawMessage `json:"error"`
			FailureStore string          `json:"failure_store"`
		}
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		create, ok := one["create"]
		if !ok {
			create, ok = one["index"] // the answer to replaceAction
		}
		if !ok || len(one) != 1 {
			return nil, fmt.Errorf("%w: it has an item for an action that was not sent", errAnswer)
		}
		if create.Status < 200 || create.Status > 599 {
			return nil, fmt.Errorf("%w: it has an item of status %d", errAnswer, create.Status)
		}
		it := item{status: create.Status, stored: create.FailureStore == "used"}
		it.kind, it.reason = parseError(create.Error)
		items = append(items, it)
	}
	return items, nil
}

// parseError reads what a server says about an error: of an item or, without
// the word error around it, of a whole request.
func parseError(raw json.RawMessage) (kind, reason string) {
	var e struct {
		Type     string          `json:"type"`
		Reason   string          `json:"reason"`
		CausedBy json.RawMessage `json:"caused_by"`
	}
	var text string
	switch {
	case len(raw) == 0:
	case json.Unmarshal(raw, &e) == nil:
		if _, cause := parseError(e.CausedBy); cause != "" && cause != e.Reason {
			e.Reason += ": " + cause
		}
	case json.Unmarshal(raw, &text) == nil:
		e.Reason = text
	}
	return e.Type, cutText(e.Reason, maxReason)
}

// maxReason bounds what is kept of a server's words, which may quote a document.
const maxReason = 1000

// cutText returns the beginning of s.
func cutText(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return string(bytes.ToValidUTF8([]byte(s[:most]), nil)) + "…"
}
