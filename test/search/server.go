// Package search runs real search servers for tests: it starts and stops them with
// the scripts in this directory, queries them, and injects faults.
package search

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A Server is one node with its own port.
type Server struct {
	Name  string // name for start.sh
	Port  int
	Major int  // major version
	Daily bool // ktail writes to a daily index by default rather than a data stream

	settings string // settings of the running server; unused while it is stopped
	up       bool
}

// Servers returns all servers, oldest version first. None of them is running.
func Servers() []*Server {
	return []*Server{
		{Name: "elasticsearch6", Port: 19206, Major: 6, Daily: true},
		{Name: "elasticsearch7", Port: 19207, Major: 7, Daily: true},
		{Name: "opensearch2", Port: 19302, Major: 2},
		{Name: "opensearch3", Port: 19303, Major: 3},
	}
}

// Named returns the server with the name, or nil if there is none.
func Named(name string) *Server {
	for _, s := range Servers() {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Prepare starts the server unless it is running with these settings, and
// deletes all data.
func (s *Server) Prepare(t *testing.T, settings ...string) {
	t.Helper()
	if want := strings.Join(settings, " "); !s.up || s.settings != want {
		if err := s.Stop(t.Context(), "wipe"); err != nil {
			t.Fatal(err)
		}
		s.Start(t, settings...)
		return
	}
	if !s.Daily {
		s.Must(t, http.MethodDelete, "/_data_stream/*", "", nil)
	}
	s.Must(t, http.MethodDelete, "/ktail*,e2e*,noise*?expand_wildcards=all", "", nil)
}

// Start starts the server with the data that it had when it was stopped.
func (s *Server) Start(t *testing.T, settings ...string) {
	t.Helper()
	args := append([]string{s.Name, strconv.Itoa(s.Port)}, settings...)
	if err := script(t.Context(), "start.sh", args...); err != nil {
		t.Fatal(err)
	}
	s.up, s.settings = true, strings.Join(settings, " ")
}

// Stop stops the server. The argument wipe also deletes its data.
func (s *Server) Stop(ctx context.Context, args ...string) error {
	s.up = false
	return script(ctx, "stop.sh", append([]string{strconv.Itoa(s.Port)}, args...)...)
}

func script(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join("..", "search", name), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// Freeze stops the process: it keeps its connections and does not respond.
func (s *Server) Freeze(t *testing.T) { s.signal(t, syscall.SIGSTOP) }

// Thaw resumes it.
func (s *Server) Thaw(t *testing.T) { s.signal(t, syscall.SIGCONT) }

// RemoveShard deletes the files of a shard.
func (s *Server) RemoveShard(t *testing.T, indexUUID string, shard int) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(filepath.Join(workDir(), "state", strconv.Itoa(s.Port)), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || !strings.HasSuffix(path, filepath.Join(indexUUID, strconv.Itoa(shard))) {
			return err
		}
		found++
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return fs.SkipDir
	})
	if err != nil || found != 1 {
		t.Fatalf("%d directories of shard %d: %v", found, shard, err)
	}
}

func (s *Server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(workDir(), "run", strconv.Itoa(s.Port)+".pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

func workDir() string {
	if dir := os.Getenv("TESTSEARCH_WORK"); dir != "" {
		return dir
	}
	home, _ := os.UserHomeDir()
	return filepath.Join(home, ".cache", "ktail-testsearch")
}

// URL returns the URL of the server.
func (s *Server) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.Port) }

// Index returns a pattern for the indices that ktail writes to by default.
func (s *Server) Index() string {
	if s.Daily {
		return "ktail-*"
	}
	return "logs-ktail-default"
}

// Do sends a request and decodes the response into out, unless out is nil. A
// response other than 2xx is an error.
func (s *Server) Do(ctx context.Context, method, path, body string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.URL()+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, b)
	}
	if out == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(out)
}

// Must sends a request, and ends the test unless the response is 2xx.
func (s *Server) Must(t *testing.T, method, path, body string, out any) {
	t.Helper()
	if err := s.Do(t.Context(), method, path, body, out); err != nil {
		t.Fatal(err)
	}
}

// Count returns the number of documents that a search finds.
func (s *Server) Count(t *testing.T, index string) int {
	t.Helper()
	var answer struct{ Count int }
	if err := s.Do(t.Context(), http.MethodPost, "/"+index+"/_refresh", "", nil); err != nil {
		return 0
	}
	if err := s.Do(t.Context(), http.MethodGet, "/"+index+"/_count", "", &answer); err != nil {
		return 0
	}
	return answer.Count
}

// Documents calls f for each document, in the given sort order.
func (s *Server) Documents(t *testing.T, index, query, sort string, f func(Hit)) {
	t.Helper()
	if query == "" {
		query = `{"match_all":{}}`
	}
	var page struct {
		Scroll string `json:"_scroll_id"`
		Hits   struct{ Hits []Hit }
	}
	s.Must(t, http.MethodPost, "/"+index+"/_refresh", "", nil)
	s.Must(t, http.MethodPost, "/"+index+"/_search?scroll=5m", fmt.Sprintf(`{"size":5000,"query":%s,"sort":%s}`, query, sort), &page)
	for len(page.Hits.Hits) > 0 {
		for _, h := range page.Hits.Hits {
			f(h)
		}
		page.Hits.Hits = nil
		s.Must(t, http.MethodPost, "/_search/scroll", fmt.Sprintf(`{"scroll":"5m","scroll_id":%q}`, page.Scroll), &page)
	}
	_ = s.Do(t.Context(), http.MethodDelete, "/_search/scroll", fmt.Sprintf(`{"scroll_id":[%q]}`, page.Scroll), nil) // it also expires by itself
}

// A Hit is one document in the result of a search.
type Hit struct {
	Index  string          `json:"_index"`
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`
}

// Block sets or removes the block that a server sets on an index when the disk
// is full.
func (s *Server) Block(t *testing.T, index string, blocked bool) {
	t.Helper()
	value := "null"
	if blocked {
		value = "true"
	}
	s.Must(t, http.MethodPut, "/"+index+"/_settings", `{"index.blocks.read_only_allow_delete":`+value+`}`, nil)
}
