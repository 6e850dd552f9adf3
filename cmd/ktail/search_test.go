//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/rogpeppe/go-internal/testscript"
)

// search is the Elasticsearch of a script: it takes what it is given.
type search struct {
	mu       sync.Mutex
	messages map[string]string // by id
	present  int               // sent although they were there
	auth     string            // of the last bulk
	changed  chan struct{}     // closed at the next change
}

type searchKey struct{}

// ServeHTTP implements http.Handler.
func (s *search) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/":
		respond(w, `{"version":{"number":"8.15.3","build_flavor":"default"},"tagline":"You Know, for Search"}`)
	case strings.HasSuffix(r.URL.Path, "/_bulk"):
		body, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnsupportedMediaType)
			return
		}
		raw, err := io.ReadAll(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		items, failed := s.store(strings.Split(strings.TrimSpace(string(raw)), "\n"), r.Header.Get("Authorization"))
		respond(w, fmt.Sprintf(`{"errors":%t,"items":[%s]}`, failed, strings.Join(items, ",")))
	default:
		http.NotFound(w, r)
	}
}

func respond(w io.Writer, body string) {
	io.WriteString(w, body) //nolint:errcheck // the client has gone
}

func (s *search) store(rows []string, auth string) (items []string, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth = auth
	for i := 0; i+1 < len(rows); i += 2 {
		var action struct {
			Create struct {
				ID string `json:"_id"`
			}
		}
		var doc struct{ Message string }
		err := json.Unmarshal([]byte(rows[i]), &action)
		if err == nil {
			err = json.Unmarshal([]byte(rows[i+1]), &doc)
		}
		_, there := s.messages[action.Create.ID]
		switch {
		case err != nil || strings.Contains(doc.Message, "unwanted"):
			failed = true
			items = append(items, `{"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"unwanted"}}}`)
		case there:
			failed = true
			s.present++
			items = append(items, `{"create":{"status":409}}`)
		default:
			s.messages[action.Create.ID] = doc.Message
			items = append(items, `{"create":{"status":201}}`)
		}
	}
	close(s.changed)
	s.changed = make(chan struct{})
	return items, failed
}

// cmdSearch starts the server; $SEARCH is its address.
func cmdSearch(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0, "search")
	s := ts.Value(searchKey{}).(*search)
	server := httptest.NewServer(s)
	ts.Defer(server.Close)
	ts.Setenv("SEARCH", server.URL)
}

// cmdIndexed waits until there are as many documents, and writes their messages,
// sorted, to the file.
func cmdIndexed(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "indexed N FILE")
	s, want := ts.Value(searchKey{}).(*search), number(ts, args[0])
	timeout := time.After(patience)
	for {
		s.mu.Lock()
		n, changed := len(s.messages), s.changed
		var all []string
		for _, m := range s.messages {
			all = append(all, m+"\n")
		}
		s.mu.Unlock()
		if n >= want {
			if n > want {
				ts.Fatalf("%d documents, want %d: %q", n, want, all)
			}
			slices.Sort(all)
			ts.Check(writeFile(ts.MkAbs(args[1]), strings.Join(all, "")))
			return
		}
		select {
		case <-changed:
		case <-timeout:
			ts.Fatalf("%d documents, want %d", n, want)
		}
	}
}
