package kube_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
)

// fileWriter writes numbered lines to a log file of a node, which it renames at times.
type fileWriter struct {
	node  *fakeapi.Node
	rng   *rand.Rand
	lines []string // written
}

// text returns the next n lines.
func (w *fileWriter) text(n int) string {
	from := len(w.lines)
	for range n {
		i := len(w.lines)
		w.lines = append(w.lines, fmt.Sprintf("line %d %s", i, strings.Repeat("x", i%200)))
	}
	return strings.Join(append(slices.Clone(w.lines[from:]), ""), "\n")
}

func (w *fileWriter) write(atMost int) { w.node.Write("syslog", w.text(w.rng.IntN(atMost+1))) }

func (w *fileWriter) pause(atMost time.Duration) {
	time.Sleep(time.Duration(w.rng.Int64N(int64(atMost))))
}

// step does one thing that happens to log files. logrotate renames them rarely.
func (w *fileWriter) step() {
	const betweenRotations = time.Minute
	switch w.rng.IntN(5) {
	case 0:
		w.write(50)
	case 1:
		w.write(5000)
	case 2: // a line in two parts
		line := w.text(1)
		cut := w.rng.IntN(len(line))
		w.node.Write("syslog", line[:cut])
		w.pause(20 * time.Second)
		w.node.Write("syslog", line[cut:])
	case 3: // the program opens the new file after a while, and writes to it even later
		w.write(5)
		w.node.Rename("syslog", "syslog.1")
		w.pause(8 * time.Second)
		w.node.Write("syslog", "")
		w.pause(time.Minute)
		w.write(100)
		time.Sleep(betweenRotations)
	case 4: // between two polls
		w.write(5000)
		w.node.Rename("syslog", "syslog.1")
		w.write(5000)
		time.Sleep(betweenRotations)
	}
	w.pause(20 * time.Second)
}

// Each line of a file is read once, whatever happens to it.
func TestNodeWatcher_ReadsFilesExactly(t *testing.T) {
	const seeds, steps = 12, 30
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := fakeapi.New(fakeapi.Options{})
				t.Cleanup(api.Close)
				w := &fileWriter{node: api.AddNode("worker-1", nil), rng: rand.New(rand.NewPCG(seed, 0))}
				w.node.Write("syslog", "")
				r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Files: []string{"syslog"}, Options: kube.LogOptions{Follow: true, Tail: -1}})
				time.Sleep(time.Second) // the first read
				for range steps {
					w.step()
				}
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if len(r.lines) != len(w.lines) || r.gaps > 0 {
					t.Errorf("got %d lines, %d gaps, %v; %d lines were written", len(r.lines), r.gaps, r.errs, len(w.lines))
				}
				for i := range min(len(r.lines), len(w.lines)) {
					if got, want := r.lines[i], "worker-1 syslog "+w.lines[i]; got != want {
						t.Fatalf("line %d is %.40q, want %.40q", i, got, want)
					}
				}
			})
		})
	}
}
