package elastic

import (
	"github.com/ktail/ktail/pkg/ktail"
)

// historyQuery selects documents by stream and by event.sequence in [from, to). ktail
// never sends regular expressions of the user to the server, because Lucene has a
// different syntax.
type historyQuery struct {
	from, to int64
	streams  []historyStream
	all      bool // streams are all that there are
}

// historyStream is a stream and which of its lines are wanted.
type historyStream struct {
	stream *ktail.Stream
	from   int64 // sequence of the first line wanted
	to     int64 // sequence after the last line; 0 without a line
}

const (
	// maxClauses is how many streams have a clause of their own in a query: servers
	// accept 1,024 clauses by default (indices.query.bool.max_clause_count).
	maxClauses = 500
	// maxTerms bounds a terms query (index.max_terms_count is 65,536).
	maxTerms = 32 << 10
)

// narrow sets the range of the query to what its streams have.
func (q *historyQuery) narrow() {
	from, to := int64(0), int64(0)
	for i, s := range q.streams {
		if i == 0 || s.from < from {
			from = s.from
		}
		to = max(to, s.to)
	}
	q.from = max(q.from, from)
	if q.to == 0 || q.to > to {
		q.to = to
	}
}

// wants reports whether a line is selected. A query may return lines of streams that it
// could not exclude.
func (q *historyQuery) wants(wanted map[ktail.Key]int64, h *hit) bool {
	from, ok := wanted[h.line.Stream.Key()]
	return ok && h.sequence >= from
}

// wanted returns, for each stream, the sequence of the first line wanted.
func (q *historyQuery) wanted() map[ktail.Key]int64 {
	m := make(map[ktail.Key]int64, len(q.streams))
	for _, s := range q.streams {
		m[s.stream.Key()] = s.from
	}
	return m
}

// jsonObject is a JSON object of a request.
type jsonObject = map[string]any

// filter returns the query for the documents with a sequence in [from, to).
func (q *historyQuery) filter(from, to int64) jsonObject {
	clauses := []jsonObject{sequenceRange(from, to)}
	if streams := q.streamsFilter(); streams != nil {
		clauses = append(clauses, streams)
	}
	return jsonObject{"bool": jsonObject{"filter": clauses}}
}

// streamsFilter returns the part of the query that selects the streams, or nil if
// it need not, or cannot, select them.
func (q *historyQuery) streamsFilter() jsonObject {
	differ := false
	for _, s := range q.streams {
		differ = differ || s.from != q.streams[0].from
	}
	switch {
	case differ && len(q.streams) <= maxClauses:
		should := []jsonObject{minimalDocuments}
		for _, s := range q.streams {
			should = append(should, jsonObject{"bool": jsonObject{"filter": []jsonObject{
				{"term": jsonObject{"kubernetes.pod.uid": s.stream.PodUID}},
				{"term": jsonObject{"kubernetes.container.name": s.stream.Container}},
				{"range": jsonObject{"event.sequence": jsonObject{"gte": s.from}}},
			}}})
		}
		return anyOf(should...)
	case q.all:
		return nil
	}
	seen := map[string]bool{}
	var uids []string
	for _, s := range q.streams {
		if !seen[s.stream.PodUID] {
			seen[s.stream.PodUID] = true
			uids = append(uids, s.stream.PodUID)
		}
	}
	if len(uids) > maxTerms {
		return nil
	}
	return anyOf(minimalDocuments, jsonObject{"terms": jsonObject{"kubernetes.pod.uid": uids}})
}

// minimalDocuments is the query for documents whose only field about their stream
// is the text of the whole document; see minimalDocument. They are few, and are
// selected when they are decoded.
var minimalDocuments = jsonObject{"exists": jsonObject{"field": "ktail.document"}}

func anyOf(queries ...jsonObject) jsonObject {
	return jsonObject{"bool": jsonObject{"should": queries, "minimum_should_match": 1}}
}

// sequenceRange returns the query for a sequence in [from, to). A zero bound is
// none.
func sequenceRange(from, to int64) jsonObject {
	bounds := jsonObject{}
	if from != 0 {
		bounds["gte"] = from
	}
	if to != 0 {
		bounds["lt"] = to
	}
	return jsonObject{"range": jsonObject{"event.sequence": bounds}}
}

// bySequence is the order of lines, in which a stream keeps its order. @timestamp
// is in milliseconds, so it would not do.
var bySequence = []jsonObject{{"event.sequence": "asc"}}
