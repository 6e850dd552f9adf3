package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/ktail/ktail/internal/fakesearch"
)

// freeAddress returns an address that nothing listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only its address matters
	return l.Addr().String()
}

// runBeside runs the command line with lines on its stdin until the test ends.
func runBeside(t *testing.T, args ...string) (in io.Writer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	cmd := newCommand(streams{In: r, Out: io.Discard, ErrOut: t.Output(), Width: func() int { return 80 }, Env: func(name string) (string, bool) {
		return map[string]string{"KTAILCONFIG": os.DevNull}[name], name == "KTAILCONFIG"
	}})
	cmd.SetArgs(args)
	done := make(chan error, 1)
	go func() { done <- cmd.ExecuteContext(ctx) }()
	t.Cleanup(func() {
		cancel()
		_ = w.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// get asks until the server answers with a text that matches.
func get(t *testing.T, client *http.Client, url, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var last string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
		resp, err := client.Get(url)
		if err != nil {
			last = err.Error()
			continue
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if last = fmt.Sprintf("%d\n%s", resp.StatusCode, b); re.MatchString(last) {
			return last
		}
	}
	t.Fatalf("%s does not answer with %s, but with\n%s", url, pattern, last)
	return ""
}

// While the server accepts nothing, a metric shows how old the oldest pending line is.
func TestMetrics_HaveTheOldestPendingLine(t *testing.T) {
	s, err := fakesearch.Start(fakesearch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.SetFault(func(*http.Request) *fakesearch.Fault { return fakesearch.Busy(0) })
	address := freeAddress(t)
	in := runBeside(t, "--stdin", "--quiet", "--elasticsearch", s.URL(), "--elasticsearch-dead-letters", filepath.Join(t.TempDir(), "dead.ndjson"), "--metrics-listen", address)
	fmt.Fprintln(in, "a line") //nolint:errcheck // of a test
	const name = "ktail_elasticsearch_oldest_line_timestamp_seconds"
	answer := get(t, http.DefaultClient, "http://"+address+"/metrics", `(?m)^`+name+` `)
	at, err := strconv.ParseFloat(regexp.MustCompile(`(?m)^` + name + ` (.*)$`).FindStringSubmatch(answer)[1], 64)
	if age := float64(time.Now().UnixNano())/1e9 - at; err != nil || age < 0 || age > 60 {
		t.Errorf("the age of the line is %f s, %v", age, err)
	}
	s.SetFault(nil)
	if answer := get(t, http.DefaultClient, "http://"+address+"/metrics", `(?m)^ktail_elasticsearch_delivered_lines_total 1$`); strings.Contains(answer, "\n"+name+" ") {
		t.Error("all lines are delivered, and one is pending")
	}
}

func TestMetricsListen_ServesMetricsAndProbesOnOneAddress(t *testing.T) {
	address := freeAddress(t)
	in := runBeside(t, "--stdin", "--quiet", "--metric", `errors_total=ERROR`, "--metrics-listen", address, "--listen", address)
	get(t, http.DefaultClient, "http://"+address+"/metrics", `(?m)^errors_total 0$`)
	fmt.Fprintln(in, "ERROR x")                                                                //nolint:errcheck // of a test
	answer := get(t, http.DefaultClient, "http://"+address+"/metrics", `(?m)^errors_total 1$`) // the sample is in the second answer
	for _, name := range []string{"go_goroutines", "ktail_build_info", "ktail_log_lines_total 1"} {
		if !strings.Contains(answer, name) {
			t.Errorf("there is no %s", name)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/-/healthy", "/-/ready"} {
		get(t, http.DefaultClient, "http://"+address+path, `^200\nok`)
	}
	get(t, http.DefaultClient, "http://"+address+"/debug/pprof/", `^404`)
}

// Metrics of the engine count what is read until --until, as without it.
func TestMetrics_HaveTheStreamsOfARunThatEndsLater(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	log := filepath.Join(dir, "shop_web_uid-web", "app", "0.log")
	err := os.MkdirAll(filepath.Dir(log), 0o755)
	if err == nil {
		err = os.WriteFile(log, []byte("2026-01-31T10:00:00Z stdout F one\n"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	runBeside(t, ".", "--pod-logs-dir", dir, "--quiet", "--until", "+1h", "--metrics-listen", address)
	get(t, http.DefaultClient, "http://"+address+"/metrics", `(?m)^ktail_streams\{state="reading"\} 1$`)
}

// Lines of log files count although the clock of the node is set back, and although a new
// pod is on a node whose clock is behind.
func TestMetrics_CountLinesOfAnEarlierTime(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	write := func(pod string, age time.Duration, lines int) {
		path := filepath.Join(dir, "shop_"+pod+"_uid-"+pod, "app", "0.log")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat(time.Now().Add(-age).UTC().Format(time.RFC3339Nano)+" stdout F x\n", lines)
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	wants := func(pod string, lines int) {
		get(t, http.DefaultClient, "http://"+address+"/metrics", fmt.Sprintf(`(?m)^lines_total\{.*pod="%s"\} %d$`, pod, lines))
	}
	write("old", time.Minute, 1)
	runBeside(t, ".", "--pod-logs-dir", dir, "--quiet", "--metric", `lines_total=`, "--metrics-listen", address)
	wants("old", 0)
	write("old", 0, 5)
	wants("old", 5)
	write("old", time.Hour, 20)
	wants("old", 25)
	write("new", time.Hour, 3)
	wants("new", 3)
}

func TestMetricsWebConfig_RequiresThePassword(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "basic_auth_users:\n  prometheus: %s\n", hash), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	runBeside(t, "--stdin", "--quiet", "--metrics-listen", address, "--metrics-web-config", file)
	get(t, http.DefaultClient, "http://"+address+"/metrics", `^401`)
	get(t, http.DefaultClient, "http://prometheus:secret@"+address+"/metrics", `^200`)
	get(t, http.DefaultClient, "http://prometheus:wrong@"+address+"/metrics", `^401`)
}
