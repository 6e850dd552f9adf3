package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	million  = 1_000_000
	textSize = 158

	historyPods = 50
	ofInclude   = million / 10     // lines that match include
	ofExclude   = million / 10 * 9 // lines that do not match exclude
)

// These are the patterns and the template of the rows that use them.
const (
	include  = `status=50[0-9]`
	exclude  = `path=/healthz`
	template = `{{.PodName}}/{{.ContainerName}}: {{.Message}}{{"\n"}}`
)

// lineText returns the line with that number in the log with that index.
type lineText func(log, line int, at time.Time) string

// writeHistory writes lines into the logs of the first pods in turn, a millisecond
// apart, and empties the other logs.
func (n *namespace) writeHistory(pods, lines int, text lineText) error {
	start := time.Now().Add(-time.Duration(lines) * time.Millisecond)
	for i := range n.pods {
		each := 0
		if i < pods {
			each = lines / pods
		}
		if err := writeLog(n.logFile(i), start.Add(time.Duration(i)*time.Millisecond), time.Duration(pods)*time.Millisecond, each, func(line int, at time.Time) string {
			return text(i, line, at)
		}); err != nil {
			return err
		}
	}
	return nil
}

func writeLog(path string, at time.Time, step time.Duration, lines int, text func(line int, at time.Time) string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // Flush reports errors
	w := bufio.NewWriterSize(f, 64<<10)
	for i := range lines {
		line := at.UTC().AppendFormat(nil, "2006-01-02T15:04:05.000000000Z")
		line = fmt.Appendf(line, " stdout F %s\n", text(i, at))
		if _, err := w.Write(line); err != nil {
			return err
		}
		at = at.Add(step)
	}
	return w.Flush()
}

// appLine returns a line of textSize bytes.
func appLine(_, line int, at time.Time) string {
	status, page := 200, "/cart/17"
	if line%10 == 7 {
		status = 503
	}
	if line%5 == 2 && status == 200 {
		page = "/healthz"
	}
	text := fmt.Sprintf("line %d at=%d level=info method=GET path=%s status=%d ms=%d ", line+1, at.UnixNano(), page, status, line%300)
	return text + strings.Repeat("x", textSize-len(text))
}

// job is one form in which the lines are printed.
type job struct {
	name  string
	flags []string
	lines int // expected number of lines
}

var (
	colored = job{"colored", []string{"--color", "always"}, million}
	forms   = []job{
		{"raw", []string{"-o", "raw"}, million},
		{"json", []string{"-o", "json"}, million},
		{"include", []string{"--color", "always", "-i", include}, ofInclude},
		{"exclude", []string{"--color", "always", "-e", exclude}, ofExclude},
		{"template", []string{"--template", template}, million},
	}
)

// history measures the cost of printing existing lines.
func (b *bench) history(ctx context.Context, out *strings.Builder) error {
	n, err := b.past(ctx)
	if err != nil {
		return err
	}
	curl, err := b.curl(n, historyPods)
	if err != nil {
		return err
	}
	mine := b.showing(n, ".", colored)
	if err := b.complete(ctx, mine, million); err != nil {
		return err
	}
	table, err := b.interleaved(ctx, []program{curl, b.kubectl(n), mine, b.sternShowing(n, colored)}, b.rounds)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d lines of %d bytes from %d containers, `--no-follow`, to /dev/null; those of ktail in time order, which was checked. Medians of %d rounds. "+
		"curl fetches the same bytes.\n\n", million, textSize, historyPods, b.rounds)
	table.print(out, "curl")
	return nil
}

// forms measures other formats of the same lines.
func (b *bench) forms(ctx context.Context, out *strings.Builder) error {
	n, err := b.past(ctx)
	if err != nil {
		return err
	}
	var programs []program
	for _, j := range forms {
		programs = append(programs, b.showing(n, ".", j), b.sternShowing(n, j))
	}
	for _, j := range forms {
		if j.lines == million {
			continue
		}
		if err := b.complete(ctx, b.showing(n, ".", j), j.lines); err != nil {
			return err
		}
	}
	table, err := b.interleaved(ctx, programs, b.few())
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "As above. `-i '%s'` keeps %d lines, `-e '%s'` leaves %d. Medians of %d rounds.\n\n", include, ofInclude, exclude, ofExclude, b.few())
	fmt.Fprintln(out, "| form | ktail CPU s | stern CPU s | ktail ÷ stern | ktail peak MB | stern peak MB |\n|---|---|---|---|---|---|")
	for _, j := range forms {
		if mine, theirs := table.of("ktail "+j.name), table.of("stern "+j.name); mine != nil && theirs != nil {
			fmt.Fprintf(out, "| %s | %.2f | %.2f | %.2f | %.0f | %.0f |\n", j.name, mine.cpu().Seconds(), theirs.cpu().Seconds(),
				mine.cpu().Seconds()/theirs.cpu().Seconds(), mine.peak(), theirs.peak())
		}
	}
	return nil
}

