package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// ForeignDocumentsError reports that an index contains documents, but none that ktail
// has forwarded.
type ForeignDocumentsError struct {
	Index   string // where the user searched
	Example string // index with such a document
	Shipper string // program that wrote it, or "another program"
}

// Error implements error.
func (e *ForeignDocumentsError) Error() string {
	return fmt.Sprintf("the documents in %s (for example in the index %s) are from %s: history reads only lines that ktail has forwarded, which have the field event.sequence",
		e.Index, e.Example, e.Shipper)
}

// explain returns a ForeignDocumentsError if no stream could be listed because the
// index belongs to another program, or else err. Text fields, which other programs often
// use for names, cannot be aggregated; servers respond to that with 400.
func (h *History) explain(ctx context.Context, err error) error {
	var status *StatusError
	if err != nil && (!errors.As(err, &status) || status.Status != http.StatusBadRequest) {
		return err
	}
	sequence := jsonObject{"exists": jsonObject{"field": "event.sequence"}}
	own, ownErr := h.sample(ctx, anyOf(sequence, minimalDocuments))
	if ownErr != nil || own != nil {
		return err
	}
	foreign, foreignErr := h.sample(ctx, jsonObject{"bool": jsonObject{"must_not": []jsonObject{sequence}}})
	if foreignErr != nil || foreign == nil {
		return err
	}
	return &ForeignDocumentsError{Index: h.o.Index, Example: foreign.Index, Shipper: shipperOf(foreign.Source)}
}

// sampled is a document of a search response.
type sampled struct {
	Index  string          `json:"_index"`
	Source json.RawMessage `json:"_source"`
}

// sample returns a document that matches the query, or nil if there is none.
func (h *History) sample(ctx context.Context, query jsonObject) (*sampled, error) {
	var into responseBuffer
	resp, err := h.search(ctx, jsonObject{"size": 1, "query": query}, &into)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Hits struct {
			Hits []sampled `json:"hits"`
		} `json:"hits"`
	}
	if json.Unmarshal(resp.body, &answer) != nil {
		return nil, errResponse
	}
	if len(answer.Hits.Hits) == 0 {
		return nil, nil
	}
	return &answer.Hits.Hits[0], nil
}

// shipperOf returns the program that wrote a document, according to its fields:
// https://www.elastic.co/guide/en/beats/filebeat/current/exported-fields-beat-common.html
// https://docs.fluentbit.io/manual/pipeline/filters/kubernetes
// https://www.elastic.co/docs/reference/opentelemetry/compatibility
func shipperOf(document []byte) string {
	var d struct {
		Agent        struct{ Type string }
		ElasticAgent json.RawMessage `json:"elastic_agent"`
		Kubernetes   struct {
			PodName json.RawMessage `json:"pod_name"`
		}
		Resource struct{ Attributes json.RawMessage }
		Scope    json.RawMessage
	}
	if json.Unmarshal(document, &d) != nil { // a field has another type than in these programs
		return "another program"
	}
	switch {
	case d.ElasticAgent != nil:
		return "Elastic Agent"
	case d.Agent.Type == "filebeat":
		return "Filebeat"
	case d.Kubernetes.PodName != nil:
		return "Fluent Bit or Fluentd"
	case d.Resource.Attributes != nil, d.Scope != nil:
		return "OpenTelemetry"
	}
	return "another program"
}
