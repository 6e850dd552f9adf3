package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// rsyslogConf configures rsyslog for low cost: one queue, and bulk requests as
// large as ktail's. Its arguments are the directory, the sink's port, and the
// files.
const rsyslogConf = `global(workDirectory="%[1]s")
module(load="imfile")
module(load="omelasticsearch")
main_queue(queue.type="LinkedList" queue.size="200000" queue.dequeueBatchSize="10000"
  queue.minDequeueBatchSize="5000" queue.minDequeueBatchSize.timeout="1000")
template(name="document" type="list") {
  constant(value="{\"@timestamp\":\"") property(name="timereported" dateFormat="rfc3339")
  constant(value="\",\"message\":\"") property(name="msg" format="json") constant(value="\"}")
}
input(type="imfile" file="%[3]s" tag="bench")
action(type="omelasticsearch" server="http://127.0.0.1" serverport="%[2]s" searchIndex="bench" searchType=""
  bulkmode="on" template="document")
`

// forward measures the cost of delivering lines to a search server that
// responds immediately.
func (b *bench) forward(ctx context.Context, out *strings.Builder) error {
	dir, err := os.MkdirTemp("", "ktail-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	if err := writeLines(filepath.Join(dir, "lines"), million); err != nil {
		return err
	}
	programs := []program{{name: "ktail"}, {name: "rsyslog"}}
	if _, err := exec.LookPath("rsyslogd"); errors.Is(err, exec.ErrNotFound) {
		fmt.Fprint(out, "rsyslog is not installed, so there is no comparison.\n\n")
		programs = programs[:1]
	} else if err != nil {
		return err
	}
	programs = b.chosen(programs)
	table := newTable(programs)
	for range b.rounds {
		for _, p := range programs {
			u, err := b.deliver(ctx, p.name, dir)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			table.add(p.name, u)
		}
	}
	fmt.Fprintf(out, "%d lines of %d bytes from a file to a search server on the same machine that responds immediately and counts the documents, which was checked. "+
		"ktail reads them on stdin (`--stdin --quiet`), compresses bulk requests, and gives each document an ID; rsyslog follows the file (imfile) and neither compresses, "+
		"which its omelasticsearch cannot, nor gives IDs. Medians of %d rounds.\n\n", million, textSize, b.rounds)
	table.printDocuments(out, "rsyslog")
	return nil
}

// printDocuments prints the medians per document.
func (t *table) printDocuments(out *strings.Builder, base string) {
	fmt.Fprintf(out, "| program | CPU s | µs CPU for each document | documents per CPU s | wall s | peak MB | ÷ %s |\n|---|---|---|---|---|---|---|\n", base)
	for _, name := range t.names {
		r, ratio := t.rows[name], "–"
		cpu := r.cpu().Seconds()
		if other := t.of(base); other != nil {
			ratio = fmt.Sprintf("%.2f", cpu/other.cpu().Seconds())
		}
		fmt.Fprintf(out, "| %s | %.2f | %.2f | %.0f | %.2f | %.0f | %s |\n", name, cpu, cpu*1e6/million, million/cpu, r.wall().Seconds(), r.peak(), ratio)
	}
}

// deliver makes one program deliver the lines to its own sink, and checks that
// every line has arrived once.
func (b *bench) deliver(ctx context.Context, name, dir string) (usage, error) {
	if name == "rsyslog" {
		return b.deliverTo(ctx, dir, rsyslogTo)
	}
	return b.deliverTo(ctx, dir, b.ktailTo)
}

// deliverer has a program deliver the lines in the directory to the sink.
type deliverer func(ctx context.Context, s *sink, dir string) (usage, error)

// deliverTo has a program deliver the lines to a sink of its own, and checks that
// each has arrived.
func (b *bench) deliverTo(ctx context.Context, dir string, run deliverer) (usage, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	s, err := b.startSink(ctx)
	if err != nil {
		return usage{}, err
	}
	defer s.stop()
	u, err := run(ctx, s, dir)
	if err != nil {
		return u, err
	}
	n, err := s.count(ctx, 0)
	if err == nil && n != million {
		err = fmt.Errorf("%d of %d documents have arrived", n, million)
	}
	return u, err
}

// ktailTo runs ktail until it has delivered all lines.
func (b *bench) ktailTo(ctx context.Context, s *sink, dir string) (usage, error) {
	// The shell opens the file and then executes ktail in its place.
	p := program{path: "/bin/sh", args: []string{
		"-c", `lines=$1; shift; exec "$@" <"$lines"`, "sh", filepath.Join(dir, "lines"),
		b.ktail, "--stdin", "--quiet", "--elasticsearch", "http://" + s.address,
	}}
	return p.run(ctx)
}

// rsyslogTo runs rsyslog, which does not end by itself, until the sink has all
// documents.
func rsyslogTo(ctx context.Context, s *sink, dir string) (usage, error) {
	return rsyslog(ctx, s, dir, filepath.Join(dir, "lines"))
}

// rsyslog runs rsyslog on the files.
func rsyslog(ctx context.Context, s *sink, dir, files string) (usage, error) {
	state, err := filepath.Glob(filepath.Join(dir, "imfile-state*")) // records how far it has read
	if err != nil {
		return usage{}, err
	}
	for _, path := range state {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return usage{}, err
		}
	}
	_, port, _ := strings.Cut(s.address, ":")
	conf := filepath.Join(dir, "rsyslog.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, rsyslogConf, dir, port, files), 0o600); err != nil {
		return usage{}, err
	}
	p := program{path: "rsyslogd", args: []string{"-n", "-f", conf, "-i", filepath.Join(dir, "rsyslog.pid")}}
	r, err := p.start(ctx, nil)
	if err != nil {
		return usage{}, err
	}
	_, err = s.count(ctx, million)
	if signalErr := r.cmd.Process.Signal(syscall.SIGTERM); signalErr != nil && err == nil {
		err = signalErr
	}
	u, waitErr := r.wait()
	return u, errors.Join(err, waitErr)
}

// writeLines writes the given number of lines of textSize bytes.
func writeLines(path string, lines int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // Flush reports errors
	w := bufio.NewWriterSize(f, 64<<10)
	for i := range lines {
		text := fmt.Sprintf("line %d level=info method=GET path=/cart/17 status=200 ms=%d ", i+1, i%300)
		if _, err := fmt.Fprintf(w, "%s%s\n", text, strings.Repeat("x", textSize-len(text))); err != nil {
			return err
		}
	}
	return w.Flush()
}
