package fakesearch

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// action is the action in front of a document in a bulk request.
type action struct {
	op       string
	Index    string  `json:"_index"`
	Type     *string `json:"_type"`
	ID       string  `json:"_id"`
	Pipeline string  `json:"pipeline"`
	Source   []byte  `json:"-"`
}

// bulk executes a bulk request.
func (s *Server) bulk(flavor *Flavor, r *http.Request, index string, body []byte, fault *Fault) *Response {
	actions, rejection := parseBulk(flavor, body, typeInPath(r.URL.Path))
	if rejection != nil {
		return rejection
	}
	query := r.URL.Query()
	requireStream := query.Get("require_data_stream") == "true"
	if _, given := query["require_data_stream"]; given && !flavor.RequireDataStream {
		return errorResponse(http.StatusBadRequest, "illegal_argument_exception", "request ["+r.URL.Path+"] contains unrecognized parameter: [require_data_stream]")
	}
	items := make([]json.RawMessage, 0, len(actions))
	filter := parseItemFilter(query.Get("filter_path"))
	if fault.Items != nil {
		filter = nil // the whole response is filtered below
	}
	failed := false
	for n, a := range actions {
		if a.Index == "" {
			a.Index = index
		}
		if a.Pipeline == "" {
			a.Pipeline = query.Get("pipeline")
		}
		d := Document{Index: a.Index, ID: a.ID, Source: a.Source, Pipeline: a.Pipeline}
		var v *Verdict
		if fault.Item != nil {
			v = fault.Item(n, d)
		}
		if v == nil {
			v = s.execute(flavor, a.op, &d, requireStream)
		}
		s.countVerdict(v)
		failed = failed || v.Type != ""
		items = append(items, itemOf(flavor, a, cmp.Or(d.Backing, a.Index), v, filter))
	}
	if fault.Items != nil {
		items = fault.Items(items)
	}
	response := map[string]any{"took": 1, "errors": failed, "items": items}
	if filter != nil {
		return jsonResponse(http.StatusOK, json.RawMessage(filter.response(failed, items)))
	}
	if filter := query.Get("filter_path"); filter != "" {
		response = filterPath(response, filter)
		if left, ok := response["items"].([]any); ok {
			response["items"] = inOrder(left)
		}
	}
	return jsonResponse(http.StatusOK, response)
}

// inOrder encodes items with their members in the order of the real servers.
func inOrder(items []any) []json.RawMessage {
	all := make([]json.RawMessage, len(items))
	for i, it := range items {
		b := []byte{'{'}
		for op, result := range it.(map[string]any) { // an item has one member
			b = append(strconv.AppendQuote(b, op), ':')
			b = appendMembers(b, result.(map[string]any), "_index", "_type", "_id", "_version", "result", "_seq_no", "status", "failure_store", "error")
		}
		all[i] = append(b, '}')
	}
	return all
}

func appendMembers(b []byte, members map[string]any, names ...string) []byte {
	b = append(b, '{')
	for _, name := range names {
		value, ok := members[name]
		if !ok {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, name), ':')
		if deeper, ok := value.(map[string]any); ok {
			b = appendMembers(b, deeper, "type", "reason")
			continue
		}
		encoded, err := json.Marshal(value)
		if err != nil {
			panic("fakesearch: encode an item: " + err.Error()) // decoded values can be encoded
		}
		b = append(b, encoded...)
	}
	return append(b, '}')
}

// typeInPath returns the document type in a path like /index/_doc/_bulk, or nil.
func typeInPath(path string) *string {
	if parts := strings.Split(path, "/"); len(parts) == 4 {
		return &parts[2]
	}
	return nil
}

// parseBulk parses all actions. Actions without a type get the type of the path. It
// returns an error response if the whole request is invalid.
func parseBulk(flavor *Flavor, body []byte, inPath *string) ([]action, *Response) {
	bad := func(reason string) ([]action, *Response) {
		return nil, errorResponse(http.StatusBadRequest, "illegal_argument_exception", reason)
	}
	if len(body) == 0 {
		return nil, errorResponse(http.StatusBadRequest, "parse_exception", "request body is required")
	}
	if body[len(body)-1] != '\n' {
		return bad(`The bulk request must be terminated by a newline [\n]`)
	}
	var actions []action
	for number := 1; len(body) > 0; number++ {
		var line []byte
		line, body, _ = bytes.Cut(body, []byte("\n"))
		if len(line) == 0 {
			continue
		}
		var ops map[string]action
		if err := json.Unmarshal(line, &ops); err != nil || len(ops) != 1 {
			return bad(fmt.Sprintf("Malformed action/metadata line [%d], expected START_OBJECT or END_OBJECT but found [VALUE_STRING]", number))
		}
		for op, a := range ops {
			a.op = op
			if a.Type == nil {
				a.Type = inPath
			}
			if op != "create" && op != "index" && op != "delete" {
				return bad(fmt.Sprintf("Malformed action/metadata line [%d], expected field [create], [delete], [index] or [update] but found [%s]", number, op))
			}
			switch {
			case a.Type != nil && flavor.Types == typesRejected:
				return bad(fmt.Sprintf("Action/metadata line [%d] contains an unknown parameter [_type]", number))
			case a.Type == nil && flavor.Types == typesRequired:
				return nil, errorResponse(http.StatusBadRequest, "action_request_validation_exception", "Validation Failed: 1: type is missing;")
			}
			if op != "delete" {
				a.Source, body, _ = bytes.Cut(body, []byte("\n"))
				a.Source = bytes.Clone(a.Source)
				number++
			}
			actions = append(actions, a)
		}
	}
	return actions, nil
}

