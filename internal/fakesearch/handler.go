package fakesearch

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.handlers.Done()
	flavor := s.flavor.Load()
	if flavor.ProductHeader {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
	}
	s.countRequest(r)
	fault := &Fault{}
	if f := *s.fault.Load(); f != nil {
		if got := f(r); got != nil {
			fault = got
		}
	}
	response := s.respond(flavor, r, fault)
	if !s.pause(r.Context(), fault.Delay) || fault.Cut == CutBeforeResponse {
		panic(http.ErrAbortHandler)
	}
	response.write(w, fault)
}

// pause waits for the duration. It returns false if the request ends first.
func (s *Server) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
	return false
}

// respond executes the request and returns the response. A fault may replace either.
func (s *Server) respond(flavor *Flavor, r *http.Request, fault *Fault) *Response {
	if fault.Cut == CutRequest {
		_, _ = io.CopyN(io.Discard, r.Body, fault.After)
		panic(http.ErrAbortHandler)
	}
	body, err := s.body(r)
	switch {
	case errors.Is(err, errTooLarge):
		return &Response{Status: http.StatusRequestEntityTooLarge}
	case err != nil && r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // the client has closed the connection
	case fault.Response != nil && !fault.Executed:
		return fault.Response
	case err != nil:
		return errorResponse(http.StatusBadRequest, "parse_exception", err.Error())
	}
	if len(s.opts.Authorization) > 0 && !slices.Contains(s.opts.Authorization, r.Header.Get("Authorization")) {
		a := errorResponse(http.StatusUnauthorized, "security_exception", "missing authentication credentials for REST request ["+r.URL.Path+"]")
		a.Header.Set("WWW-Authenticate", `Basic realm="security" charset="UTF-8"`)
		return a
	}
	response := s.route(flavor, r, body, fault)
	if fault.Response != nil {
		return fault.Response
	}
	return response
}

var errTooLarge = errors.New("the body is too large")

// body returns the decompressed body.
func (s *Server) body(r *http.Request) ([]byte, error) {
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, err
		}
		in = z
	}
	if limit := s.opts.MaxContentLength; limit > 0 {
		b, err := io.ReadAll(io.LimitReader(in, limit+1))
		if err == nil && int64(len(b)) > limit {
			return nil, errTooLarge
		}
		return b, err
	}
	return io.ReadAll(in)
}

func (s *Server) route(flavor *Flavor, r *http.Request, body []byte, fault *Fault) *Response {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	write := r.Method == http.MethodPut || r.Method == http.MethodPost
	switch {
	case first == "" && !write:
		return jsonResponse(http.StatusOK, flavor.info(s.opts.ClusterUUID))
	case isBulk(r) && write:
		index := first
		if first == "_bulk" {
			index = ""
		}
		return s.bulk(flavor, r, index, body, fault)
	case first == "_template" && !flavor.serverless(), first == "_index_template", first == "_component_template":
		return s.template(flavor, r.Method, first, rest, body)
	case first == "_data_stream" && flavor.DataStreams && r.Method == http.MethodPut:
		s.store.makeStream(rest)
		return jsonResponse(http.StatusOK, map[string]any{"acknowledged": true})
	case first == "_cluster" && !flavor.serverless():
		return jsonResponse(http.StatusOK, map[string]any{"cluster_name": "fakesearch", "status": "green", "number_of_nodes": 1})
	case first == "_mget":
		return s.multiGet(r, body)
	case rest == "" && !strings.HasPrefix(first, "_") && !write:
		if !s.store.has(first) {
			return errorResponse(http.StatusNotFound, "index_not_found_exception", "no such index ["+first+"]")
		}
		return jsonResponse(http.StatusOK, map[string]any{first: map[string]any{}})
	case rest == "_search":
		closed := s.store.closed(first)
		if len(closed) > 0 && strings.Contains(r.URL.Query().Get("expand_wildcards"), "closed") {
			return jsonResponse(http.StatusBadRequest, map[string]any{
				"error": map[string]any{"type": "index_closed_exception", "reason": "closed", "index": closed[0]}, "status": http.StatusBadRequest,
			})
		}
		return s.search(first, body)
	case rest == "_msearch":
		return s.multiSearch(first, body)
	case rest == "_field_caps":
		return s.fieldCaps(first, r.URL.Query().Get("fields"))
	case rest == "_count":
		return jsonResponse(http.StatusOK, map[string]any{"count": len(s.Documents(first))})
	case rest == "_rollover" && r.Method == http.MethodPost:
		return s.rollover(first, body)
	case strings.HasPrefix(rest, "_settings") && !write:
		return s.settings(first)
	case rest == "_refresh":
		return jsonResponse(http.StatusOK, map[string]any{"_shards": map[string]any{"failed": 0}})
	case flavor.serverless():
		return errorResponse(http.StatusGone, "api_not_available_exception",
			"Request for uri ["+r.URL.Path+"] with method ["+r.Method+"] exists but is not available when running in serverless mode")
	}
	return errorResponse(http.StatusBadRequest, "illegal_argument_exception", "no handler found for uri ["+r.URL.Path+"] and method ["+r.Method+"]")
}

// template stores or returns a template.
func (s *Server) template(flavor *Flavor, method, kind, name string, body []byte) *Response {
	if kind != "_template" && !flavor.IndexTemplates {
		return errorResponse(http.StatusMethodNotAllowed, "illegal_argument_exception", "Incorrect HTTP method for uri [/"+kind+"/"+name+"] and method ["+method+"], allowed: [POST]")
	}
	key := kind + "/" + name
	switch method {
	case http.MethodPut, http.MethodPost:
		var t template
		if err := json.Unmarshal(body, &t); err != nil {
			return errorResponse(http.StatusBadRequest, "parse_exception", err.Error())
		}
		if t.DataStream != nil && !flavor.DataStreams {
			return errorResponse(http.StatusBadRequest, "x_content_parse_exception", "[1:2] [index_template] unknown field [data_stream]")
		}
		t.body = body
		s.store.putTemplate(key, t)
		return jsonResponse(http.StatusOK, map[string]any{"acknowledged": true})
	case http.MethodGet, http.MethodHead:
		if body := s.Template(key); body != nil {
			return jsonResponse(http.StatusOK, map[string]any{name: json.RawMessage(body)})
		}
	}
	return jsonResponse(http.StatusNotFound, map[string]any{})
}

func jsonResponse(status int, v any) *Response {
	body, err := json.Marshal(v)
	if err != nil {
		panic("fakesearch: encode a response: " + err.Error()) // the values can be encoded
	}
	return &Response{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: string(body)}
}

func isBulk(r *http.Request) bool {
	return r.URL.Path == "/_bulk" || strings.HasSuffix(r.URL.Path, "/_bulk")
}
