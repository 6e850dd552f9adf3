package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/ktail/ktail/pkg/ktail"
)

// streamsPage is how many streams a request lists. The server reads all documents for
// each request. The response takes 2 MB.
const streamsPage = 2000

// listStreams returns all streams that have lines in the range of the query.
// https://www.elastic.co/guide/en/elasticsearch/reference/6.4/search-aggregations-bucket-composite-aggregation.html
func (h *History) listStreams(ctx context.Context, q *historyQuery) ([]historyStream, error) {
	composite := jsonObject{"size": streamsPage, "sources": q.streamSources()}
	aggregations := jsonObject{"newest": jsonObject{"top_hits": jsonObject{
		"size": 1, "sort": q.layout.sorted("desc"), "_source": append(q.layout.orderMembers(), q.layout.identity...),
	}}}
	documents := q.documents(q.from, q.to)
	if q.layout == own {
		documents = append(documents, jsonObject{"exists": jsonObject{"field": own.stream.uid}}, jsonObject{"exists": jsonObject{"field": own.stream.container}})
		aggregations["first"] = jsonObject{"min": jsonObject{"field": own.order}}
	}
	body := jsonObject{
		"size":  0,
		"query": jsonObject{"bool": jsonObject{"filter": documents}},
		"aggs":  jsonObject{"streams": jsonObject{"composite": composite, "aggs": aggregations}},
	}
	var all []historyStream
	for {
		page, after, err := h.streamsPage(ctx, q, body)
		if err != nil && strings.Contains(err.Error(), "fielddata") { // another index has text
			err = fmt.Errorf("a field is not mapped as keyword: %w; %s", err, sameMapping)
		}
		if err != nil {
			return nil, fmt.Errorf("list the streams in %s: %w", h.o.Index, err)
		}
		all = append(all, page...)
		if after == nil || len(page) < streamsPage {
			break
		}
		composite["after"] = after
	}
	if q.layout != own {
		return all, nil
	}
	return h.addMinimal(ctx, q, all)
}

// streamSources returns the fields whose values identify a stream.
func (q *historyQuery) streamSources() []jsonObject {
	f := &q.layout.stream
	fields := f.key()
	if q.layout == own {
		fields = []string{f.uid, f.container}
	}
	var sources []jsonObject
	for _, field := range fields {
		terms := jsonObject{"field": q.keywords.of(field), "missing_bucket": true} // without it, 6.x fails in indices without the field
		sources = append(sources, jsonObject{field: jsonObject{"terms": terms}})
	}
	return sources
}

// addMinimal adds the streams of minimal documents, which the server cannot list.
func (h *History) addMinimal(ctx context.Context, q *historyQuery, all []historyStream) ([]historyStream, error) {
	at := make(map[ktail.Key]int, len(all))
	for i := range all {
		at[all[i].stream.Key()] = i
	}
	d := documentDecoder{layout: own}
	var into responseBuffer
	for from := q.from; ; {
		resp, err := h.search(ctx, jsonObject{
			"size": windowLines, "sort": own.sorted("asc"),
			"query": jsonObject{"bool": jsonObject{"filter": append(q.documents(from, q.to), minimalDocuments)}},
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

// streamsPage returns one page of streams, and after which bucket the next one
// begins.
func (h *History) streamsPage(ctx context.Context, q *historyQuery, body jsonObject) ([]historyStream, json.RawMessage, error) {
	var found struct {
		Streams struct {
			After   json.RawMessage `json:"after_key"`
			Buckets []struct {
				Key   json.RawMessage `json:"key"`
				First struct {
					Value float64 `json:"value"`
				} `json:"first"`
				Newest json.RawMessage `json:"newest"`
			} `json:"buckets"`
		} `json:"streams"`
	}
	if err := h.aggregate(ctx, body, &found); err != nil {
		return nil, nil, err
	}
	buckets := found.Streams.Buckets
	page := make([]historyStream, 0, len(buckets))
	d := documentDecoder{layout: q.layout}
	for _, b := range buckets {
		s := historyStream{from: floorMilli(q.from)}
		if q.layout == own {
			s.from = int64(b.First.Value) - own.rounding
		}
		err := d.topHits(b.Newest, func(h *hit) error {
			s.stream, s.to = h.line.Stream, h.sequence+1
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
		if s.stream == nil {
			return nil, nil, errResponse
		}
		page = append(page, s)
	}
	after := found.Streams.After
	if after == nil && len(buckets) > 0 { // 6.x has no after_key before 6.3
		after = buckets[len(buckets)-1].Key
	}
	return page, after, nil
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

// mostTies is how many lines of a stream with the time of the first wanted one are
// recognized as surplus. A sequence occurs once.
const mostTies = 100

func (h *History) tailsPage(ctx context.Context, q *historyQuery, page []historyStream) error {
	var body []byte
	for _, s := range page {
		request, err := json.Marshal(jsonObject{
			"size": min(mostTies, MaxHistoryTail-h.o.Tail+1), "from": h.o.Tail - 1,
			"_source": q.layout.orderMembers(), "sort": q.layout.sorted("desc"),
			"query": jsonObject{"bool": jsonObject{
				"filter":   slices.Concat(q.documents(q.from, q.to), q.beforeUntil(), q.oneStream(s.stream)),
				"must_not": []jsonObject{{"term": jsonObject{"event.action": "gap"}}},
			}},
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
		Responses []json.RawMessage `json:"responses"`
	}
	if json.Unmarshal(resp.body, &answer) != nil || len(answer.Responses) != len(page) {
		return errResponse
	}
	for i, response := range answer.Responses {
		if err := q.cutTail(&page[i], response); err != nil {
			return fmt.Errorf("%s: %w", page[i].stream, err)
		}
	}
	return nil
}

// beforeUntil returns the clause that excludes lines of the millisecond of q.until that
// are not before it, which would be counted as last lines of a stream. Their sequence,
// which is never before their time, has the nanoseconds that @timestamp lacks.
func (q *historyQuery) beforeUntil() []jsonObject {
	if q.layout != own || q.until == floorMilli(q.until) {
		return nil
	}
	return []jsonObject{anyOf(byTime.between(0, floorMilli(q.until)), own.between(0, q.until))}
}

// cutTail sets where the last lines of a stream begin. The response has the first wanted
// line, and then the lines before it.
func (q *historyQuery) cutTail(s *historyStream, response json.RawMessage) error {
	var failed struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(response, &failed) != nil {
		return errResponse
	}
	if failed.Error != nil {
		_, reason := parseError(failed.Error)
		return errors.New(reason)
	}
	first := int64(-1)
	d := documentDecoder{layout: q.layout}
	return d.hits(response, func(h *hit) error {
		place := h.sequence - h.sequence%q.layout.unit
		switch {
		case first < 0:
			first, s.from = place, max(s.from, place)
		case place == first:
			s.skip++
		}
		return nil
	})
}
