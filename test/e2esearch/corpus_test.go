//go:build e2e

package e2esearch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/internal/ktailproc"
	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// A corpus is an index with documents like those that ktail writes, one for each number.
// They are made from one that ktail has written, and indexed as fast as the server can.
type corpus struct {
	pods, lines int
	begin       time.Time // of line 0; the others follow every step

	source                          string // of the document that ktail has written
	pod, uid, at, sequence, message string // parts of it that differ between lines
}

// corpusTime is the format of times in ktail's documents.
const corpusTime = "2006-01-02T15:04:05.000000000Z"

const (
	corpusStep = 500 * time.Microsecond
	// corpusBulk and corpusSenders are what keeps a server with one or two processors busy.
	corpusBulk, corpusSenders = 1000, 3
)

// corpusIndex is one of those that history reads by default.
const corpusIndex = "ktail-corpus"

// newCorpus fills the index of the server. Only fields that history queries are indexed:
// the server would need most of its time for the others, and returns whole documents.
func newCorpus(t *testing.T, s *search.Server, pods, lines int) *corpus {
	t.Helper()
	c := &corpus{pods: pods, lines: lines, begin: time.Now().Add(-time.Duration(lines) * corpusStep)}
	c.copyOriginal(t, s)
	mappings := `{"dynamic":false,"properties":{"@timestamp":{"type":"date"},"event":{"properties":{"sequence":{"type":"long"},"action":{"type":"keyword"}}},` +
		`"kubernetes":{"properties":{"namespace":{"type":"keyword"},"pod":{"properties":{"name":{"type":"keyword"},"uid":{"type":"keyword"}}},` +
		`"container":{"properties":{"name":{"type":"keyword"}}}}},"ktail":{"properties":{"document":{"type":"text"}}}}}`
	if s.Major == 6 {
		mappings = `{"_doc":` + mappings + `}`
	}
	s.Must(t, http.MethodPut, "/"+corpusIndex,
		`{"settings":{"index":{"number_of_replicas":0,"refresh_interval":"-1","translog":{"durability":"async"}}},"mappings":`+mappings+`}`, nil)
	began := time.Now()
	c.index(t, s, "/"+corpusIndex+typeInPath(s)+"/_bulk")
	s.Must(t, http.MethodPost, "/"+corpusIndex+"/_refresh", "", nil)
	suite.Eventually(t, 10*time.Minute, "the end of merges", func() bool {
		var stats struct {
			All struct {
				Total struct{ Merges struct{ Current int } }
			} `json:"_all"`
		}
		s.Must(t, http.MethodGet, "/"+corpusIndex+"/_stats/merge", "", &stats)
		return stats.All.Total.Merges.Current == 0
	})
	if n := s.Count(t, corpusIndex); n != lines {
		t.Fatalf("the index has %d documents, want %d", n, lines)
	}
	t.Logf("%d documents of %d pods indexed in %.0f s", lines, pods, time.Since(began).Seconds())
	return c
}

// copyOriginal keeps a document that ktail has written.
func (c *corpus) copyOriginal(t *testing.T, s *search.Server) {
	t.Helper()
	moment := time.Now().UTC()
	w := newWorld(t, 1)
	w.pods[0].write(fakeapi.Entry{Time: moment.UnixNano(), Text: "the original"})
	if code := w.forward(s, "--no-follow").wait(2 * time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	s.Documents(t, s.Index(), "", `"_doc"`, func(h search.Hit) { c.source = string(h.Source) })
	c.pod, c.uid, c.message = w.pods[0].name, w.pods[0].uid, `"the original"`
	c.at, c.sequence = moment.Format(corpusTime), strconv.FormatInt(moment.UnixNano(), 10)
	for _, part := range []string{c.pod, c.uid, c.at, c.sequence, c.message} {
		if !strings.Contains(c.source, part) {
			t.Fatalf("the document of ktail lacks %s: %s", part, c.source)
		}
	}
	s.Prepare(t) // deletes it
}

// typeInPath returns the part of the path of a bulk that version 6 requires.
func typeInPath(s *search.Server) string {
	if s.Major == 6 {
		return "/_doc"
	}
	return ""
}

// index sends all documents, with several requests at a time.
func (c *corpus) index(t *testing.T, s *search.Server, path string) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var senders sync.WaitGroup
	next := make(chan int)
	for range corpusSenders {
		senders.Go(func() {
			for first := range next {
				body := c.bulk(first, min(first+corpusBulk, c.lines))
				var answer struct{ Errors bool }
				err := s.Do(ctx, http.MethodPost, path+"?filter_path=errors", body, &answer)
				for err != nil && strings.Contains(err.Error(), "429") && ctx.Err() == nil {
					suite.Sleep(t, time.Second) // its memory is full
					err = s.Do(ctx, http.MethodPost, path+"?filter_path=errors", body, &answer)
				}
				if err != nil {
					cancel(err)
				} else if answer.Errors {
					cancel(errors.New("the server rejects documents"))
				}
			}
		})
	}
	for first := 0; first < c.lines && ctx.Err() == nil; first += corpusBulk {
		next <- first
	}
	close(next)
	senders.Wait()
	if err := context.Cause(ctx); err != nil {
		t.Fatal(err)
	}
}

