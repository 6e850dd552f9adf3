//go:build e2e

package e2esearch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// servers are those that the tests run on.
var servers []*server

// A server is one of test/search.
type server struct {
	name  string
	port  int
	major int
	daily bool // the default is a daily index, not a data stream

	settings string // that it runs with; of no meaning while it is stopped
	up       bool
}

// onEach runs a scenario on all servers at the same time, each with nothing in it
// and with these settings.
func onEach(t *testing.T, scenario func(*testing.T, *server), settings ...string) {
	t.Helper()
	for _, s := range servers {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.prepare(t, settings...)
			scenario(t, s)
		})
	}
}

// prepare starts the server unless it runs with these settings, and empties it.
func (s *server) prepare(t *testing.T, settings ...string) {
	t.Helper()
	if want := strings.Join(settings, " "); !s.up || s.settings != want {
		if err := s.stop(t.Context(), "wipe"); err != nil {
			t.Fatal(err)
		}
		s.start(t, settings...)
		return
	}
	if !s.daily {
		s.must(t, http.MethodDelete, "/_data_stream/*", "", nil)
	}
	s.must(t, http.MethodDelete, "/ktail*,e2e*,noise*?expand_wildcards=all", "", nil)
}

// start starts the server, with the data that it had when it was stopped.
func (s *server) start(t *testing.T, settings ...string) {
	t.Helper()
	args := append([]string{s.name, strconv.Itoa(s.port)}, settings...)
	if err := script(t.Context(), "start.sh", args...); err != nil {
		t.Fatal(err)
	}
	s.up, s.settings = true, strings.Join(settings, " ")
}

// stop stops it; with wipe, for good.
func (s *server) stop(ctx context.Context, args ...string) error {
	s.up = false
	return script(ctx, "stop.sh", append([]string{strconv.Itoa(s.port)}, args...)...)
}

func script(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join("..", "search", name), args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// freeze stops the process, which goes on with thaw.
func (s *server) freeze(t *testing.T) { s.signal(t, syscall.SIGSTOP) }
func (s *server) thaw(t *testing.T)   { s.signal(t, syscall.SIGCONT) }

func (s *server) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(workDir(), "run", strconv.Itoa(s.port)+".pid"))
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

func (s *server) url() string { return fmt.Sprintf("http://127.0.0.1:%d", s.port) }

// index matches what ktail writes to by default.
func (s *server) index() string {
	if s.daily {
		return "ktail-*"
	}
	return "logs-ktail-default"
}

// do asks the server.
func (s *server) do(ctx context.Context, method, path, body string, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.url()+path, strings.NewReader(body))
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

func (s *server) must(t *testing.T, method, path, body string, out any) {
	t.Helper()
	if err := s.do(t.Context(), method, path, body, out); err != nil {
		t.Fatal(err)
	}
}

// count returns how many documents there are, of those that a search sees.
func (s *server) count(t *testing.T, index string) int {
	t.Helper()
	var answer struct{ Count int }
	if err := s.do(t.Context(), http.MethodPost, "/"+index+"/_refresh", "", nil); err != nil {
		return 0
	}
	if err := s.do(t.Context(), http.MethodGet, "/"+index+"/_count", "", &answer); err != nil {
		return 0
	}
	return answer.Count
}

// documents calls f for each document, in the order of sort.
func (s *server) documents(t *testing.T, index, query, sort string, f func(hit)) {
	t.Helper()
	if query == "" {
		query = `{"match_all":{}}`
	}
	var page struct {
		Scroll string `json:"_scroll_id"`
		Hits   struct{ Hits []hit }
	}
	s.must(t, http.MethodPost, "/"+index+"/_refresh", "", nil)
	s.must(t, http.MethodPost, "/"+index+"/_search?scroll=5m", fmt.Sprintf(`{"size":5000,"query":%s,"sort":%s}`, query, sort), &page)
	for len(page.Hits.Hits) > 0 {
		for _, h := range page.Hits.Hits {
			f(h)
		}
		page.Hits.Hits = nil
		s.must(t, http.MethodPost, "/_search/scroll", fmt.Sprintf(`{"scroll":"5m","scroll_id":%q}`, page.Scroll), &page)
	}
	_ = s.do(t.Context(), http.MethodDelete, "/_search/scroll", fmt.Sprintf(`{"scroll_id":[%q]}`, page.Scroll), nil) // it ends by itself, too
}

// hit is a document of a search.
type hit struct {
	Index  string          `json:"_index"`
	ID     string          `json:"_id"`
	Source json.RawMessage `json:"_source"`
}

// block sets the block of an index that the disk is too full for, or lifts it.
func (s *server) block(t *testing.T, index string, blocked bool) {
	t.Helper()
	value := "null"
	if blocked {
		value = "true"
	}
	s.must(t, http.MethodPut, "/"+index+"/_settings", `{"index.blocks.read_only_allow_delete":`+value+`}`, nil)
}

// eventually waits until ok, asking twice a second, and ends the test if that
// takes longer than limit.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(limit)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after %v: still waiting for %s", limit, what)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// pass waits while a fault lasts.
func pass(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}
