//go:build e2e

// Package prometheus starts the Prometheus servers that test/monitoring/setup.sh
// provides, and queries them.
package prometheus

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
)

// patience is how long a test waits for something that is to happen.
const patience = time.Minute

// The suites are two directories below the root of the project.
var (
	debian = filepath.Join("..", "..", ".bin", "monitoring", "usr")
	newer  = filepath.Join("..", "..", ".bin", "prometheus-v0.316.0") // Prometheus 3.16
)

// Tool returns the path of a program of Debian's packages.
func Tool(name string) string { return filepath.Join(debian, "bin", name) }

// Shared returns the path of a file that Debian's packages install below /usr/share.
func Shared(name string) string { return filepath.Join(debian, "share", name) }

// NewerTool returns the path of a program of the newer Prometheus.
func NewerTool(name string) string { return filepath.Join(newer, name) }

// Process is a program that runs beside the test.
type Process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan error
	log  string
}

// StartProcess runs a program until the test ends.
func StartProcess(t *testing.T, name string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, done: make(chan error, 1), log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command(name, args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), "KUBECONFIG=nothing", "KTAILCONFIG=/dev/null")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = log.Close()
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			b, _ := os.ReadFile(p.log)
			t.Logf("%s has written:\n%s", filepath.Base(name), b[max(0, len(b)-4000):])
		}
	})
	return p
}

// Kill ends the process at once, as kill -9 does.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	err := <-p.done
	p.done <- err
}

// Interrupt ends the process with SIGINT, and returns its exit status.
func (p *Process) Interrupt() int {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case err := <-p.done:
		p.done <- err
	case <-time.After(patience):
		p.t.Fatal("it does not end after SIGINT")
	}
	return p.cmd.ProcessState.ExitCode()
}

// FreeAddress returns an address of this machine that no server listens on.
func FreeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Server is a running Prometheus.
type Server struct {
	t   *testing.T
	url string
}

// Options are how a Prometheus differs from Debian's without rules.
type Options struct {
	Newer        bool     // Prometheus 3.16
	Flags        []string // further flags
	Rules        string   // path of a file
	Alertmanager string   // its address
	Interval     string   // between scrapes; empty: 1s
}

// Start starts a server that scrapes the target.
func Start(t *testing.T, target string, o Options) *Server {
	t.Helper()
	dir := t.TempDir()
	interval := cmp.Or(o.Interval, "1s")
	config := "global: {scrape_interval: " + interval + ", evaluation_interval: " + interval + "}\n"
	if o.Rules != "" {
		config += "rule_files: [" + o.Rules + "]\n"
	}
	if o.Alertmanager != "" {
		config += "alerting: {alertmanagers: [{static_configs: [{targets: [" + o.Alertmanager + "]}]}]}\n"
	}
	config += "scrape_configs:\n- {job_name: ktail, honor_labels: true, static_configs: [{targets: [" + target + "]}]}\n"
	program := Tool("prometheus")
	if o.Newer {
		program = NewerTool("prometheus")
	}
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	address := FreeAddress(t)
	StartProcess(t, program, append(o.Flags, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")...)
	p := &Server{t, "http://" + address}
	suite.Eventually(t, patience, "Prometheus is ready", func() bool { return p.isReady() })
	return p
}

// Query returns the values of an instant query, by their labels.
func (p *Server) Query(expr string) map[string]float64 {
	p.t.Helper()
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	resp, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(expr))
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	if answer.Status != "success" {
		p.t.Fatalf("%s: %s", expr, answer.Error)
	}
	values := map[string]float64{}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		values[fmt.Sprint(r.Metric)] = v
	}
	return values
}

// Value returns the only value of an instant query.
func (p *Server) Value(expr string) (float64, bool) {
	p.t.Helper()
	all := p.Query(expr)
	for _, v := range all {
		return v, len(all) == 1
	}
	return 0, false
}

// WaitForScrapes waits for so many more scrapes.
func (p *Server) WaitForScrapes(n float64) {
	p.t.Helper()
	const scrapes = "count_over_time(up[1h])"
	before, _ := p.Value(scrapes)
	suite.Eventually(p.t, patience, "more scrapes", func() bool { v, _ := p.Value(scrapes); return v >= before+n })
}

// isReady reports whether the server answers queries.
func (p *Server) isReady() bool {
	resp, err := http.Get(p.url + "/-/ready")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