// podName returns the name of the n-th pod.
func (c *corpus) podName(n int) string { return fmt.Sprintf("web-%05d", n) }

// podOf returns the pod of a line. Lines of a pod are far apart.
func (c *corpus) podOf(line int) int { return line % c.pods }

// text returns the text of a line.
func (c *corpus) text(dst []byte, line int) []byte {
	return fmt.Appendf(dst, `%d GET /cart/%d?user=\"%d\" 200 \\o/ ünï`, line, line%97, line%7)
}

// bulk returns the body of a request.
func (c *corpus) bulk(first, last int) string {
	var body strings.Builder
	for i := first; i < last; i++ {
		at := c.begin.Add(time.Duration(i) * corpusStep)
		pod := c.podOf(i)
		var id [27]byte // as in ktail's IDs, the time is at the beginning
		binary.BigEndian.PutUint64(id[:], uint64(at.UnixNano()))
		binary.BigEndian.PutUint64(id[8:], uint64(pod))
		id[26] = 1
		name := c.podName(pod)
		fmt.Fprintf(&body, `{"create":{"_id":%q}}`+"\n", base64.RawURLEncoding.EncodeToString(id[:]))
		_, _ = strings.NewReplacer(
			c.at, at.UTC().Format(corpusTime), c.sequence, strconv.FormatInt(at.UnixNano(), 10),
			c.message, `"`+string(c.text(nil, i))+`"`, c.pod, name, c.uid, "uid-of-"+name,
		).WriteString(&body, c.source)
		body.WriteByte('\n')
	}
	return body.String()
}

// read runs ktail on the corpus and checks that it prints the lines of the pods below
// this number, complete and in order.
func (c *corpus) read(t *testing.T, address string, pods int, args ...string) usage {
	t.Helper()
	checker := &orderChecker{corpus: c, pods: pods}
	u := measure(t, checker, append(args, "-A", "--history", address, "--since", "0", "--no-follow", "-o", "raw", "--only-log-lines")...)
	for checker.line < c.lines && c.podOf(checker.line) >= pods {
		checker.line++
	}
	if checker.err == nil && checker.line != c.lines {
		checker.err = fmt.Errorf("the output ends before line %d", checker.line)
	}
	if checker.err != nil {
		t.Fatalf("%q: %v", args, checker.err)
	}
	return u
}

// orderChecker checks lines while they are printed, and keeps none.
type orderChecker struct {
	corpus *corpus
	pods   int
	line   int // the next one
	rest   []byte
	want   []byte
	err    error
}

// Write implements io.Writer.
func (o *orderChecker) Write(p []byte) (int, error) {
	r := bufio.NewReader(io.MultiReader(bytes.NewReader(o.rest), bytes.NewReader(p)))
	for o.err == nil {
		line, err := r.ReadBytes('\n')
		if err != nil {
			o.rest = line
			return len(p), nil
		}
		for o.corpus.podOf(o.line) >= o.pods {
			o.line++
		}
		o.want = o.corpus.text(o.want[:0], o.line)
		if want := strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(string(o.want)) + "\n"; string(line) != want {
			o.err = fmt.Errorf("%q is printed, want %q", line, want)
		}
		o.line++
	}
	return 0, o.err
}

// usage is what a run took.
type usage struct {
	wall, cpu time.Duration
	peak      float64 // MB
}

// measure runs ktail, and discards its output if stdout is nil.
func measure(t *testing.T, stdout io.Writer, args ...string) usage {
	t.Helper()
	began := time.Now()
	process, err := ktailproc.Start(t.Context(), ktailproc.Options{
		Path: ktailPath, Args: args, Stdout: stdout, Env: append(os.Environ(), "XDG_STATE_HOME="+t.TempDir()),
	})
	if err != nil {
		t.Fatal(err)
	}
	if code, err := process.Wait(t.Context()); err != nil || code != 0 {
		t.Fatalf("%q: exit code %d, %v\n%s", args, code, err, process.Stderr.Short())
	}
	return usage{time.Since(began), process.CPU(), float64(process.PeakRSS()) / 1e6}
}

func (u usage) String() string {
	return fmt.Sprintf("%.1f s, %.2f s of CPU time, %.0f MB", u.wall.Seconds(), u.cpu.Seconds(), u.peak)
}
