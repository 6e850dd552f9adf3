package elastic_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// put indexes a document as another program does.
func put(t *testing.T, s server, index, document string) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/_bulk", strings.NewReader(`{"create":{"_index":"`+index+`","_id":"1"}}`+"\n"+document+"\n"))
	r.Header.Set("Content-Type", "application/x-ndjson")
	s.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"errors":false`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

// Documents of other programs are named instead of being left out silently.
func TestHistory_NamesOtherShippers(t *testing.T) {
	for _, c := range []struct{ shipper, document string }{
		{"Filebeat", `{"@timestamp":"2026-01-31T10:00:00.000Z","message":"a","agent":{"type":"filebeat","version":"8.17.0"},"log":{"offset":12},"kubernetes":{"namespace":"shop","pod":{"name":"web-1","uid":"1"},"container":{"name":"app"}}}`},
		{"Elastic Agent", `{"@timestamp":"2026-01-31T10:00:00.000Z","message":"a","agent":{"type":"filebeat"},"elastic_agent":{"id":"x"},"kubernetes":{"pod":{"name":"web-1"}}}`},
		{"Fluent Bit or Fluentd", `{"@timestamp":"2026-01-31T10:00:00.000Z","log":"a","stream":"stdout","kubernetes":{"pod_name":"web-1","namespace_name":"shop","pod_id":"1"}}`},
		{"OpenTelemetry", `{"@timestamp":"2026-01-31T10:00:00.000Z","body":{"text":"a"},"resource":{"attributes":{"k8s.pod.name":"web-1"}}}`},
		{"another program", `{"@timestamp":"2026-01-31T10:00:00.000Z","kubernetes":"text"}`},
	} {
		t.Run(c.shipper, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{})
				put(t, s, "theirs-1", c.document)
				_, _, err := history(t, s, func(o *elastic.HistoryOptions) { o.Index = "theirs-*" })
				foreign, ok := errors.AsType[*elastic.ForeignDocumentsError](err)
				if !ok || foreign.Shipper != c.shipper || foreign.Index != "theirs-*" || foreign.Example != "theirs-1" {
					t.Errorf("the error is %v, want one about %s", err, c.shipper)
				}
			})
		})
	}
}

// If the names are text fields, the server cannot list the streams.
func TestHistory_NamesOtherShippersThatCannotBeListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		put(t, s, "filebeat-1", `{"message":"a","agent":{"type":"filebeat"}}`)
		searches := 0
		s.SetFault(func(r *http.Request) *fakesearch.Fault {
			if !strings.HasSuffix(r.URL.Path, "/_search") {
				return nil
			}
			if searches++; searches > 1 {
				return nil
			}
			return failing(400, "illegal_argument_exception", "Fielddata is disabled on [kubernetes.pod.uid]")
		})
		_, _, err := history(t, s, func(o *elastic.HistoryOptions) { o.Index = "filebeat-*" })
		if err == nil || !strings.Contains(err.Error(), "are from Filebeat") {
			t.Errorf("the error is %v", err)
		}
	})
}

// An index without matching lines is not an error, even beside documents of others.
func TestHistory_NoMatchIsNotAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		if got, _, err := history(t, s, func(o *elastic.HistoryOptions) { o.Index = "*" }); err != nil || len(got) > 0 {
			t.Errorf("an empty server: %d lines, error %v", len(got), err)
		}
		put(t, s, "filebeat-1", `{"message":"a","agent":{"type":"filebeat"}}`)
		deliver(t, s, lines(numbered(5)...))
		got, _, err := history(t, s, func(o *elastic.HistoryOptions) {
			o.Index, o.Until = "*", time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		})
		if err != nil || len(got) > 0 {
			t.Errorf("%d lines, error %v", len(got), err)
		}
	})
}
