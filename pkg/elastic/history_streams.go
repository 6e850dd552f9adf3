package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/ktail/ktail/pkg/ktail"
)

// streamsPage is how many streams a request lists.
const streamsPage = 500

// listStreams returns all streams that have lines in the range of the query.
// https://www.elastic.co/guide/en/elasticsearch/reference/6.4/search-aggregations-bucket-composite-aggregation.html
func (h *History) listStreams(ctx context.Context, q *historyQuery) ([]historyStream, error) {
	source := func(name, field string) jsonObject {
		return jsonObject{name: jsonObject{"terms": jsonObject{"field": field}}}
	}
	composite := jsonObject{"size": streamsPage, "sources": []jsonObject{
		source("uid", "kubernetes.pod.uid"), source("container", "kubernetes.container.name"),
	}}
	body := jsonObject{
		"size":  0,
		"query": sequenceRange(q.from, q.to),
		"aggs": jsonObject{"streams": jsonObject{
			"composite": composite,
			"aggs": jsonObject{
				"first": jsonObject{"min": jsonObject{"field": "event.sequence"}},
				"newest": jsonObject{"top_hits": jsonObject{
					"size": 1, "sort": []jsonObject{{"event.sequence": "desc"}},
					"_source": []string{"kubernetes", "container", "orchestrator", "host"},
				}},
			},
		}},
	}
	var all []historyStream
	for {
		page, after, err := h.streamsPage(ctx, body)
		if err != nil {
			return nil, fmt.Errorf("list the streams in %s: %w", h.o.Index, err)
		}
		all = append(all, page...)
		if after == nil || len(page) < streamsPage {
			break
		}
		composite["after"] = after
	}
	return h.addMinimal(ctx, q, all)
}

