package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/internal/fakesearch"
)

// hostile is text that sets the title of a terminal, changes its colors, clears
// it, and imitates another message.
const hostile = "\x1b]0;owned\a\x1b[7m\x1b[2J\t\r\nktail: error: forged\n\u009b1m\u202e\x7f"

// hostileCase is one way for hostile text to reach a message.
type hostileCase struct {
	name  string
	setup func(*hostileWorld)
	args  []string
	stdin string
	shown string // expected part of the output, which proves that the case tests something
}

type hostileWorld struct {
	api    *fakeapi.Server
	search *fakesearch.Server
	world  world // cluster with the faults
	pod    func(name, container string, labels map[string]string) *fakeapi.Container
}

var hostileCases = []hostileCase{
	{name: "reason of a termination", args: []string{"."}, shown: "- web › app", setup: func(w *hostileWorld) {
		c := w.pod("web", "app", nil)
		c.Append(fakeapi.Entry{Time: time.Now().UnixNano(), Text: "line"})
		c.Exit(1, "Oops"+hostile)
	}},
	{name: "name of a pod", args: []string{"."}, shown: "+ ", setup: func(w *hostileWorld) { w.pod("web"+hostile, "app", nil) }},
	{name: "name of a container", args: []string{"."}, shown: "+ web", setup: func(w *hostileWorld) { w.pod("web", "app"+hostile, nil) }},
	{name: "names beside lines", args: []string{"."}, shown: "a line", setup: func(w *hostileWorld) {
		w.pod("web"+hostile, "app"+hostile, nil).Append(fakeapi.Entry{Time: time.Now().UnixNano(), Text: "a line"})
	}},
	{name: "names in JSON", args: []string{".", "-o", "extjson"}, shown: "a line", setup: func(w *hostileWorld) {
		w.pod("web"+hostile, "app"+hostile, nil).Append(fakeapi.Entry{Time: time.Now().UnixNano(), Text: "a line"})
	}},
	{name: "refused list", args: []string{"."}, shown: "list pods", setup: func(w *hostileWorld) {
		w.world.setFaults(&scriptFault{what: fakeapi.Request{Verb: "list", Resource: "pods"}, times: -1, fault: fakeapi.Fault{Status: http.StatusUnauthorized, Message: "no" + hostile}})
	}},
	{name: "refused log", args: []string{"."}, shown: "open log", setup: func(w *hostileWorld) {
		w.pod("web", "app", nil)
		w.world.setFaults(&scriptFault{what: fakeapi.Request{Verb: "get", Resource: "pods", Subresource: "log"}, times: -1, fault: fakeapi.Fault{Status: http.StatusUnauthorized, Message: "no" + hostile}})
	}},
	{name: "diagnostics of the kubelet", args: []string{"."}, shown: "fsnotify", setup: func(w *hostileWorld) {
		w.pod("web", "app", nil)
		w.world.setFaults(&scriptFault{
			what: fakeapi.Request{Verb: "get", Resource: "pods", Subresource: "log"}, times: -1,
			fault: fakeapi.Fault{Prefix: "failed to create fsnotify watcher: " + strings.ReplaceAll(hostile, "\n", "") + "\n"},
		})
	}},
	{name: "error of a template", args: []string{".", "--template", `{{toTimestamp "2026-01-31T10:00:00Z" "15:04" .Message}}`}, shown: "owned", setup: func(w *hostileWorld) {
		c := w.pod("web", "app", nil)
		c.Append(fakeapi.Entry{Time: time.Now().UnixNano(), Text: strings.ReplaceAll(hostile, "\n", "")})
	}},
	{name: "value of a label in the prompt", args: []string{"-p"}, stdin: "x" + hostile, shown: "owned", setup: func(w *hostileWorld) {
		w.pod("web", "app", map[string]string{instanceLabel: "one" + hostile})
	}},
	{name: "rejected document", args: []string{".", "--quiet", "--elasticsearch", "$SEARCH"}, shown: "dead letter", setup: func(w *hostileWorld) {
		c := w.pod("web", "app", nil)
		c.Append(fakeapi.Entry{Time: time.Now().UnixNano(), Text: "line"})
	}},
	{name: "flag", args: []string{".", "--x" + hostile}, shown: "unknown flag"},
	{name: "value of a flag", args: []string{".", "--since", hostile}, shown: "invalid --since"},
	{name: "query", args: []string{"(" + hostile}, shown: "invalid query"},
	{name: "preset", args: []string{"@" + hostile}, shown: "preset"},
	{name: "context", args: []string{".", "--context", hostile}, shown: "context"},
	{name: "namespace", args: []string{".", "-n", "x" + hostile}, shown: "no matches"},
	{name: "key of the config file", args: []string{".", "--config", "config.yaml"}, shown: "unknown key"},
	{name: "log of the client", args: []string{".", "--verbosity", "9"}, shown: "owned", setup: func(w *hostileWorld) {
		w.world.setFaults(&scriptFault{what: fakeapi.Request{Verb: "list", Resource: "pods"}, times: -1, fault: fakeapi.Fault{Status: http.StatusUnauthorized, Message: "no" + hostile}})
	}},
	{name: "completion", args: []string{"__complete", "."}, setup: func(w *hostileWorld) { w.pod(".web"+hostile, "app", nil) }},
}

