package fakesearch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// generation is a concrete index: a backing index of a data stream, an index behind an
// alias, or the index itself.
type generation struct {
	name    string
	created time.Time
	places  map[string]int // position in index.order, by ID
	lost    bool           // its shards are not available
}

func newGeneration(name string) *generation {
	return &generation{name: name, created: time.Now(), places: map[string]int{}}
}

// What store.open creates: the prefix of the names of the concrete indices.
const (
	plainIndex   = "index"
	streamPrefix = ".ds-"
	aliasPrefix  = ""
)

// rollOver adds a concrete index, which becomes the write index.
func (i *index) rollOver(name, prefix string) {
	i.generations = append(i.generations, newGeneration(fmt.Sprintf("%s%s-%06d", prefix, name, len(i.generations)+1)))
}

func (i *index) writeIndex() *generation { return i.generations[len(i.generations)-1] }

// rolls reports whether the index is an alias or a data stream.
func (i *index) rolls(name string) bool { return i.generations[0].name != name }

// remove removes a document from a concrete index.
func (i *index) remove(g *generation, id string) bool {
	place, ok := g.places[id]
	if !ok {
		return false
	}
	delete(g.places, id)
	i.order = slices.Delete(i.order, place, place+1)
	for _, g := range i.generations {
		for id, p := range g.places {
			if p > place {
				g.places[id] = p - 1
			}
		}
	}
	return true
}

// MakeAlias creates an alias with one write index behind it.
func (s *Server) MakeAlias(name string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.open(name, aliasPrefix)
}

// RollOver gives an alias or a data stream a new write index.
func (s *Server) RollOver(name string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	i := s.store.indices[name]
	prefix := aliasPrefix
	if i.stream {
		prefix = streamPrefix
	}
	i.rollOver(name, prefix)
}

// Lose makes the shards of the oldest index behind an alias or a data stream unavailable
// to lookups, or available again.
func (s *Server) Lose(name string, lost bool) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.indices[name].generations[0].lost = lost
}

// rollover executes a rollover request. It supports the condition max_docs, and treats
// all other conditions as not met.
func (s *Server) rollover(name string, body []byte) *Response {
	var request struct {
		Conditions map[string]any `json:"conditions"`
	}
	if len(body) > 0 && json.Unmarshal(body, &request) != nil {
		return errorResponse(http.StatusBadRequest, "parsing_exception", "invalid rollover request")
	}
	s.store.mu.Lock()
	i := s.store.indices[name]
	if i == nil || !i.rolls(name) {
		s.store.mu.Unlock()
		return errorResponse(http.StatusBadRequest, "illegal_argument_exception", "rollover target ["+name+"] does not exist")
	}
	most, limited := request.Conditions["max_docs"].(float64)
	roll := request.Conditions == nil || limited && float64(len(i.writeIndex().places)) >= most
	s.store.mu.Unlock()
	if roll {
		s.RollOver(name)
	}
	return jsonResponse(http.StatusOK, map[string]any{"acknowledged": roll, "rolled_over": roll})
}

// settings returns the creation dates of the concrete indices behind a name.
func (s *Server) settings(name string) *Response {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	i := s.store.indices[name]
	if i == nil {
		return errorResponse(http.StatusNotFound, "index_not_found_exception", "no such index ["+name+"]")
	}
	all := map[string]any{}
	for _, g := range i.generations {
		date := strconv.FormatInt(g.created.UnixMilli(), 10)
		all[g.name] = map[string]any{"settings": map[string]any{"index": map[string]any{"creation_date": date}}}
	}
	return jsonResponse(http.StatusOK, all)
}

// concrete returns a concrete index by name, and the index that it belongs to. The
// caller holds the lock.
func (s *store) concrete(name string) (*index, *generation) {
	for _, i := range s.indices {
		for _, g := range i.generations {
			if g.name == name {
				return i, g
			}
		}
	}
	return nil, nil
}

// multiGet reports which documents exist in concrete indices.
func (s *Server) multiGet(r *http.Request, body []byte) *Response {
	var request struct {
		Docs []struct {
			Index  string `json:"_index"`
			Type   string `json:"_type"`
			ID     string `json:"_id"`
			Source *bool  `json:"_source"`
		} `json:"docs"`
	}
	if json.Unmarshal(body, &request) != nil || len(request.Docs) == 0 {
		return errorResponse(http.StatusBadRequest, "action_request_validation_exception", "Validation Failed: 1: no documents to get;")
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	docs := make([]any, len(request.Docs))
	for n, d := range request.Docs {
		_, g := s.store.concrete(d.Index)
		if g == nil {
			docs[n] = map[string]any{"_index": d.Index, "_id": d.ID, "error": map[string]any{"type": "index_not_found_exception", "reason": "no such index [" + d.Index + "]"}}
			continue
		}
		if g.lost {
			docs[n] = map[string]any{"_index": d.Index, "_id": d.ID, "error": map[string]any{"type": "no_shard_available_action_exception", "reason": "No shard available for [get [" + d.Index + "][_doc][" + d.ID + "]: routing [null]]"}}
			continue
		}
		_, found := g.places[d.ID]
		docs[n] = map[string]any{"_index": d.Index, "_id": d.ID, "found": found}
	}
	response := map[string]any{"docs": docs}
	if filter := r.URL.Query().Get("filter_path"); filter != "" {
		response = filterPath(response, filter)
	}
	return jsonResponse(http.StatusOK, response)
}

// remove executes a delete action.
func (s *store) remove(name, id string) *Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, g := s.concrete(name); g != nil && i.remove(g, id) {
		return &Verdict{Status: http.StatusOK}
	}
	return &Verdict{Status: http.StatusNotFound}
}
