//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
)

// A ledger records which lines were printed, to compare them with the written
// ones. It does not keep the lines themselves.
type ledger struct {
	namespaced  bool // lines start with the namespace
	stderrEvery int  // every stderrEvery-th line is on stderr

	mu       sync.Mutex
	logs     map[string]*shownLog // by "POD CONTAINER"
	shown    int
	distinct int
	torn     []string // lines that no container wrote in this form
}

// A shownLog records the printed lines of a container.
type shownLog struct {
	pad        int // bytes of padding after the number, the same in each line
	times      []int64
	seen       []uint16 // number of occurrences, by line number
	words      map[string]int
	last       [2]int // last number on stdout and on stderr
	outOfOrder int
	repeated   []string // examples of lines that were printed before
}

func newLedger() *ledger { return &ledger{logs: map[string]*shownLog{}} }

// take records a line "POD CONTAINER MESSAGE".
func (l *ledger) take(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.shown++
	rest := line
	if l.namespaced {
		_, rest, _ = bytes.Cut(rest, []byte(" "))
	}
	pod, rest, _ := bytes.Cut(rest, []byte(" "))
	container, message, ok := bytes.Cut(rest, []byte(" "))
	if !ok {
		l.tear(line)
		return
	}
	prefix := line[:len(line)-len(message)]
	key := prefix[len(prefix)-len(pod)-len(container)-2 : len(prefix)-1]
	log := l.logs[string(key)] // does not allocate
	if log == nil {
		log = &shownLog{pad: -1, words: map[string]int{}}
		l.logs[string(key)] = log
	}
	numbered, ok := bytes.CutPrefix(message, container)
	numbered, ok2 := bytes.CutPrefix(numbered, []byte(" line "))
	if !ok || !ok2 {
		log.words[string(message)]++
		if log.words[string(message)] == 1 {
			l.distinct++
		}
		return
	}
	n, at, pad, ok := parseNumbered(numbered)
	if !ok || log.pad >= 0 && pad != log.pad {
		l.tear(line)
		return
	}
	log.pad = pad
	if log.number(n, at, l.stderrEvery) {
		l.distinct++
	}
}

// tear records an incomplete line. It must be called with l.mu held.
func (l *ledger) tear(line []byte) {
	if len(line) > 200 {
		line = slices.Concat(line[:100], []byte(" … "), line[len(line)-100:])
	}
	l.torn = append(l.torn, string(line))
}

// number records the number of a line, and reports whether it is new.
func (s *shownLog) number(n int, at int64, stderrEvery int) bool {
	if n >= len(s.seen) {
		s.seen = append(s.seen, make([]uint16, n+1-len(s.seen))...)
	}
	if at != 0 {
		s.times = append(s.times, make([]int64, len(s.seen)-len(s.times))...)
		s.times[n] = at
	}
	if s.seen[n] < math.MaxUint16 {
		s.seen[n]++
	}
	if s.seen[n] > 1 {
		if len(s.repeated) < someExamples {
			s.repeated = append(s.repeated, fmt.Sprintf("line %d after line %d", n, max(s.last[0], s.last[1])))
		}
		return false
	}
	stream := 0
	if stderrEvery > 0 && n%stderrEvery == 0 {
		stream = 1
	}
	if n < s.last[stream] {
		s.outOfOrder++
	}
	s.last[stream] = max(s.last[stream], n)
	return true
}

// parseNumbered parses "NUMBER", "NUMBER TIME", "NUMBER xxx", or "NUMBER TIME
// xxx".
func parseNumbered(b []byte) (n int, at int64, pad int, ok bool) {
	number, rest, more := bytes.Cut(b, []byte(" "))
	n, err := strconv.Atoi(string(number))
	if err != nil || n < 1 || n > 1<<30 {
		return 0, 0, 0, false
	}
	if len(rest) > 0 && rest[0] != 'x' {
		var stamp []byte
		stamp, rest, more = bytes.Cut(rest, []byte(" "))
		t, err := time.Parse(time.RFC3339Nano, string(stamp))
		if err != nil {
			return 0, 0, 0, false
		}
		at = t.UnixNano()
	}
	if more && len(rest) == 0 || bytes.Count(rest, []byte("x")) != len(rest) {
		return 0, 0, 0, false
	}
	return n, at, len(rest), true
}

// heard returns the number of containers that have a printed line.
func (l *ledger) heard() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.logs)
}

// lines returns the number of printed lines.
func (l *ledger) lines() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.shown
}

// last returns the highest printed number of a container.
func (l *ledger) last(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if log := l.logs[key]; log != nil {
		return max(log.last[0], log.last[1])
	}
	return 0
}

