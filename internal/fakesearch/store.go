package fakesearch

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"sync"
)

// Document is a stored document, or one of a bulk request.
type Document struct {
	Index    string // index, alias or data stream
	Backing  string // concrete index; set once the document is stored
	ID       string
	Source   json.RawMessage
	Pipeline string
}

// template holds the supported parts of a template.
type template struct {
	Patterns   []string  `json:"index_patterns"`
	DataStream *struct{} `json:"data_stream"`
	body       []byte
}

// index is an index, an alias or a data stream.
type index struct {
	stream      bool
	blocked     bool
	closed      bool
	keywords    bool          // strings are keywords, as templates say; otherwise text with a subfield keyword
	generations []*generation // backing indices, oldest first; documents go to the last
	order       []Document
	failures    []Document
	mapping     mapping
	shapes      shapes
	shape       []byte // buffer
}

// store holds the indices and templates of the server.
type store struct {
	numbers []string

	mu        sync.Mutex
	indices   map[string]*index
	templates map[string]template // key: kind/name
}

func newStore(numbers []string) *store {
	return &store{numbers: numbers, indices: map[string]*index{}, templates: map[string]template{}}
}

func (s *store) putTemplate(key string, t template) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.templates[key] = t
}

func (s *store) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.indices[name] != nil
}

func (s *store) makeStream(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open(name, streamPrefix).stream = true
}

// open returns the index. If it does not exist, open creates it; prefix says as what.
// The caller holds the lock, as for the following methods of store.
func (s *store) open(name, prefix string) *index {
	i := s.indices[name]
	if i == nil {
		i = &index{mapping: mapping{}, shapes: shapes{}}
		if prefix == plainIndex {
			i.generations = []*generation{newGeneration(name)}
		} else {
			i.rollOver(name, prefix)
		}
		i.keywords = matches("logs-*-*", name)
		for _, t := range s.templates {
			i.keywords = i.keywords || slices.ContainsFunc(t.Patterns, func(p string) bool { return matches(p, name) })
		}
		for _, path := range s.numbers {
			i.mapping[path] = number
		}
		s.indices[name] = i
	}
	return i
}

// isStream reports whether a new index with that name would be a data stream.
func (s *store) isStream(flavor *Flavor, name string) bool {
	if !flavor.DataStreams {
		return false
	}
	for _, t := range s.templates {
		if t.DataStream != nil && slices.ContainsFunc(t.Patterns, func(p string) bool { return matches(p, name) }) {
			return true
		}
	}
	return flavor.LogsTemplate && matches("logs-*-*", name)
}

func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// Documents returns the documents of an index or data stream in the order of their
// creation. A pattern like ktail-* selects several, in the order of their names.
func (s *Server) Documents(pattern string) []Document {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var all []Document
	for _, name := range s.store.names() {
		if matches(pattern, name) {
			all = append(all, s.store.indices[name].order...)
		}
	}
	return all
}

// Failures returns the documents in the failure store of a data stream.
func (s *Server) Failures(name string) []Document {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if i := s.store.indices[name]; i != nil {
		return slices.Clone(i.failures)
	}
	return nil
}

// Indices returns the names of all indices and data streams.
func (s *Server) Indices() []string {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return s.store.names()
}

func (s *store) names() []string {
	names := make([]string, 0, len(s.indices))
	for name := range s.indices {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	return names
}

// IsDataStream reports whether a data stream with that name exists.
func (s *Server) IsDataStream(name string) bool {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	i := s.store.indices[name]
	return i != nil && i.stream
}

// Template returns the body of a template, or nil. The key consists of kind and name,
// such as _index_template/ktail.
func (s *Server) Template(key string) []byte {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return s.store.templates[key].body
}

// Block sets or lifts the block of an index whose disk is full.
func (s *Server) Block(name string, blocked bool) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.open(name, plainIndex).blocked = blocked
}

// CloseIndex closes an index. Searches do not find its documents.
func (s *Server) CloseIndex(name string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.open(name, plainIndex).closed = true
}

// hasKeywords reports whether the strings of an index are keywords.
func (s *store) hasKeywords(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.indices[name].keywords
}

// closed returns the names of the closed indices that match one of the patterns.
func (s *store) closed(patterns string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(s.names(), func(name string) bool {
		matching := func(pattern string) bool { return matches(pattern, name) }
		return !s.indices[name].closed || !slices.ContainsFunc(strings.Split(patterns, ","), matching)
	})
}
