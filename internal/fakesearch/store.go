package fakesearch

import (
	"encoding/json"
	"path"
	"slices"
	"strings"
	"sync"
)

// Document is one that is kept, or that is to be.
type Document struct {
	Index    string // or data stream
	ID       string
	Source   json.RawMessage
	Pipeline string
}

// template is what is read of one.
type template struct {
	Patterns   []string  `json:"index_patterns"`
	DataStream *struct{} `json:"data_stream"`
	body       []byte
}

// index is an index or a data stream.
type index struct {
	stream   bool
	blocked  bool
	places   map[string]int // in order, by id
	order    []Document
	failures []Document
	mapping  mapping
}

// store holds what the server keeps.
type store struct {
	numbers []string

	mu        sync.Mutex
	indices   map[string]*index
	templates map[string]template // by kind/name
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
	s.open(name).stream = true
}

// open is called with the lock held, as is all below.
func (s *store) open(name string) *index {
	i := s.indices[name]
	if i == nil {
		i = &index{places: map[string]int{}, mapping: mapping{}}
		for _, path := range s.numbers {
			i.mapping[path] = number
		}
		s.indices[name] = i
	}
	return i
}

// isStream reports whether a name without an index would become a data stream.
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

// Documents returns those of an index or data stream, in the order in which they
// came. A pattern like ktail-* is of several, in the order of their names.
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

// IsDataStream reports whether there is a data stream of that name.
func (s *Server) IsDataStream(name string) bool {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	i := s.store.indices[name]
	return i != nil && i.stream
}

// Template returns the body of a template by its kind and name, such as
// _index_template/ktail, or nil if there is none.
func (s *Server) Template(key string) []byte {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return s.store.templates[key].body
}

// Block sets or lifts the block of an index that its disk is too full for.
func (s *Server) Block(name string, blocked bool) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.open(name).blocked = blocked
}
