package main

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/internal/ktailproc"
)

// nodeLog is a container log on a node: it writes numbered lines and rotates the file as
// a kubelet with containerLogMaxFiles: 5 does.
type nodeLog struct {
	t       *testing.T
	dir     string
	file    *os.File
	written int
	stamp   time.Time
}

func newNodeLog(t *testing.T, dir string) *nodeLog {
	l := &nodeLog{t: t, dir: dir, stamp: time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)}
	l.must(os.MkdirAll(dir, 0o755))
	l.create()
	return l
}

func (l *nodeLog) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *nodeLog) create() {
	var err error
	l.file, err = os.Create(filepath.Join(l.dir, "0.log"))
	l.must(err)
}

func (l *nodeLog) write(lines int) {
	var b strings.Builder
	for range lines {
		l.written++
		fmt.Fprintf(&b, "%s stdout F line %d\n", time.Now().UTC().Format(time.RFC3339Nano), l.written)
	}
	_, err := l.file.WriteString(b.String())
	l.must(err)
}

func (l *nodeLog) rotate() {
	rotated, err := filepath.Glob(filepath.Join(l.dir, "0.log.*"))
	l.must(err)
	slices.Sort(rotated)
	for ; len(rotated) > 3; rotated = rotated[1:] {
		l.must(os.Remove(rotated[0]))
	}
	for _, path := range rotated {
		if strings.HasSuffix(path, ".gz") {
			continue
		}
		in, err := os.Open(path)
		l.must(err)
		out, err := os.Create(path + ".tmp")
		l.must(err)
		z := gzip.NewWriter(out)
		_, err = io.Copy(z, in)
		l.must(errors.Join(err, z.Close(), out.Close(), in.Close(), os.Rename(path+".tmp", path+".gz"), os.Remove(path)))
	}
	l.stamp = l.stamp.Add(time.Second)
	live := filepath.Join(l.dir, "0.log")
	l.must(errors.Join(os.Rename(live, live+"."+l.stamp.Format("20060102-150405")), l.file.Close()))
	l.create()
}

// A ktail that is killed at random moments, again and again, while logs are rotated
// delivers every line once.
func TestPodLogs_KilledWhileRotating_DeliversEveryLineOnce(t *testing.T) {
	const kills, perFile = 12, 300
	search, err := fakesearch.Start(fakesearch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	pods, state := t.TempDir(), t.TempDir()
	log := newNodeLog(t, filepath.Join(pods, "shop_web-1_uid-1", "app"))
	start := func() *ktailproc.Process {
		p, err := ktailproc.Start(t.Context(), ktailproc.Options{
			Path: "/proc/self/exe", Name: "ktail",
			Args: []string{".", "--pod-logs-dir", pods, "--quiet", "--resume", "--elasticsearch", search.URL(), "--elasticsearch-spool", state},
			Env:  append(os.Environ(), "KUBECONFIG=none"),
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	indexed := func(n int) {
		t.Helper()
		if err := search.Wait(ctx, func(c fakesearch.Counts) bool { return c.Created >= n }); err != nil {
			t.Fatalf("%d of %d lines are indexed: %v", search.Counts().Created, n, err)
		}
	}
	p := start()
	for kill := range kills {
		// The node keeps four files behind the one that is written: what is not delivered
		// must not be removed.
		indexed(log.written - 2*perFile)
		killAt := rand.IntN(2 * perFile / 10)
		for i := range 2 * perFile / 10 {
			log.write(10)
			if i == perFile/10 {
				log.rotate()
			}
			if i == killAt {
				p.Kill()
				if kill%3 == 0 { // away during a rotation
					log.write(perFile)
					log.rotate()
				}
				p = start()
			}
		}
	}
	indexed(log.written)
	p.Kill()
	seen := make([]int, log.written+1)
	for _, d := range search.Documents("*") {
		var doc struct{ Message string }
		var n int
		if err := json.Unmarshal(d.Source, &doc); err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(doc.Message, "line %d", &n); err != nil {
			t.Errorf("unexpected document %s", d.Source) // a gap
			continue
		}
		seen[n]++
	}
	for n, times := range seen[1:] {
		if times != 1 {
			t.Errorf("line %d of %d is indexed %d times", n+1, log.written, times)
		}
	}
	if strings.Contains(p.Stderr.String(), "gap") {
		t.Error(&p.Stderr)
	}
}
