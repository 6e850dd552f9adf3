package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	nodeLogs  = 50
	nodeLines = million / nodeLogs // of each log
)

// files measures what it costs to read the log files of a node, and to deliver
// their lines.
func (b *bench) files(ctx context.Context, out *strings.Builder) error {
	dir, err := os.MkdirTemp("", "ktail-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	if err := writePodLogs(filepath.Join(dir, "pods"), "app", paddedLine); err != nil {
		return err
	}
	programs := []program{{name: "ktail, forwarding"}, {name: "ktail -o raw"}, {name: "cat FILES, wc -l"}, {name: "rsyslog, forwarding"}}
	if _, err := exec.LookPath("rsyslogd"); errors.Is(err, exec.ErrNotFound) {
		fmt.Fprint(out, "rsyslog is not there to compare with.\n\n")
		programs = programs[:3]
	}
	programs = b.chosen(programs)
	table := newTable(programs)
	for range b.rounds {
		for _, p := range programs {
			u, err := b.readFiles(ctx, p.name, dir)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			table.add(p.name, u)
		}
	}
	fmt.Fprintf(out, "%d lines of %d bytes in %d log files of a node (`--pod-logs-dir`), read from the beginning. Forwarding is to the search server of the section above; "+
		"rsyslog follows the same files with imfile and sends their records as they are. `cat FILES | wc -l` only counts the lines; its memory is not measured. Medians of %d rounds.\n\n", million, textSize, nodeLogs, b.rounds)
	table.printDocuments(out, "rsyslog, forwarding")
	return nil
}

// readFiles has one program read the files.
func (b *bench) readFiles(ctx context.Context, name, dir string) (usage, error) {
	pods := filepath.Join(dir, "pods")
	switch name {
	case "ktail -o raw":
		return program{path: b.ktail, args: []string{".", "--pod-logs-dir", pods, "--no-follow", "-o", "raw", "--only-log-lines"}}.run(ctx)
	case "cat FILES, wc -l":
		return countWithCat(ctx, pods)
	}
	return b.deliverTo(ctx, dir, map[string]deliverer{"ktail, forwarding": b.ktailFiles, "rsyslog, forwarding": rsyslogFiles}[name])
}

// countWithCat counts the lines of the files with cat and wc. Their memory is too small
// to be measured: see launch.
func countWithCat(ctx context.Context, pods string) (usage, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", "cat "+pods+"/*/*/*.log | wc -l")
	began := time.Now()
	out, err := cmd.Output()
	if err == nil && strings.TrimSpace(string(out)) != strconv.Itoa(million) {
		err = fmt.Errorf("cat and wc count %q lines", out)
	}
	if err != nil {
		return usage{}, err
	}
	return usage{CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), Wall: time.Since(began)}, nil
}

func (b *bench) ktailFiles(ctx context.Context, s *sink, dir string) (usage, error) {
	return program{path: b.ktail, args: []string{
		".", "--pod-logs-dir", filepath.Join(dir, "pods"), "--no-follow", "--quiet", "--elasticsearch", "http://" + s.address,
	}}.run(ctx)
}

func rsyslogFiles(ctx context.Context, s *sink, dir string) (usage, error) {
	return rsyslog(ctx, s, dir, filepath.Join(dir, "pods/*/*/*.log"))
}

// writePodLogs writes the log files of a node, one of each pod's container.
func writePodLogs(dir, container string, text lineText) error {
	begin := time.Date(2026, 1, 31, 10, 0, 0, 123, time.UTC)
	for i := range nodeLogs {
		path := filepath.Join(dir, fmt.Sprintf("shop_web-%d_uid-%d", i, i), container, "0.log")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		w := bufio.NewWriterSize(f, 64<<10)
		for n := range nodeLines {
			at := begin.Add(time.Duration(n)*time.Millisecond + time.Duration(i)*time.Microsecond)
			if _, err := fmt.Fprintf(w, "%s stdout F %s\n", at.Format(time.RFC3339Nano), text(i, n, at)); err != nil {
				return errors.Join(err, f.Close())
			}
		}
		if err := errors.Join(w.Flush(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// paddedLine returns a line of textSize bytes.
func paddedLine(_, line int, _ time.Time) string {
	text := fmt.Sprintf("line %d level=info method=GET path=/cart/17 status=200 ms=%d ", line+1, line%300)
	return fmt.Sprintf("%-*s", textSize, text)
}