// addMinimal adds the streams of minimal documents, which the server cannot list.
func (h *History) addMinimal(ctx context.Context, q *historyQuery, all []historyStream) ([]historyStream, error) {
	at := make(map[ktail.Key]int, len(all))
	for i := range all {
		at[all[i].stream.Key()] = i
	}
	var d documentDecoder
	var into responseBuffer
	for from := q.from; ; {
		resp, err := h.search(ctx, jsonObject{
			"size": windowLines, "sort": bySequence,
			"query": jsonObject{"bool": jsonObject{"filter": []jsonObject{sequenceRange(from, q.to), minimalDocuments}}},
		}, &into)
		if err != nil {
			return nil, fmt.Errorf("list the minimal documents in %s: %w", h.o.Index, err)
		}
		n, last := 0, from
		err = d.hits(resp.body, func(hit *hit) error {
			n++
			last = hit.sequence
			i, ok := at[hit.line.Stream.Key()]
			if !ok {
				i = len(all)
				at[hit.line.Stream.Key()] = i
				all = append(all, historyStream{stream: hit.line.Stream, from: hit.sequence})
			}
			all[i].from = min(all[i].from, hit.sequence)
			all[i].to = max(all[i].to, hit.sequence+1)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if n < windowLines {
			return all, nil
		}
		if last == from {
			return nil, fmt.Errorf("list the minimal documents in %s: more than %d of them have the event.sequence %d", h.o.Index, windowLines, last)
		}
		from = last // other documents may share the last sequence
	}
}

// roundingError is how far a sequence can be off in an aggregation: servers
// aggregate with doubles, which hold 53 bits of the 61 of a time.
const roundingError = 1 << 10

// streamsPage returns one page of streams, and after which bucket the next one
// begins.
func (h *History) streamsPage(ctx context.Context, body jsonObject) ([]historyStream, json.RawMessage, error) {
	var into responseBuffer
	resp, err := h.search(ctx, body, &into)
	if err != nil {
		return nil, nil, err
	}
	var answer struct {
		Aggregations struct {
			Streams struct {
				After   json.RawMessage `json:"after_key"`
				Buckets []struct {
					Key struct {
						UID       string `json:"uid"`
						Container string `json:"container"`
					} `json:"key"`
					First struct {
						Value float64 `json:"value"`
					} `json:"first"`
					Newest json.RawMessage `json:"newest"`
				} `json:"buckets"`
			} `json:"streams"`
		} `json:"aggregations"`
	}
	if err := json.Unmarshal(resp.body, &answer); err != nil {
		return nil, nil, errResponse
	}
	buckets := answer.Aggregations.Streams.Buckets
	page := make([]historyStream, 0, len(buckets))
	for _, b := range buckets {
		s := historyStream{from: int64(b.First.Value) - roundingError}
		last, err := newestOf(b.Newest, &s)
		if err != nil {
			return nil, nil, err
		}
		if s.stream == nil {
			s.stream = &ktail.Stream{PodUID: b.Key.UID, Container: b.Key.Container}
		}
		s.to = last + 1
		page = append(page, s)
	}
	after := answer.Aggregations.Streams.After
	if after == nil && len(buckets) > 0 { // 6.x has no after_key before 6.3
		after, _ = json.Marshal(buckets[len(buckets)-1].Key)
	}
	return page, after, nil
}

// newestOf fills in the stream from its newest document, and returns the sequence
// of that.
func newestOf(topHits []byte, s *historyStream) (int64, error) {
	var top struct {
		Hits struct {
			Hits []struct {
				Source struct {
					Kubernetes, Container, Orchestrator, Host json.RawMessage
				} `json:"_source"`
				Sort []json.Number `json:"sort"`
			} `json:"hits"`
		} `json:"hits"`
	}
	d := json.NewDecoder(bytes.NewReader(topHits))
	d.UseNumber()
	if err := d.Decode(&top); err != nil {
		return 0, errResponse
	}
	for _, hit := range top.Hits.Hits {
		stream, err := decodeStream(&rawDocument{
			kubernetes: hit.Source.Kubernetes, container: hit.Source.Container,
			orchestrator: hit.Source.Orchestrator, host: hit.Source.Host,
		})
		if err != nil {
			return 0, err
		}
		s.stream = stream
		if len(hit.Sort) > 0 {
			return strconv.ParseInt(hit.Sort[0].String(), 10, 64)
		}
	}
	return 0, nil
}

// tailsPage is the number of streams whose last lines one request looks up.
const tailsPage = 100

// findTails sets where each stream begins so that it has HistoryOptions.Tail lines.
func (h *History) findTails(ctx context.Context, q *historyQuery) error {
	if h.o.Tail == 0 {
		for i := range q.streams {
			q.streams[i].from = q.streams[i].to
		}
		return nil
	}
	for start := 0; start < len(q.streams); start += tailsPage {
		page := q.streams[start:min(start+tailsPage, len(q.streams))]
		if err := h.tailsPage(ctx, q, page); err != nil {
			return fmt.Errorf("find the last lines of each stream: %w", err)
		}
	}
	return nil
}

func (h *History) tailsPage(ctx context.Context, q *historyQuery, page []historyStream) error {
	var body []byte
	for _, s := range page {
		request, err := json.Marshal(jsonObject{
			"size": 1, "from": h.o.Tail - 1, "_source": false,
			"sort": []jsonObject{{"event.sequence": "desc"}},
			"query": jsonObject{"bool": jsonObject{"filter": []jsonObject{
				sequenceRange(q.from, q.to),
				{"term": jsonObject{"kubernetes.pod.uid": s.stream.PodUID}},
				{"term": jsonObject{"kubernetes.container.name": s.stream.Container}},
			}, "must_not": []jsonObject{{"term": jsonObject{"event.action": "gap"}}}}},
		})
		if err != nil {
			return err
		}
		body = append(append(append(body, "{}\n"...), request...), '\n')
	}
	var into responseBuffer
	resp, err := h.send(ctx, http.MethodPost, h.path("_msearch"), "application/x-ndjson", body, &into)
	if err != nil {
		return err
	}
	var answer struct {
		Responses []struct {
			Error json.RawMessage `json:"error"`
			Hits  struct {
				Hits []struct {
					Sort []json.Number `json:"sort"`
				} `json:"hits"`
			} `json:"hits"`
		} `json:"responses"`
	}
	if json.Unmarshal(resp.body, &answer) != nil || len(answer.Responses) != len(page) {
		return errResponse
	}
	for i, r := range answer.Responses {
		if r.Error != nil {
			_, reason := parseError(r.Error)
			return fmt.Errorf("%s: %s", page[i].stream, reason)
		}
		for _, hit := range r.Hits.Hits {
			if from, err := strconv.ParseInt(hit.Sort[0].String(), 10, 64); err == nil {
				page[i].from = max(page[i].from, from)
			}
		}
	}
	return nil
}
