package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/internal/ktailproc"
)

var lineCount = regexp.MustCompile(`(?m)^(lines_total|ktail_log_lines_total)\{.*\} (\d+)$`)

// A ktail that counts lines and forwards them is killed again and again, also while the
// search server is unreachable. Each line is one document and counts once. Metrics and
// documents have positions of their own, so one may be ahead of the other.
func TestMetrics_KilledWhileForwarding_CountAndDeliverEveryLineOnce(t *testing.T) {
	const kills, perRound = 8, 400
	search, err := fakesearch.Start(fakesearch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer search.Close()
	pods, state, address := t.TempDir(), t.TempDir(), freeAddress(t)
	log := newNodeLog(t, filepath.Join(pods, "shop_web-1_uid-1", "app"))
	start := func() *ktailproc.Process {
		p, err := ktailproc.Start(t.Context(), ktailproc.Options{
			Path: "/proc/self/exe", Name: "ktail",
			Args: []string{
				".", "--pod-logs-dir", pods, "--quiet", "--resume", "--elasticsearch", search.URL(), "--elasticsearch-spool", state,
				"--metrics-listen", address, "--metric", "lines_total=^line [0-9]+$",
			},
			Env: append(os.Environ(), "KUBECONFIG=none", "KTAILCONFIG="+os.DevNull),
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	scrape := func(pattern string) string { return get(t, http.DefaultClient, "http://"+address+"/metrics", pattern) }
	last := map[string]int{}
	check := func() { // no counter steps back
		t.Helper()
		for _, m := range lineCount.FindAllStringSubmatch(scrape(`ktail_log_lines_total\{`), -1) {
			n, err := strconv.Atoi(m[2])
			if err != nil || n < last[m[1]] || n > log.written {
				t.Errorf("%s was %d and is %s, and %d lines are written", m[1], last[m[1]], m[2], log.written)
			}
			last[m[1]] = n
		}
	}
	p := start()
	defer func() { p.Kill() }()
	check() // the run has begun: lines from now on count
	for kill := range kills {
		if kill%3 == 1 {
			search.Down()
		}
		killAt := rand.IntN(perRound / 10)
		for i := range perRound / 10 {
			log.write(10)
			if i%7 == 0 {
				check()
			}
			if i == killAt {
				p.Kill()
				log.write(10)
				p = start()
			}
		}
		search.Up()
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := search.Wait(ctx, func(c fakesearch.Counts) bool { return c.Created >= log.written }); err != nil {
		t.Fatalf("%d of %d lines are indexed: %v", search.Counts().Created, log.written, err)
	}
	want := strconv.Itoa(log.written)
	scrape(`(?m)^lines_total\{.*\} ` + want + `$`)
	scrape(`(?m)^ktail_log_lines_total\{.*\} ` + want + `$`)
	check()
	if n := len(search.Documents("*")); n != log.written {
		t.Errorf("there are %d documents of %d lines", n, log.written)
	}
	t.Logf("%d lines, %d kills: %v, %d documents", log.written, kills, last, search.Counts().Created)
}

// Two runs cannot keep their counts in the same directory.
func TestMetricsState_IsUsedByOneRun(t *testing.T) {
	state := t.TempDir()
	address := freeAddress(t)
	run := func(address string) *ktailproc.Process {
		p, err := ktailproc.Start(t.Context(), ktailproc.Options{
			Path: "/proc/self/exe", Name: "ktail",
			Args: []string{".", "--pod-logs-dir", t.TempDir(), "--quiet", "--resume", "--metrics-state", state, "--metrics-listen", address},
			Env:  append(os.Environ(), "KUBECONFIG=none", "KTAILCONFIG="+os.DevNull),
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := run(address)
	defer first.Kill()
	get(t, http.DefaultClient, "http://"+address+"/metrics", "ktail_build_info")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	second := run(freeAddress(t))
	defer second.Kill()
	code, err := second.Wait(ctx)
	if err != nil || code != 1 {
		t.Fatalf("exit status %d (%v), want 1", code, err)
	}
	if message := second.Stderr.Short(); !regexp.MustCompile(`error: .*` + regexp.QuoteMeta(state)).MatchString(message) {
		t.Errorf("the message is %q, want one that names the directory", message)
	}
}
