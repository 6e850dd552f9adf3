package elastic

import (
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// historyQuery selects documents of a layout by stream and by their order in [from, to).
// ktail never sends regular expressions of the user to the server, because Lucene has a
// different syntax.
type historyQuery struct {
	layout     *layout
	keywords   keywordFields
	namespaces []string // empty: all
	from, to   int64
	until      int64 // lines before this time; 0: no limit. A later line can have an earlier time
	streams    []historyStream
	all        bool // streams are all that there are in the namespaces

	// newest is the place of the newest line, if lines before it are left to
	// History.Continue; otherwise it is 0.
	newest int64
}

// historyStream is a stream and which of its lines are wanted.
type historyStream struct {
	stream *ktail.Stream
	from   int64  // place of the first line wanted
	to     int64  // place after the last line; 0 without a line
	skip   int64  // lines at from that are not wanted, because --tail has enough without them
	except window // lines that another query returns
}

// window is a range of places in the order of a layout: [from, to).
type window struct{ from, to int64 }

func (w window) contains(place int64) bool { return w.from <= place && place < w.to }

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
// could not exclude, and its bounds may be rounded.
func (q *historyQuery) wants(wanted map[ktail.Key]*historyStream, h *hit) bool {
	s := wanted[h.line.Stream.Key()]
	if s == nil || h.sequence < max(s.from, q.from) || h.sequence >= q.to || s.except.contains(h.sequence) {
		return false
	}
	if q.until != 0 && h.line.Kind == ktail.Log && h.line.Time >= q.until {
		return false
	}
	if s.skip > 0 {
		s.skip--
		return false
	}
	return true
}

// wanted returns the streams of the query by their keys.
func (q *historyQuery) wanted() map[ktail.Key]*historyStream {
	m := make(map[ktail.Key]*historyStream, len(q.streams))
	for _, s := range q.streams {
		m[s.stream.Key()] = &s
	}
	return m
}

// jsonObject is a JSON object of a request.
type jsonObject = map[string]any

// filter returns the query for the documents with a place in [from, to).
func (q *historyQuery) filter(from, to int64) jsonObject {
	clauses := q.documents(from, to)
	if streams := q.streamsFilter(); streams != nil {
		clauses = append(clauses, streams)
	}
	return jsonObject{"bool": jsonObject{"filter": clauses}}
}

// documents returns the clauses that select the documents of the layout with a place in
// [from, to).
func (q *historyQuery) documents(from, to int64) []jsonObject {
	clauses := []jsonObject{q.layout.between(from, to)}
	if q.until != 0 {
		clauses = append(clauses, byTime.between(0, q.until))
	}
	if q.layout != own { // only ktail's documents have a sequence
		clauses = append(clauses, q.layout.matches())
	}
	if len(q.namespaces) > 0 {
		clauses = append(clauses, anyOf(jsonObject{"terms": jsonObject{q.keywords.of(own.stream.namespace): q.namespaces}}, minimalDocuments))
	}
	return clauses
}

// streamsFilter returns the part of the query that selects the streams, or nil if
// it need not, or cannot, select them.
func (q *historyQuery) streamsFilter() jsonObject {
	differ := false
	for _, s := range q.streams {
		differ = differ || s.from != q.streams[0].from
	}
	var queries []jsonObject
	switch {
	case differ && len(q.streams) <= maxClauses:
		for _, s := range q.streams {
			clauses := append(q.oneStream(s.stream), q.layout.between(s.from, 0))
			queries = append(queries, jsonObject{"bool": jsonObject{"filter": clauses}})
		}
	case q.all:
		return nil
	default:
		field, names := q.podNames()
		if len(names) > maxTerms {
			return nil
		}
		queries = append(queries, jsonObject{"terms": jsonObject{q.keywords.of(field): names}})
	}
	if q.layout == own {
		queries = append(queries, minimalDocuments)
	}
	return anyOf(queries...)
}

// oneStream returns the clauses that select the documents of a stream. Documents of other
// programs may have no UID.
func (q *historyQuery) oneStream(s *ktail.Stream) []jsonObject {
	f := &q.layout.stream
	field, name := f.uid, s.PodUID
	if q.layout != own {
		field, name = f.pod, s.Pod
	}
	clauses := []jsonObject{{"term": jsonObject{q.keywords.of(field): name}}}
	if s.Container != "" {
		clauses = append(clauses, jsonObject{"term": jsonObject{q.keywords.of(f.container): s.Container}})
	}
	return clauses
}

// podNames returns the field that selects pods, and its values for all streams.
func (q *historyQuery) podNames() (field string, names []string) {
	field = q.layout.stream.pod
	if q.layout == own {
		field = q.layout.stream.uid
	}
	seen := map[string]bool{}
	for _, s := range q.streams {
		name := s.stream.Pod
		if q.layout == own {
			name = s.stream.PodUID
		}
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return field, names
}

// minimalDocuments is the query for documents whose only field about their stream
// is the text of the whole document; see minimalDocument. They are few, and are
// selected when they are decoded.
var minimalDocuments = jsonObject{"exists": jsonObject{"field": "ktail.document"}}

func anyOf(queries ...jsonObject) jsonObject {
	return jsonObject{"bool": jsonObject{"should": queries, "minimum_should_match": 1}}
}

// floorMilli returns the beginning of the millisecond.
func floorMilli(at int64) int64 { return at - at%int64(time.Millisecond) }
