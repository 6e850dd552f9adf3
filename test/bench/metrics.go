package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// patternRules make three metrics of an access log.
const patternRules = `metrics:
  http_errors_total:
    pattern: '<_>" <code> <_>'
    where: {code: '>=500'}
  http_request_duration_seconds:
    pattern: '<_>" "<_>" <time>'
    value: time
  http_response_size_total:
    pattern: '<_>" <_> <bytes> <_>'
    value: bytes
`

// counting is one way to make metrics of the access log, and what the sum of its
// series has to be.
type counting struct {
	name string
	args []string
	sums map[string]float64
}

// rules measures what it costs to make metrics of lines that are read from the API
// server.
func (b *bench) rules(ctx context.Context, out *strings.Builder) error {
	n, err := b.namespace(ctx, "bench-history", historyPods)
	if err != nil {
		return err
	}
	if err := n.writeHistory(historyPods, million, accessLine); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d lines of an access log of %d containers, `--no-follow --quiet --metrics-file FILE`. ", million, historyPods)
	return b.counting(ctx, out, ".", "-n", n.name)
}

// metrics measures the same with the log files of a node.
func (b *bench) metrics(ctx context.Context, out *strings.Builder) error {
	dir, err := os.MkdirTemp("", "ktail-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	if err := writePodLogs(dir, "nginx", accessLine); err != nil {
		return err
	}
	fmt.Fprintf(out, "The same lines in %d log files of a node, whose reading costs less. ", nodeLogs)
	return b.counting(ctx, out, ".", "--pod-logs-dir", dir)
}

// counting measures ktail with and without rules; source are the arguments that select
// the lines.
func (b *bench) counting(ctx context.Context, out *strings.Builder, source ...string) error {
	dir, err := os.MkdirTemp("", "ktail-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte(patternRules), 0o600); err != nil {
		return err
	}
	none := counting{name: "no rule", sums: map[string]float64{"ktail_log_lines_total": million}}
	all := []counting{
		none,
		{"three patterns", []string{"--config", config}, map[string]float64{"http_errors_total": million / 50, "http_request_duration_seconds_count": million}},
		{"three expressions that match nothing", []string{
			"--metric", `a_total=ERROR|FATAL`, "--metric", `b_total{what}=panic: (?P<what>\w+)`,
			"--metric", `c_total=^(?:[\w$]+\.)+[\w$]+(?:Exception|Error)(?::|$)`,
		}, map[string]float64{"a_total": 0}},
		{"a label with 100000 values", []string{"--metric", `carts_total{cart}=/cart/(?P<cart>\d+)`}, map[string]float64{"carts_total": million}},
	}
	var programs []program
	byName := map[string]counting{}
	for _, c := range all {
		programs = append(programs, program{name: c.name})
		byName[c.name] = c
	}
	programs = b.chosen(programs)
	table := newTable(programs)
	file := filepath.Join(dir, "metrics.prom")
	for range b.rounds {
		for _, p := range programs {
			c := byName[p.name]
			args := append(slices.Clone(source), "--no-follow", "--since", "0", "--quiet", "--metrics-file", file)
			u, err := program{path: b.ktail, args: append(args, c.args...)}.run(ctx)
			if err == nil {
				err = c.check(file)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			table.add(p.name, u)
		}
	}
	fmt.Fprintf(out, "The sums of the series were checked. Medians of %d rounds.\n\n", b.rounds)
	table.print(out, none.name)
	return nil
}

// check checks the sums in a file of metrics.
func (c counting) check(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for name, want := range c.sums {
		if sum := sumOf(string(text), name); sum != want {
			return fmt.Errorf("the sum of %s is %v, want %v", name, sum, want)
		}
	}
	return nil
}

// sumOf returns the sum of the series with the name in the text format.
func sumOf(text, name string) (sum float64) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err == nil {
			sum += v
		}
	}
	return sum
}

// accessLine returns a line of an access log.
func accessLine(log, line int, at time.Time) string {
	code := 200
	if line%50 == 0 {
		code = 503
	}
	cart := (log*nodeLines + line) % 100_000
	return fmt.Sprintf("10.1.2.%d - - [%s] \"GET /cart/%d HTTP/1.1\" %d %d \"https://shop.example/\" \"Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0\" 0.0%d",
		log, at.Format("02/Jan/2006:15:04:05 -0700"), cart, code, 100+line%5000, 10+line%90)
}
