//go:build e2e

package e2esearch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// maxLine is the length to which ktail cuts lines: 1 MiB including the
// timestamp.
const maxLine = 1<<20 - len("2006-01-02T15:04:05.000000000Z ")

// Lines that are not text, and lines that are very long, are delivered.
func TestOddLines_AreDelivered(t *testing.T) {
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, 3)
		w.fill(1000)
		at := time.Now().UnixNano()
		p := w.pods[1]
		for i, text := range []string{
			"", " ", "\x00", "before\x00after", "\x01\x02\x1b[31mred\x1b[0m\x7f", "tab\tcr\rquote\"back\\slash/",
			"\xff", "half \xc3", "surrogate \xed\xa0\x80", "overlong \xc0\xaf", "line\u2028separator\u2029", "🙂 \U0010ffff", "<script>&amp;</script>",
			`{"create":{"_index":"x"}}`, `{"message":{"nested":[1,2,{"a":null}]}}`, "[]", strings.Repeat("long ", 20_000),
		} {
			p.write(fakeapi.Entry{Time: at + int64(i), Text: text})
		}
		// The message about the longest line contains what to search for in the
		// index.
		long := strings.Repeat("0123456789", 4<<20)
		p.container.Append(fakeapi.Entry{Time: at + 1000, Text: long})
		p.mu.Lock()
		p.written = append(p.written, fakeapi.Entry{Time: at + 1000, Text: long[:maxLine]})
		p.mu.Unlock()
		p.write(fakeapi.Entry{Time: at + 1001, Text: "the end"})

		r := w.forward(s, "--no-follow")
		if code := r.wait(2 * time.Minute); code != 0 {
			t.Errorf("exit code %d", code)
		}
		r.checkMemory()
		w.compare(t, s).report(t, r.Usage())
		truncated := 0
		s.Documents(t, s.Index(), `{"term":{"log.flags":"truncated"}}`, `["_doc"]`, func(search.Hit) { truncated++ })
		if truncated != 1 {
			t.Errorf("%d documents are flagged as truncated, want 1", truncated)
		}
	})
}

// The index maps fields as numbers that are texts in the lines. Every line is
// in the index, in full or as a minimal document, or is a dead letter; lines
// without a conflict are unchanged.
func TestMappingConflict_DeliversMinimalDocuments(t *testing.T) {
	for _, field := range []struct{ name, mapping string }{
		{"message", `{"properties":{"message":{"type":"long"}}}`},
		{"label", `{"properties":{"kubernetes":{"properties":{"labels":{"properties":{"app":{"type":"long"}}}}}}}`},
		{"strict", `{"dynamic":"strict","properties":{"@timestamp":{"type":"date"},"message":{"type":"text"}}}`},
	} {
		t.Run(field.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *search.Server) {
				const index = "e2e-mapped"
				createIndex(t, s, index, field.mapping)
				w := newWorld(t, 2)
				at := time.Now().UnixNano()
				for _, p := range w.pods {
					for i := range 500 {
						text := fmt.Sprint(i)
						if i%5 == 0 {
							text = fmt.Sprintf("line %d", i)
						}
						p.write(fakeapi.Entry{Time: at + int64(i), Text: text})
					}
				}
				letters := filepath.Join(t.TempDir(), "letters.ndjson")
				r := w.forward(s, "--no-follow", "--elasticsearch-index", index, "--elasticsearch-dead-letters", letters)
				code := r.wait(2 * time.Minute)
				dead := w.checkMapped(t, s, index, letters)
				if (code == 0) != (dead == 0) {
					t.Errorf("exit code %d with %d dead letters", code, dead)
				}
			})
		})
	}
}

func createIndex(t *testing.T, s *search.Server, index, mapping string) {
	t.Helper()
	if s.Major == 6 {
		mapping = `{"_doc":` + mapping + `}`
	}
	s.Must(t, http.MethodPut, "/"+index, `{"mappings":`+mapping+`}`, nil)
}

// checkMapped compares the index and the dead letters with the lines, and
// returns the number of dead letters.
func (w *world) checkMapped(t *testing.T, s *search.Server, index, letters string) int {
	t.Helper()
	r := &result{Counts: suite.Counts{Written: w.lines()}}
	left := map[string]int{} // by time and text, because the pods write the same lines
	for _, p := range w.pods {
		for _, e := range p.written {
			left[fmt.Sprint(e.Time, " ", e.Text)]++
		}
	}
	whole, simplified := 0, 0
	take := func(source json.RawMessage) {
		var d struct {
			document
			Ktail struct{ Document string }
		}
		if err := json.Unmarshal(source, &d); err != nil {
			t.Fatalf("%v: %s", err, source)
		}
		r.Arrived++
		if d.Ktail.Document == "" {
			whole++
		} else {
			simplified++
			if err := json.Unmarshal([]byte(d.Ktail.Document), &d.document); err != nil {
				r.Foreign = append(r.Foreign, fmt.Sprintf("%v: %s", err, source))
			}
		}
		at, err := time.Parse(time.RFC3339Nano, d.Timestamp)
		key := fmt.Sprint(at.UnixNano(), " ", d.Message)
		if _, ok := left[key]; err != nil || !ok {
			r.Foreign = append(r.Foreign, string(source))
		}
		left[key]--
	}
	s.Documents(t, index, "", `["_doc"]`, func(h search.Hit) { take(h.Source) })
	inIndex := r.Arrived
	for _, l := range readLetters(t, letters) {
		if l.Reason == "" || l.Status != http.StatusBadRequest {
			t.Errorf("a dead letter without a reason: %+v", l)
		}
		take(l.Document)
	}
	for _, n := range left {
		r.Lost += max(n, 0)
		r.Duplicated += max(-n, 0)
	}
	r.report(t, fmt.Sprintf("%d simplified, %d dead letters", simplified, r.Arrived-inIndex))
	return r.Arrived - inIndex
}

type deadLetter struct {
	Status   int
	Reason   string
	Document json.RawMessage
}

func readLetters(t *testing.T, path string) []deadLetter {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []deadLetter
	for in := bufio.NewScanner(bytes.NewReader(b)); in.Scan(); {
		var l deadLetter
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			t.Fatalf("%v: %s", err, in.Bytes())
		}
		all = append(all, l)
	}
	return all
}
