//go:build e2e

package e2esearch

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/internal/shippers"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/test/search"
)

// commandLines select lines of a world, and format them.
var commandLines = [][]string{
	{".", "-t"},
	{"web-01", "-t=short", "--timezone", "Asia/Kolkata"},
	{"^web-00[0-3]$", "web-01", "-A"},
	{"po/web-007", "-t"},
	{"deploy/web", "--tail", "20"},
	{"sts/db", "-t", "-i", "cart/1"},
	{"web-00", "-c", "ap+", "-o", "raw"},
	{"web-00", "-E", "sidecar", "--tail", "50"},
	{"web-00", "-E", "app"},
	{"-l", "tier=2", "-t"},
	{"-l", "app.kubernetes.io/name=web,tier notin (1)", "-o", "raw"},
	{".", "--exclude-pod", "1$", "-e", `user=\\?"3`, "-t"},
	{".", "-i", "cart/9[0-6]", "-o", "raw"},
	{".", "--node", "node-1", "-t"},
	{".", "--tail", "7", "-t"},
	{"web-00", "--tail", "100", "--template", `{{.PodName}} {{.Message}}{{"\n"}}`},
	{"web-01", "-o", "json", "-i", "cart/7"},
	{"web-01", "-o", "extjson", "--tail", "3"},
	{"web-02", "-H", "cart", "--color", "always"},
}

// Forwarded lines that are read back equal, byte for byte, what ktail prints
// from the live logs.
func TestHistory_EqualsTheLiveLogs(t *testing.T) {
	const pods, each = 30, 1000
	onEach(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		w.fill(each)
		if code := w.forward(s, "--no-follow").wait(5 * time.Minute); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		s.Must(t, "POST", "/"+s.Index()+"/_refresh", "", nil)
		written := w.pods[0].written
		since, until := moment(written[each/4]), moment(written[each/2])
		for _, args := range append(commandLines,
			[]string{".", "--since", since, "-t"},
			[]string{"web-02", "--until", until, "-t"},
			[]string{"web-01", "--since", since, "--until", until, "-o", "raw", "-e", "cart/5"},
		) {
			base := []string{"-n", namespace, "--kubeconfig", w.kubeconfig, "--only-log-lines", "--color", "never", "--no-follow"}
			args = append(base, args...)
			live := printed(t, args...)
			began := time.Now()
			history := printed(t, append(args, "--history", s.URL())...)
			t.Logf("%q: %d bytes in %.1f s", args[len(base):], len(history), time.Since(began).Seconds())
			if !bytes.Equal(live, history) {
				t.Errorf("%q: %d bytes from the live logs and %d bytes from history differ: %s", args[len(base):], len(live), len(history), firstDifference(live, history))
			}
		}
	})
}

// Documents of other programs are read with the mappings that servers make without a
// template: names are text, with a subfield keyword.
func TestHistory_ReadsDocumentsOfOtherShippers(t *testing.T) {
	onEach(t, func(t *testing.T, s *search.Server) {
		const step = 400_100 // line 250 is the first one of its millisecond
		begin := time.Now().Add(-time.Minute).Truncate(time.Millisecond).UnixNano()
		var all []string
		for n, program := range shippers.All {
			if program.NanosMapping && s.Major == 6 { // such collectors require Elasticsearch 8
				continue
			}
			index := fmt.Sprintf("theirs-%d", n)
			if s.Major == 6 { // its five shards have no order for lines of one millisecond
				s.Must(t, "PUT", "/"+index, `{"settings":{"number_of_shards":1}}`, nil)
			}
			if program.NanosMapping {
				s.Must(t, "PUT", "/"+index, `{"mappings":{"properties":{"@timestamp":{"type":"date_nanos","format":"strict_date_optional_time||epoch_millis"}}}}`, nil)
			}
			var body strings.Builder
			var want []string
			for i := range 500 {
				pod := fmt.Sprintf("web-%d-%d", n, i%3)
				l := ktail.Line{
					Stream: &ktail.Stream{Namespace: namespace, Pod: pod, PodUID: "uid-" + pod, Container: "app"},
					Time:   begin + int64(i)*step, Text: fmt.Appendf(nil, "%d of %s", i, program.Name),
				}
				fmt.Fprintf(&body, "{\"index\":{%s}}\n%s\n", typeOf(s), program.Document(&l, i))
				want = append(want, string(l.Text))
			}
			var answer struct{ Errors bool }
			s.Must(t, "POST", "/"+index+"/_bulk?refresh=true", body.String(), &answer)
			if answer.Errors {
				t.Fatalf("%s: documents are rejected", program.Name)
			}
			checkLines(t, program.Name, want, "web", "-A", "--history", s.URL(), "--history-index", index)
			checkLines(t, program.Name, want[250:], "web-", "-n", namespace, "--history", s.URL(), "--history-index", index, "--since",
				moment(fakeapi.Entry{Time: begin + 100_000_000}))
			all = append(all, want...)
		}
		got := printed(t, ".", "-A", "--no-follow", "-o", "raw", "--only-log-lines", "--history", s.URL(), "--history-index", "theirs-*")
		if lines := strings.Split(strings.TrimSpace(string(got)), "\n"); !slices.Equal(slices.Sorted(slices.Values(lines)), slices.Sorted(slices.Values(all))) {
			t.Errorf("%d lines of all programs, want %d", len(lines), len(all))
		}
	})
}

// typeOf returns the type that version 6 requires in a bulk action.
func typeOf(s *search.Server) string {
	if s.Major == 6 {
		return `"_type":"_doc"`
	}
	return ""
}

// checkLines checks what ktail prints.
func checkLines(t *testing.T, name string, want []string, args ...string) {
	t.Helper()
	got := printed(t, append(args, "--no-follow", "-o", "raw", "--only-log-lines")...)
	expected := []byte(strings.Join(want, "\n") + "\n")
	if !bytes.Equal(got, expected) {
		t.Errorf("%s: %q prints %d bytes, want %d: %s", name, args, len(got), len(expected), firstDifference(got, expected))
	}
}

// moment returns the time of an entry for --since and --until.
func moment(e fakeapi.Entry) string { return time.Unix(0, e.Time).UTC().Format(time.RFC3339Nano) }

// printed returns the output of ktail.
func printed(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), ktailPath, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir())
	stdout, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.Bytes())
	}
	return stdout
}

// firstDifference quotes the first line in which two outputs differ.
func firstDifference(a, b []byte) string {
	as, bs := bytes.Split(a, []byte("\n")), bytes.Split(b, []byte("\n"))
	for i := range min(len(as), len(bs)) {
		if !bytes.Equal(as[i], bs[i]) {
			return fmt.Sprintf("line %d is %q and %q", i+1, as[i], bs[i])
		}
	}
	return "one has more lines"
}