// execute executes one action and sets d.Backing.
func (s *Server) execute(flavor *Flavor, op string, d *Document, requireStream bool) *Verdict {
	if op == "delete" {
		return s.store.remove(d.Index, d.ID)
	}
	return s.store.write(flavor, op, d, requireStream)
}

// write stores the document or rejects it, and returns the result.
func (s *store) write(flavor *Flavor, op string, d *Document, requireStream bool) *Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Index == "" {
		return &Verdict{Status: http.StatusBadRequest, Type: "action_request_validation_exception", Reason: "Validation Failed: 1: index is missing;"}
	}
	i := s.indices[d.Index]
	stream := i != nil && i.stream || i == nil && s.isStream(flavor, d.Index)
	switch {
	case requireStream && !stream:
		return &Verdict{Status: http.StatusNotFound, Type: "index_not_found_exception",
			Reason: fmt.Sprintf("no such index [%s] and [require_data_stream] request flag is [true] and [%s] is not a data stream", d.Index, d.Index)}
	case stream && op != "create":
		return &Verdict{Status: http.StatusBadRequest, Type: "illegal_argument_exception", Reason: "only write ops with an op_type of create are allowed in data streams"}
	}
	prefix := plainIndex
	if stream {
		prefix = streamPrefix
	}
	i = s.open(d.Index, prefix)
	i.stream = stream
	g := i.writeIndex()
	d.Backing = g.name
	if i.blocked {
		return &Verdict{Status: flavor.BlockStatus, Type: "cluster_block_exception",
			Reason: "index [" + d.Index + "] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];"}
	}
	timed, err := i.add(d.Source)
	if err == nil && stream && !timed {
		err = fmt.Errorf("data stream timestamp field [@timestamp] is missing")
	}
	switch {
	case err != nil && stream && flavor.FailureStore:
		i.failures = append(i.failures, *d)
		return &Verdict{Status: http.StatusCreated, FailureStore: "used"}
	case err != nil:
		return &Verdict{Status: http.StatusBadRequest, Type: flavor.MappingError, Reason: err.Error()}
	}
	if d.ID == "" {
		d.ID = "auto-" + strconv.Itoa(len(i.order))
	}
	place, there := g.places[d.ID]
	switch {
	case there && op == "create":
		return &Verdict{Status: http.StatusConflict, Type: "version_conflict_engine_exception",
			Reason: "[" + d.ID + "]: version conflict, document already exists (current version [1])"}
	case there:
		i.order[place] = *d
		return &Verdict{Status: http.StatusOK}
	}
	g.places[d.ID] = len(i.order)
	i.order = append(i.order, *d)
	return &Verdict{Status: http.StatusCreated}
}

func (s *Server) countVerdict(v *Verdict) {
	s.counter.Update(func(c *Counts) {
		switch {
		case v.Status < 300:
			c.Created++
		case v.Status == http.StatusConflict:
			c.Conflicts++
		default:
			c.Rejected++
		}
	})
}

// itemOf returns the item of a document in the response. Its members have the order of
// the real servers. A nil filter keeps all members.
func itemOf(flavor *Flavor, a action, backing string, v *Verdict, filter *itemFilter) json.RawMessage {
	b := append(strconv.AppendQuote([]byte{'{'}, a.op), ":{"...)
	member := func(name string) bool {
		if !filter.keeps(name) {
			return false
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, name), ':')
		return true
	}
	if member("_index") {
		b = appendJSON(b, backing)
	}
	if flavor.Types != typesRejected && member("_type") {
		b = append(b, `"_doc"`...)
	}
	if member("_id") {
		b = appendJSON(b, a.ID)
	}
	if v.Type == "" && member("_version") {
		b = append(b, '1')
	}
	if v.Type == "" && member("result") {
		b = append(b, `"created"`...)
	}
	if v.Type == "" && member("_seq_no") {
		b = append(b, '0')
	}
	if member("status") {
		b = strconv.AppendInt(b, int64(v.Status), 10)
	}
	if v.FailureStore != "" && member("failure_store") {
		b = appendJSON(b, v.FailureStore)
	}
	if v.Type != "" && (filter.keeps("error.type") || filter.keeps("error.reason")) && member("error") {
		b = filter.appendError(b, v)
	}
	return append(b, "}}"...)
}

func appendJSON(b []byte, s string) []byte {
	encoded, err := json.Marshal(s)
	if err != nil {
		panic("fakesearch: encode a string: " + err.Error()) // strings can be encoded
	}
	return append(b, encoded...)
}
