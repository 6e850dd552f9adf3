//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
)

const (
	journalRate  = 200 // lines per second
	journalLines = 15 * journalRate
)

// Each entry of a busy journal is printed once, in order, and with its time, also if the
// kubelet is killed, whatever the time zone of the node.
func TestNode_JournalIsPrintedOnceInEachTimeZone(t *testing.T) {
	for _, zone := range []string{"UTC", "America/New_York", "Asia/Tokyo"} {
		t.Run(zone, func(t *testing.T) {
			c := sharedCluster
			c.setZone(t, zone)
			feed := c.feedJournal(t)
			feed.write(journalLines / 3)
			f := start(t, newLedger(), "node/"+nodeName, "-u", "kubelet", "--since", "5m",
				"-t="+journalTime, "--timezone", "UTC", "--only-log-lines")
			shown := &printedLines{}
			go shown.collect(f)
			feed.write(journalLines / 3)
			c.killKubelet(t)
			feed.write(journalLines / 3)
			suite.Eventually(t, time.Minute, "the last line", func() bool { return len(feed.of(shown.all())) > 0 })
			f.signal(syscall.SIGINT)

			want, got := feed.of(c.journal(t)), feed.of(shown.all())
			if n := len(want); n < journalLines {
				t.Fatalf("the journal has %d entries, %d lines were fed", n, journalLines)
			}
			if i := firstDifference(want, got); i >= 0 {
				t.Errorf("the journal has %d entries, %d were printed; they differ from entry %d on:\n%s\nwant:\n%s",
					len(want), len(got), i, examples(got[i:]), examples(want[i:]))
			}
			summary.Add(t.Name(), nil, fmt.Sprintf("%d entries of the journal, %d printed", len(want), len(got)))
		})
	}
}

// journalTime is the layout in which times of entries are compared.
const journalTime = "2006-01-02T15:04:05.000000"

// printedLines collects the lines that ktail prints about one unit: time and text.
type printedLines struct {
	mu    sync.Mutex
	lines []string
}

func (p *printedLines) collect(f *follower) {
	defer close(f.collected)
	in := bufio.NewScanner(f.stdout)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, strings.TrimPrefix(in.Text(), "node/"+nodeName+" kubelet "))
		p.mu.Unlock()
	}
}

func (p *printedLines) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}

// journal returns the entries of the kubelet's journal, as journalctl reads them.
func (c *cluster) journal(t *testing.T) (all []string) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(c.work, "state/varlog/journal/*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("there are %d journals: %v", len(dirs), err)
	}
	out, err := exec.CommandContext(t.Context(), "journalctl", "--directory", dirs[0], "--unit", "kubelet", "--no-pager", "--all", "--output", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	for record := range bytes.Lines(out) {
		var entry struct {
			Time    string `json:"__REALTIME_TIMESTAMP"`
			Message any    `json:"MESSAGE"` // bytes, if it is not text
		}
		if err := json.Unmarshal(record, &entry); err != nil {
			t.Fatalf("%v: %s", err, record)
		}
		at, err := strconv.ParseInt(entry.Time, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprint(time.UnixMicro(at).UTC().Format(journalTime), " ", entry.Message))
	}
	return all
}

// journalFeed writes numbered lines to the log of the kubelet, which goes to its journal.
type journalFeed struct {
	t    *testing.T
	log  *os.File
	name string // start of each line
	last int
}

func (c *cluster) feedJournal(t *testing.T) *journalFeed {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(c.work, "state/varlog/kubelet.log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return &journalFeed{t: t, log: log, name: fmt.Sprintf("%s %d line", t.Name(), time.Now().UnixNano())}
}

// write writes n more lines.
func (f *journalFeed) write(n int) {
	f.t.Helper()
	clock := suite.StartClock(f.t)
	for i := range n {
		f.last++
		if _, err := fmt.Fprintf(f.log, "%s %d\n", f.name, f.last); err != nil {
			f.t.Fatal(err)
		}
		clock.Until(time.Duration(i+1) * time.Second / journalRate)
	}
}

// of returns the entries from the first to the last line of the feed, including those that
// the kubelet has written in between. It returns none if the last one is not there.
func (f *journalFeed) of(all []string) []string {
	ends := func(n int) func(string) bool {
		text := fmt.Sprintf(" %s %d", f.name, n)
		return func(s string) bool { return strings.HasSuffix(s, text) }
	}
	first, last := slices.IndexFunc(all, ends(1)), slices.IndexFunc(all, ends(f.last))
	if first < 0 || last < 0 {
		return nil
	}
	return all[first : last+1]
}

// firstDifference returns the index of the first element that differs, or -1.
func firstDifference(a, b []string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}
