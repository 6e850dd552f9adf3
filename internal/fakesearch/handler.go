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

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.handlers.Done()
	flavor := s.flavor.Load()
	if flavor.ProductHeader {
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
	}
	s.tally.countRequest(r)
	fault := &Fault{}
	if f := *s.fault.Load(); f != nil {
		if got := f(r); got != nil {
			fault = got
		}
	}
	answer := s.answer(flavor, r, fault)
	if !s.pause(r.Context(), fault.Delay) || fault.Cut == CutBeforeAnswer {
		panic(http.ErrAbortHandler)
	}
	answer.write(w, fault)
}

// pause reports whether the time has passed before the request ended.
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

// answer carries the request out, unless it has nothing to say or there is a fault.
func (s *Server) answer(flavor *Flavor, r *http.Request, fault *Fault) *Answer {
	if fault.Cut == CutRequest {
		_, _ = io.CopyN(io.Discard, r.Body, fault.After)
		panic(http.ErrAbortHandler)
	}
	body, err := s.body(r)
	switch {
	case errors.Is(err, errTooLarge):
		return &Answer{Status: http.StatusRequestEntityTooLarge}
	case err != nil && r.Context().Err() != nil:
		panic(http.ErrAbortHandler) // the client has left
	case fault.Answer != nil && !fault.Taken:
		return fault.Answer
	case err != nil:
		return errorAnswer(http.StatusBadRequest, "parse_exception", err.Error())
	}
	if len(s.opts.Authorization) > 0 && !slices.Contains(s.opts.Authorization, r.Header.Get("Authorization")) {
		a := errorAnswer(http.StatusUnauthorized, "security_exception", "missing authentication credentials for REST request ["+r.URL.Path+"]")
		a.Header.Set("WWW-Authenticate", `Basic realm="security" charset="UTF-8"`)
		return a
	}
	answer := s.route(flavor, r, body, fault)
	if fault.Answer != nil {
		return fault.Answer
	}
	return answer
}

var errTooLarge = errors.New("the body is too large")

// body reads it, decompressed.
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

func (s *Server) route(flavor *Flavor, r *http.Request, body []byte, fault *Fault) *Answer {
	first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	write := r.Method == http.MethodPut || r.Method == http.MethodPost
	switch {
	case first == "" && !write:
		return jsonAnswer(http.StatusOK, flavor.info())
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
		return jsonAnswer(http.StatusOK, map[string]any{"acknowledged": true})
	case first == "_cluster" && !flavor.serverless():
		return jsonAnswer(http.StatusOK, map[string]any{"cluster_name": "fakesearch", "status": "green", "number_of_nodes": 1})
	case rest == "" && !strings.HasPrefix(first, "_") && !write:
		if !s.store.has(first) {
			return errorAnswer(http.StatusNotFound, "index_not_found_exception", "no such index ["+first+"]")
		}
		return jsonAnswer(http.StatusOK, map[string]any{first: map[string]any{}})
	case rest == "_search":
		return s.search(first, body)
	case rest == "_msearch":
		return s.multiSearch(first, body)
	case rest == "_count":
		return jsonAnswer(http.StatusOK, map[string]any{"count": len(s.Documents(first))})
	case rest == "_rollover" && flavor.DataStreams && r.Method == http.MethodPost:
		return jsonAnswer(http.StatusOK, map[string]any{"acknowledged": false, "rolled_over": false})
	case rest == "_refresh":
		return jsonAnswer(http.StatusOK, map[string]any{"_shards": map[string]any{"failed": 0}})
	case flavor.serverless():
		return errorAnswer(http.StatusGone, "api_not_available_exception",
			"Request for uri ["+r.URL.Path+"] with method ["+r.Method+"] exists but is not available when running in serverless mode")
	}
	return errorAnswer(http.StatusBadRequest, "illegal_argument_exception", "no handler found for uri ["+r.URL.Path+"] and method ["+r.Method+"]")
}

// template keeps a template, or shows it.
func (s *Server) template(flavor *Flavor, method, kind, name string, body []byte) *Answer {
	if kind != "_template" && !flavor.IndexTemplates {
		return errorAnswer(http.StatusMethodNotAllowed, "illegal_argument_exception", "Incorrect HTTP method for uri [/"+kind+"/"+name+"] and method ["+method+"], allowed: [POST]")
	}
	key := kind + "/" + name
	switch method {
	case http.MethodPut, http.MethodPost:
		var t template
		if err := json.Unmarshal(body, &t); err != nil {
			return errorAnswer(http.StatusBadRequest, "parse_exception", err.Error())
		}
		if t.DataStream != nil && !flavor.DataStreams {
			return errorAnswer(http.StatusBadRequest, "x_content_parse_exception", "[1:2] [index_template] unknown field [data_stream]")
		}
		t.body = body
		s.store.putTemplate(key, t)
		return jsonAnswer(http.StatusOK, map[string]any{"acknowledged": true})
	case http.MethodGet, http.MethodHead:
		if body := s.Template(key); body != nil {
			return jsonAnswer(http.StatusOK, map[string]any{name: json.RawMessage(body)})
		}
	}
	return jsonAnswer(http.StatusNotFound, map[string]any{})
}

func jsonAnswer(status int, v any) *Answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic("fakesearch: encode an answer: " + err.Error()) // made of what can be encoded
	}
	return &Answer{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: string(body)}
}

func isBulk(r *http.Request) bool {
	return r.URL.Path == "/_bulk" || strings.HasSuffix(r.URL.Path, "/_bulk")
}