// past returns the namespace with the million lines.
func (b *bench) past(ctx context.Context) (*namespace, error) {
	n, err := b.namespace(ctx, "bench-history", historyPods)
	if err != nil {
		return nil, err
	}
	return n, n.writeHistory(historyPods, million, appLine)
}

// showing returns the program that prints the existing lines with ktail.
func (b *bench) showing(n *namespace, query string, j job) program {
	return program{name: "ktail " + j.name, path: b.ktail, args: append([]string{query, "-n", n.name, "--no-follow", "--only-log-lines"}, j.flags...)}
}

// sternShowing returns the program that does the same with stern, without an
// order.
func (b *bench) sternShowing(n *namespace, j job) program {
	return program{name: "stern " + j.name, path: b.stern, args: append([]string{
		".", "-n", n.name, "--no-follow", "--only-log-lines", "--max-log-requests", fmt.Sprint(historyPods),
	}, j.flags...)}
}

// kubectl returns the program that reads one log after another with kubectl.
func (b *bench) kubectl(n *namespace) program {
	return program{name: "kubectl logs --prefix", path: "kubectl", args: []string{
		"logs", "-n", n.name, "-l", "app=fake", "--prefix", "--tail=-1", fmt.Sprintf("--max-log-requests=%d", historyPods),
	}}
}

// curl returns the program that fetches the logs in parallel, with timestamps
// as ktail does. It uses one connection per log, which is the cheapest way.
func (b *bench) curl(n *namespace, pods int) (program, error) {
	var config strings.Builder
	fmt.Fprintf(&config, "silent\nfail\nparallel\nparallel-immediate\nparallel-max = %d\nhttp1.1\ncacert = %q\ncert = %q\nkey = %q\n",
		pods, b.pki("ca.crt"), b.pki("admin.crt"), b.pki("admin.key"))
	for i := range pods {
		fmt.Fprintf(&config, "url = %q\noutput = /dev/null\n", logURL(n.name, i, "timestamps=true"))
	}
	path := filepath.Join(n.dir, "curl.conf")
	return program{name: "curl", path: "curl", args: []string{"-K", path}}, os.WriteFile(path, []byte(config.String()), 0o600)
}

// complete runs the program once, if it is selected, and checks that all lines
// are printed in order.
func (b *bench) complete(ctx context.Context, p program, lines int) error {
	if len(b.chosen([]program{p})) == 0 {
		return nil
	}
	r, seen, err := p.pipe(ctx, 0)
	if err != nil {
		return err
	}
	if _, err := r.wait(); err != nil {
		return err
	}
	<-seen.ended
	if seen.lines != lines || seen.late > 0 {
		return fmt.Errorf("%s prints %d lines of %d, %d of them out of order", p.name, seen.lines, lines, seen.late)
	}
	return nil
}

// streams measures what a line costs as the logs get more.
func (b *bench) streams(ctx context.Context, out *strings.Builder) error {
	n, err := b.namespace(ctx, "bench-1000", 1000)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d lines of %d bytes, `--no-follow`, colored, in time order. Medians of %d rounds.\n\n", million, textSize, b.few())
	fmt.Fprintln(out, "| logs | CPU s | ÷ of 10 logs | wall s | peak MB |\n|---|---|---|---|---|")
	var first time.Duration
	for _, logs := range []struct {
		pods  int
		query string
	}{{10, "^p-000"}, {100, "^p-00"}, {1000, "^p-"}} {
		if err := n.writeHistory(logs.pods, million, appLine); err != nil {
			return err
		}
		p := b.showing(n, logs.query, colored)
		table, err := b.interleaved(ctx, []program{p}, b.few())
		if err != nil {
			return err
		}
		m := table.of(p.name)
		if first == 0 {
			first = m.cpu()
		}
		fmt.Fprintf(out, "| %d | %.2f | %.2f | %.2f | %.0f |\n", logs.pods, m.cpu().Seconds(), m.cpu().Seconds()/first.Seconds(), m.wall().Seconds(), m.peak())
	}
	return nil
}

// one measures how long a user waits for a single line.
func (b *bench) one(ctx context.Context, out *strings.Builder) error {
	n, err := b.namespace(ctx, "bench-one", 1)
	if err != nil {
		return err
	}
	if err := writeLog(n.logFile(0), time.Now(), 0, 1, func(_ int, at time.Time) string { return appLine(0, 0, at) }); err != nil {
		return err
	}
	rounds := 10 * b.rounds
	table, err := b.interleaved(ctx, []program{
		{"ktail", b.ktail, []string{".", "-n", n.name, "--no-follow"}},
		{"stern", b.stern, []string{".", "-n", n.name, "--no-follow"}},
		{"kubectl", "kubectl", []string{"logs", podName(0), "-n", n.name}},
	}, rounds)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The whole process, `--no-follow`. Medians of %d rounds.\n\n", rounds)
	table.print(out, "stern")
	return nil
}
