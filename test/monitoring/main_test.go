//go:build e2e

package monitoring

import (
	"encoding/json"
	"fmt"
	"io"
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
)

// patience is how long a test waits for something that is to happen.
const patience = time.Minute

var (
	root  = filepath.Join("..", "..")
	tools = filepath.Join(root, ".bin", "monitoring")
	newer = filepath.Join(root, ".bin", "prometheus-v0.316.0") // Prometheus 3.16
	ktail string                                               // the program under test
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "ktail-monitoring-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	ktail = filepath.Join(dir, "ktail")
	if out, err := exec.Command("go", "build", "-o", ktail, "../../cmd/ktail").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build ktail: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// tool returns the path of an unpacked program.
func tool(name string) string { return filepath.Join(tools, "usr", "bin", name) }

// process is a program that runs beside the test.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan error
	log  string
}

// start runs a program until the test ends.
func start(t *testing.T, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, done: make(chan error, 1), log: filepath.Join(t.TempDir(), "log")}
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
		p.kill()
		if t.Failed() {
			b, _ := os.ReadFile(p.log)
			t.Logf("%s has written:\n%s", filepath.Base(name), b[max(0, len(b)-4000):])
		}
	})
	return p
}

// kill ends the process at once, as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	err := <-p.done
	p.done <- err
}

// interrupt ends the process with SIGINT, and returns its exit status.
func (p *process) interrupt() int {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case err := <-p.done:
		p.done <- err
	case <-time.After(patience):
		p.t.Fatal("it does not end after SIGINT")
	}
	return p.cmd.ProcessState.ExitCode()
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only its address matters
	return l.Addr().String()
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// get returns the body of a response with the status 200; empty otherwise.
func get(address string) string {
	resp, err := http.Get(address) //nolint:noctx // of a test
	if err != nil {
		return ""
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return ""
	}
	return string(b)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// podLog is the log file of a container, in the format of the container runtime.
type podLog struct{ file *os.File }

func newPodLog(t *testing.T, dir, pod string) *podLog {
	t.Helper()
	path := filepath.Join(dir, "shop_"+pod+"_uid-"+pod, "app", "0.log")
	write(t, path, "")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return &podLog{f}
}

func (l *podLog) line(t *testing.T, text string) {
	t.Helper()
	if _, err := fmt.Fprintf(l.file, "%s stdout F %s\n", time.Now().UTC().Format(time.RFC3339Nano), text); err != nil {
		t.Fatal(err)
	}
}

// prometheus is a running server that scrapes every second.
type prometheus struct {
	t   *testing.T
	url string
}

// serverOptions are how a Prometheus differs from Debian's without rules.
type serverOptions struct {
	newer        bool     // Prometheus 3.16
	flags        []string // further flags
	rules        string   // path of a file
	alertmanager string   // its address
}

// startPrometheus starts a server that scrapes the target.
func startPrometheus(t *testing.T, target string, o serverOptions) *prometheus {
	t.Helper()
	dir := t.TempDir()
	config := "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
	if o.rules != "" {
		config += "rule_files: [" + o.rules + "]\n"
	}
	if o.alertmanager != "" {
		config += "alerting: {alertmanagers: [{static_configs: [{targets: [" + o.alertmanager + "]}]}]}\n"
	}
	config += "scrape_configs:\n- {job_name: ktail, honor_labels: true, static_configs: [{targets: [" + target + "]}]}\n"
	program := tool("prometheus")
	if o.newer {
		program = filepath.Join(newer, "prometheus")
	}
	write(t, filepath.Join(dir, "prometheus.yml"), config)
	address := freeAddress(t)
	start(t, program, append(o.flags, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--log.level=warn")...)
	p := &prometheus{t, "http://" + address}
	eventually(t, "Prometheus is ready", func() bool { return get(p.url+"/-/ready") != "" })
	return p
}

// query returns the values of an instant query, by their labels.
func (p *prometheus) query(expr string) map[string]float64 {
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
	resp, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(expr)) //nolint:noctx // of a test
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read to the end
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

// value returns the only value of an instant query.
func (p *prometheus) value(expr string) (float64, bool) {
	p.t.Helper()
	all := p.query(expr)
	for _, v := range all {
		return v, len(all) == 1
	}
	return 0, false
}

// waitForScrapes waits for so many more scrapes.
func (p *prometheus) waitForScrapes(n float64) {
	p.t.Helper()
	const scrapes = "count_over_time(up[1h])"
	before, _ := p.value(scrapes)
	eventually(p.t, "more scrapes", func() bool { v, _ := p.value(scrapes); return v >= before+n })
}