// complete reports whether as many different lines were printed as were
// written.
func (l *ledger) complete(truth map[string]writtenLog) bool {
	written := 0
	for _, w := range truth {
		written += w.last + len(w.words)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.distinct >= written
}

// A writtenLog is what a container wrote: the lines 1 to last, and words.
type writtenLog struct {
	last  int
	words []string
}

// written reads the counts of the namespace's containers, by "POD CONTAINER".
// The count of a container is final when the container has ended.
func (n *namespace) written() map[string]writtenLog {
	n.t.Helper()
	files, err := filepath.Glob(filepath.Join(n.truthDir(), "*_*"))
	n.must(err)
	truth := map[string]writtenLog{}
	for _, f := range files {
		if filepath.Ext(f) == ".new" {
			continue
		}
		b, err := os.ReadFile(f)
		n.must(err)
		lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		last, err := strconv.Atoi(lines[0])
		n.must(err)
		pod, container, _ := strings.Cut(filepath.Base(f), "_")
		truth[pod+" "+container] = writtenLog{last, lines[1:]}
	}
	return truth
}

// A result is the outcome of a comparison.
type result struct {
	suite.Counts

	missing  []lostRun
	repeated []string // examples
	foreign  []string // printed but not written
}

// A lostRun is a run of lines that were not printed, between two printed lines
// or at the start or end of the log.
type lostRun struct {
	log         string
	first, last int
	since, till int64 // times of the lines before and after, if lines have times
}

func (r lostRun) String() string {
	return fmt.Sprintf("%s: lines %d to %d are missing", r.log, r.first, r.last)
}

// exact fails the test unless each line was printed once, complete and in
// order.
func (r *result) exact(t *testing.T) {
	t.Helper()
	r.orderly(t)
	if r.Lost > 0 {
		t.Errorf("%d lines are lost:\n%s", r.Lost, examples(r.missing))
	}
}

// orderly fails the test unless the printed lines were printed once, complete
// and in order.
func (r *result) orderly(t *testing.T) {
	t.Helper()
	if r.Written == 0 {
		t.Error("nothing was written")
	}
	if r.Duplicated > 0 || r.OutOfOrder > 0 {
		t.Errorf("%d lines are duplicated, %d out of order:\n%s", r.Duplicated, r.OutOfOrder, examples(r.repeated))
	}
	if len(r.foreign) > 0 {
		t.Errorf("%d lines were printed that no container wrote:\n%s", len(r.foreign), examples(r.foreign))
	}
}

// someExamples is how many lines a failed test shows.
const someExamples = 5

func examples[T any](list []T) string {
	var s strings.Builder
	for _, e := range list[:min(someExamples, len(list))] {
		fmt.Fprintln(&s, e)
	}
	if len(list) > someExamples {
		fmt.Fprintf(&s, "and %d more\n", len(list)-someExamples)
	}
	return s.String()
}

// compare compares the printed lines with the written ones.
func (l *ledger) compare(truth map[string]writtenLog) *result {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &result{Counts: suite.Counts{Arrived: l.shown}, foreign: slices.Clone(l.torn)}
	for key, w := range truth {
		log := l.logs[key]
		if log == nil {
			log = &shownLog{}
		}
		log.compare(key, w, r)
	}
	for key := range l.logs {
		if _, ok := truth[key]; !ok {
			r.foreign = append(r.foreign, "all of "+key)
		}
	}
	return r
}

func (s *shownLog) compare(key string, w writtenLog, r *result) {
	r.Written += w.last + len(w.words)
	r.OutOfOrder += s.outOfOrder
	for _, e := range s.repeated {
		r.repeated = append(r.repeated, key+": "+e)
	}
	for first := 1; first <= w.last; first++ {
		if s.count(first) > 0 {
			r.Duplicated += s.count(first) - 1
			continue
		}
		last := first
		for last < w.last && s.count(last+1) == 0 {
			last++
		}
		r.Lost += last - first + 1
		r.missing = append(r.missing, lostRun{key, first, last, s.time(first - 1), s.time(last + 1)})
		first = last
	}
	for n := w.last + 1; n < len(s.seen); n++ {
		if s.seen[n] > 0 {
			r.foreign = append(r.foreign, fmt.Sprintf("%s line %d", key, n))
		}
	}
	s.compareWords(key, w, r)
}

func (s *shownLog) compareWords(key string, w writtenLog, r *result) {
	left := map[string]int{}
	for _, word := range w.words {
		left[word]++
	}
	for word, n := range s.words {
		switch extra := n - left[word]; {
		case left[word] == 0:
			r.foreign = append(r.foreign, key+" "+word)
		case extra > 0:
			r.Duplicated += extra
		}
		left[word] -= n
	}
	for _, n := range left {
		if n > 0 {
			r.Lost += n
			r.missing = append(r.missing, lostRun{log: key, first: w.last + 1, last: w.last + n})
		}
	}
}

func (s *shownLog) count(n int) int {
	if n < len(s.seen) {
		return int(s.seen[n])
	}
	return 0
}

func (s *shownLog) time(n int) int64 {
	if n < len(s.times) {
		return s.times[n]
	}
	return 0
}

// words returns how often a line without a number was printed.
func (l *ledger) words(key, text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if log := l.logs[key]; log != nil {
		return log.words[text]
	}
	return 0
}
