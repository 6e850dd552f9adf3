package fakeapi

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Node is a node whose kubelet serves its logs: files below /var/log, and journals.
type Node struct {
	mu       sync.Mutex
	files    map[string][]byte // by their paths below /var/log
	journals map[string][]string
	noQuery  bool
	most     int // bytes of a journal that a response has; 0: no limit
	asked    int
}

// AddNode adds a node without logs.
func (s *Server) AddNode(name string, labels map[string]string) *Node {
	text := map[string]any{}
	for key, value := range labels {
		text[key] = value
	}
	err := s.PutObject(Object{"apiVersion": "v1", "kind": "Node", "metadata": map[string]any{"name": name, "labels": text}})
	if err != nil {
		panic(fmt.Sprintf("fakeapi: add node: %v", err)) // the kind is built in
	}
	n := &Node{files: map[string][]byte{}, journals: map[string][]string{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes[name] = n
	return n
}

// Node returns the node, or nil.
func (s *Server) Node(name string) *Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[name]
}

// Journal appends entries to the journal of a unit, as journalctl prints them.
func (n *Node) Journal(unit string, at time.Time, texts ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, text := range texts {
		prefix := at.UTC().Format(time.StampMicro) + " host " + unit + "[42]: "
		text = strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", len(prefix)))
		n.journals[unit] = append(n.journals[unit], prefix+text+"\n")
		at = at.Add(time.Microsecond)
	}
}

// Vacuum removes all but the last entries of the journal of a unit.
func (n *Node) Vacuum(unit string, keep int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	j := n.journals[unit]
	n.journals[unit] = slices.Clone(j[max(0, len(j)-keep):])
}

// NoJournals makes the kubelet ignore queries, as without enableSystemLogQuery.
func (n *Node) NoJournals() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.noQuery = true
}

// CutJournals ends each response that has a journal after so many bytes, as if journalctl
// were killed.
func (n *Node) CutJournals(bytes int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.most = bytes
}

// Write appends to a file, given by its path below /var/log.
func (n *Node) Write(name, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.files[name] = append(n.files[name], text...)
}

// Rename renames a file. An empty new name removes it.
func (n *Node) Rename(name, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if to != "" {
		n.files[to] = n.files[name]
	}
	delete(n.files, name)
}

// Asked returns the number of requests for logs of the node.
func (n *Node) Asked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

// mostTailLines is how many entries of a journal a request may ask for.
const mostTailLines = 100_000

var unitName = regexp.MustCompile(`^[a-zA-Z0-9_.:@-]+$`)

// noEntries is what journalctl prints if there is nothing to show.
const noEntries = "-- No entries --\n"

// serveNodeLog answers as the kubelet does on /logs/.
func (s *Server) serveNodeLog(w *response) {
	n := s.Node(w.req.Name)
	if n != nil && strings.HasSuffix(w.r.URL.Path, "/proxy/configz") {
		n.serveConfig(w)
		return
	}
	_, name, ok := strings.Cut(w.r.URL.Path, "/proxy/logs/")
	if n == nil || !ok {
		http.NotFound(w, w.r)
		return
	}
	files := s.containerFiles(w.req.Name, name)
	q := w.r.URL.Query()
	n.mu.Lock()
	n.asked++
	content, ok := n.files[name]
	if !ok {
		content, ok = files[name]
	}
	content = slices.Clone(content)
	if ok && !q.Has("query") {
		n.mu.Unlock() // a client that does not read must not block the others
	} else {
		defer n.mu.Unlock()
	}
	switch {
	case q.Has("query") && !n.noQuery:
		n.serveJournal(w, q)
	case ok:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if strings.HasSuffix(name, ".gz") {
			w.Header().Set("Content-Type", "application/gzip")
		}
		http.ServeContent(w, w.r, "", time.Time{}, bytes.NewReader(content))
	case name != "" && !strings.HasSuffix(name, "/") && n.hasDir(name):
		w.Header().Set("Location", path.Base(name)+"/") // http.Redirect would write a web page
		w.WriteHeader(http.StatusMovedPermanently)
	case name != "" && !strings.HasSuffix(name, "/"):
		http.NotFound(w, w.r)
	default:
		n.serveListing(w, name, files)
	}
}

func (n *Node) serveJournal(w *response, q url.Values) {
	w.Header().Set("Content-Type", "text/plain")
	if n, _ := strconv.Atoi(q.Get("tailLines")); n > mostTailLines {
		http.Error(w, fmt.Sprintf("tailLines: Invalid value: %d: must be between 0 and %d, inclusive", n, mostTailLines), http.StatusNotAcceptable)
		return
	}
	for _, unit := range q["query"] {
		if !unitName.MatchString(unit) {
			http.Error(w, fmt.Sprintf("query: Invalid value: %q: input contains unsupported characters", unit), http.StatusNotAcceptable)
			return
		}
	}
	if q.Has("sinceTime") { // which the node reads in its own time zone, and it is west of UTC
		_, _ = fmt.Fprint(w, noEntries)
		return
	}
	for _, unit := range q["query"] {
		entries, ok := n.journals[unit]
		if !ok {
			_, _ = fmt.Fprintf(w, "\nlog not found for %s\n", unit)
			continue
		}
		if most, err := strconv.Atoi(q.Get("tailLines")); err == nil {
			entries = entries[max(0, len(entries)-most):]
		}
		if len(entries) == 0 {
			entries = []string{noEntries}
		}
		body := strings.Join(entries, "")
		if n.most > 0 {
			body = body[:min(n.most, len(body))]
		}
		_, _ = w.Write([]byte(body))
	}
}

// hasDir reports whether there is a file in a directory of that name.
func (n *Node) hasDir(name string) bool {
	for file := range n.files {
		if strings.HasPrefix(file, name+"/") {
			return true
		}
	}
	return false
}

func (n *Node) serveListing(w *response, dir string, files map[string][]byte) {
	var names []string
	all := maps.Clone(n.files)
	maps.Copy(all, files)
	for name := range all {
		if rest, ok := strings.CutPrefix(name, dir); ok {
			first, _, below := strings.Cut(rest, "/")
			if below {
				first += "/"
			}
			names = append(names, first)
		}
	}
	if len(names) == 0 && dir != "" {
		http.NotFound(w, w.r)
		return
	}
	slices.Sort(names)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprint(w, "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n")
	for _, name := range slices.Compact(names) {
		_, _ = fmt.Fprintf(w, "<a href=\"%s\">%s</a>\n", path.Clean(name)+strings.Repeat("/", strings.Count(name, "/")), name)
	}
	_, _ = fmt.Fprint(w, "</pre>\n")
}
