package metrics

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// While the disk is full, nothing is shown that is not saved. Nothing is lost either:
// the first scrape after that has all lines.
func TestState_FullDisk_IsNotScraped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	k := pod("web")
	s := resumed(t, stateOptions(path), stateRules, k)
	c := connect(s)
	c.scrape(t)
	write(t, s, stateLine(k, 500))
	c.scrape(t)
	c.scrape(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := os.Symlink("/dev/full", path+".tmp"); err != nil {
			t.Fatal(err)
		}
		write(t, s, stateLine(k, 500), stateLine(k, 404))
		w := httptest.NewRecorder()
		c.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil).WithContext(c.ctx))
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "no space left") {
			t.Errorf("the status is %d: %s", w.Code, w.Body)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("the old state is gone (%v)", err)
		}
	}
	if err := s.Save(); err != nil {
		t.Error(err)
	}
	if v := c.scrape(t)[code("web", "500")]; v != 4 {
		t.Errorf("the first scrape has %v lines, want 4", v)
	}
	// The series that was created in that time is new for the server.
	if v := c.scrape(t)[code("web", "404")]; v != 3 {
		t.Errorf("the second scrape has %v lines, want 3", v)
	}
}
