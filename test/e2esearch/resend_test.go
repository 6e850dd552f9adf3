//go:build e2e

package e2esearch

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// ktail is killed while it sends dead letters again. A run that is not killed then
// delivers each line once, and so does one more.
func TestResend_KilledLosesNothing(t *testing.T) {
	needConnections(t)
	const pods, each, kills = 10, 2000, 10
	const index = "e2e-resend"
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		w.fill(each)
		r := w.forward(s, "--no-follow", "--elasticsearch-index", index)
		if code := r.wait(3 * time.Minute); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		letters := filepath.Join(t.TempDir(), "letters.ndjson")
		saveAsLetters(t, s, index, letters)
		s.Must(t, http.MethodDelete, "/"+index, "", nil)

		args := []string{"--elasticsearch-index", index, "--elasticsearch-resend", letters}
		for range kills {
			r := w.forward(s, args...)
			suite.Sleep(t, 100*time.Millisecond+rand.N(900*time.Millisecond))
			r.signal(syscall.SIGKILL)
		}
		for range 2 {
			if code := w.forward(s, args...).wait(3 * time.Minute); code != 0 {
				t.Errorf("exit code %d", code)
			}
		}
		w.compareIn(t, s, index, nil).report(t, "sent again from a file, kill -9")
	})
}

// saveAsLetters writes all documents of an index as dead letters.
func saveAsLetters(t *testing.T, s *search.Server, index, path string) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	s.Documents(t, index, "", `["_doc"]`, func(h search.Hit) {
		letter := map[string]any{
			"time": time.Now(), "index": h.Index, "id": h.ID, "status": http.StatusBadRequest, "reason": "no", "document": h.Source,
		}
		if err := enc.Encode(letter); err != nil {
			t.Fatal(err)
		}
	})
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