func TestMessages_EscapeTextFromOutside(t *testing.T) {
	for _, c := range hostileCases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := writeFile(filepath.Join(dir, "config.yaml"), fmt.Sprintf("? %q\n: 1\n", hostile)); err != nil {
				t.Fatal(err)
			}
			w, env := newHostileWorld(t, dir)
			if c.setup != nil {
				c.setup(w)
			}
			args := append([]string{"ktail"}, c.args...)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "$SEARCH", w.search.URL())
			}
			if c.args[0] != "__complete" {
				args = append(args, "--no-follow")
			}
			for name, run := range map[string]func(*testing.T, *exec.Cmd) string{"terminal": runOnTerminal, "file": runIntoFile} {
				t.Run(name, func(t *testing.T) {
					cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
					cmd.Args, cmd.Dir, cmd.Env, cmd.Stdin = args, dir, env, strings.NewReader(c.stdin)
					wantHarmless(t, run(t, cmd), c.shown)
				})
			}
		})
	}
}

func newHostileWorld(t *testing.T, dir string) (w *hostileWorld, env []string) {
	t.Helper()
	w = &hostileWorld{}
	var err error
	w.api, err = fakeapi.Start(fakeapi.Options{Fault: w.world.observe})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.api.Close)
	w.search, err = fakesearch.Start(fakesearch.Options{Fault: func(*http.Request) *fakesearch.Fault {
		return &fakesearch.Fault{Item: func(int, fakesearch.Document) *fakesearch.Verdict {
			return &fakesearch.Verdict{Status: http.StatusBadRequest, Type: "strict_dynamic_mapping_exception", Reason: "no" + hostile}
		}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.search.Close)
	config := filepath.Join(dir, "kubeconfig")
	if err := w.api.WriteKubeconfig(config); err != nil {
		t.Fatal(err)
	}
	w.pod = func(name, container string, labels map[string]string) *fakeapi.Container {
		object := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: labels}}
		object.Spec.RestartPolicy = corev1.RestartPolicyNever
		object.Spec.Containers = []corev1.Container{{Name: container, Image: "example/app"}}
		c := w.api.AddPod(object).Container(container)
		c.Start()
		return c
	}
	return w, []string{"KUBECONFIG=" + config, "HOME=" + dir, "XDG_STATE_HOME=" + filepath.Join(dir, "state"), "TERM=xterm", "GORACE=atexit_sleep_ms=0"}
}

var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// wantHarmless fails the test if the output has control characters other than
// newlines and ktail's colors, or a line that only hostile text can have
// caused.
func wantHarmless(t *testing.T, out, shown string) {
	t.Helper()
	if !strings.Contains(sgr.ReplaceAllString(out, ""), shown) {
		t.Errorf("the output does not contain %q: %q", shown, out)
	}
	for _, sequence := range []string{"\x1b[7m", "\n\n", "\nktail: error: forged", "\nforged"} {
		if strings.Contains(out, sequence) {
			t.Errorf("the output contains %q: %q", sequence, out)
		}
	}
	for _, r := range sgr.ReplaceAllString(out, "") {
		if r != '\n' && unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control) || r == unicode.ReplacementChar {
			t.Errorf("the output contains %q: %q", r, out)
			break
		}
	}
}

func runIntoFile(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // closed after reading
	cmd.Stdout, cmd.Stderr = f, f
	runAnyStatus(t, cmd)
	out, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func runOnTerminal(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	screen, terminal := openTerminal(t)
	cmd.Stdout, cmd.Stderr = terminal, terminal
	read := make(chan string)
	go func() {
		out, _ := io.ReadAll(screen) // ends with EIO when the terminal is closed
		read <- string(out)
	}()
	runAnyStatus(t, cmd)
	if err := terminal.Close(); err != nil {
		t.Error(err)
	}
	return strings.ReplaceAll(<-read, "\r\n", "\n")
}

func runAnyStatus(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
}

// openTerminal returns both ends of a pseudoterminal.
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() }) // errors do not matter
	var number, unlock int32
	for request, value := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, screen.Fd(), request, uintptr(unsafe.Pointer(value))); errno != 0 {
			t.Fatal(errno)
		}
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return screen, terminal
}
