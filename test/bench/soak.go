package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ktail/ktail/internal/ktailproc"
)

const (
	soakPods   = 50                     // that write at a time
	soakEnded  = 10                     // that have ended and are not deleted yet
	soakChurn  = 500 * time.Millisecond // between the creation of two pods, and the deletion of two
	soakLines  = 5000                   // per second, of all pods
	soakTick   = 10 * time.Millisecond  // between writes
	soakRotate = 128 << 10              // size at which a log file is rotated
	soakSample = 5 * time.Second        // between measurements
	soakParts  = 5                      // of the run, whose means are compared
)

// soak measures whether memory, descriptors, and state on disk stay the same while
// pods come and go for as long as -soak says. ktail reads log files and forwards them.
func (b *bench) soak(ctx context.Context, out *strings.Builder) error {
	dir, err := os.MkdirTemp("", "ktail-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	s, err := b.startSink(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	pods, state := filepath.Join(dir, "pods"), filepath.Join(dir, "state")
	if err := os.Mkdir(pods, 0o755); err != nil {
		return err
	}
	ktail, err := ktailproc.Start(ctx, ktailproc.Options{Path: b.ktail, Args: []string{
		".", "--pod-logs-dir", pods, "--quiet", "--only-log-lines", "--resume", "--elasticsearch", "http://" + s.address, "--elasticsearch-spool", state,
	}})
	if err != nil {
		return err
	}
	defer ktail.Kill()
	node := &soakNode{dir: pods}
	samples, err := node.run(ctx, b.length, func() (soakState, error) { return soakStateOf(ktail, state) })
	if err != nil {
		return errors.Join(err, errors.New(ktail.Stderr.Short()))
	}
	arrive, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, missing := s.count(arrive, node.lines)
	if n, err := s.count(ctx, 0); err != nil || n != node.lines {
		return errors.Join(missing, err, fmt.Errorf("%d of %d lines have arrived; stderr: %s", n, node.lines, ktail.Stderr.Short()))
	}
	printSoak(out, b.length, node, samples)
	return nil
}

func printSoak(out *strings.Builder, length time.Duration, node *soakNode, samples []soakState) {
	fmt.Fprintf(out, "%d lines in %v, %d per second, of %d pods at a time; two pods per second are created and two are deleted, %d in all, and log files are rotated at %d KiB. "+
		"ktail reads the files, records positions, and forwards. Each line has arrived once. Means of each fifth of the time.\n\n",
		node.lines, length, soakLines, soakPods, node.created, soakRotate>>10)
	fmt.Fprintln(out, "| fifth | resident MB | descriptors | KB of state on disk |\n|---|---|---|---|")
	for i := range soakParts {
		part := samples[i*len(samples)/soakParts : (i+1)*len(samples)/soakParts]
		var sum soakState
		for _, one := range part {
			sum.memory, sum.descriptors, sum.disk = sum.memory+one.memory, sum.descriptors+one.descriptors, sum.disk+one.disk
		}
		n := float64(len(part))
		fmt.Fprintf(out, "| %d | %.1f | %.0f | %.0f |\n", i+1, float64(sum.memory)/n/1e6, float64(sum.descriptors)/n, float64(sum.disk)/n/1e3)
	}
}

// soakState is what must not grow.
type soakState struct{ memory, descriptors, disk int64 }

func soakStateOf(p *ktailproc.Process, dir string) (s soakState, err error) {
	if s.memory, err = residentMemory(p.PID()); err != nil {
		return s, err
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.PID()))
	s.descriptors = int64(len(open))
	if err != nil {
		return s, err
	}
	return s, filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if info, infoErr := e.Info(); infoErr == nil && e.Type().IsRegular() { // it may just have been removed
			s.disk += info.Size()
		}
		return err
	})
}

// soakNode is a node whose pods come and go.
type soakNode struct {
	dir     string
	pods    []*soakPod // that write; oldest first
	ended   []*soakPod // oldest first
	created int
	lines   int // written
}

// soakPod is the pod of a soakNode, with the log file of its container.
type soakPod struct {
	dir  string
	file *os.File
	size int

	rotated time.Time // time in the name of the last rotated file
}

// run writes lines for the given time, and returns what was measured.
func (n *soakNode) run(ctx context.Context, length time.Duration, measure func() (soakState, error)) (samples []soakState, err error) {
	begin := time.Now()
	sampled := begin
	for now := begin; now.Sub(begin) < length && ctx.Err() == nil; now = time.Now() {
		for n.created < soakPods+int(now.Sub(begin)/soakChurn) {
			if err := n.create(); err != nil {
				return nil, err
			}
		}
		if err := n.write(int(now.Sub(begin).Seconds()*soakLines) - n.lines); err != nil {
			return nil, err
		}
		if now.Sub(sampled) >= soakSample {
			sampled = now
			sample, err := measure()
			if err != nil {
				return nil, err
			}
			samples = append(samples, sample)
		}
		pause(ctx, soakTick)
	}
	for _, p := range n.pods {
		err = errors.Join(err, p.file.Close())
	}
	if len(samples) < soakParts {
		err = errors.Join(err, fmt.Errorf("%v is too short: at least %v", length, soakParts*soakSample))
	}
	return samples, errors.Join(err, ctx.Err())
}

// create creates a pod. If there are enough, the oldest one that writes ends, and the
// oldest one that has ended is deleted.
func (n *soakNode) create() error {
	p := &soakPod{dir: filepath.Join(n.dir, fmt.Sprintf("shop_web-%d_uid-%[1]d", n.created))}
	n.created++
	if err := os.MkdirAll(filepath.Join(p.dir, "app"), 0o755); err != nil {
		return err
	}
	if err := p.open(); err != nil {
		return err
	}
	if n.pods = append(n.pods, p); len(n.pods) <= soakPods {
		return nil
	}
	oldest := n.pods[0]
	n.pods, n.ended = slices.Delete(n.pods, 0, 1), append(n.ended, oldest)
	err := oldest.file.Close()
	if len(n.ended) > soakEnded {
		err = errors.Join(err, os.RemoveAll(n.ended[0].dir))
		n.ended = slices.Delete(n.ended, 0, 1)
	}
	return err
}

func (p *soakPod) path() string { return filepath.Join(p.dir, "app", "0.log") }

func (p *soakPod) open() (err error) {
	p.size = 0
	p.file, err = os.Create(p.path())
	return err
}

// write writes the next lines, each to another pod than the one before.
func (n *soakNode) write(lines int) error {
	for range lines {
		p := n.pods[n.lines%len(n.pods)]
		now := time.Now().UTC()
		written, err := fmt.Fprintf(p.file, "%s stdout F %s\n", now.Format(time.RFC3339Nano), paddedLine(0, n.lines, now))
		if err != nil {
			return err
		}
		n.lines++
		if p.size += written; p.size < soakRotate {
			continue
		}
		if err := p.rotate(now); err != nil {
			return err
		}
	}
	return nil
}

// rotate renames the log file, and starts the next one.
func (p *soakPod) rotate(now time.Time) error {
	p.rotated = later(now, p.rotated.Add(time.Second)) // each name is used once
	err := os.Rename(p.path(), p.path()+"."+p.rotated.Format("20060102-150405"))
	return errors.Join(p.file.Close(), err, p.open())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
