package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/internal/ktailproc"
)

// session is a program with a terminal of its own, as in a terminal window.
type session struct {
	t        *testing.T
	dir      string
	keyboard *os.File // the user's end
	terminal *os.File // the program's end
	screen   ktailproc.Log
	log      *fakeapi.Container // of the pod web-1
	cmd      *exec.Cmd
	done     chan struct{}
}

// newSession returns a session whose program is not started yet. There is one pod,
// web-1, with one line in its log.
func newSession(t *testing.T, args ...string) *session {
	t.Helper()
	s := &session{t: t, dir: t.TempDir(), done: make(chan struct{})}
	api, err := fakeapi.Start(fakeapi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	s.log = api.RunPod("default", "web-1", "app").Container("app")
	s.log.Log("line 1")
	config := filepath.Join(s.dir, "kubeconfig")
	if err := api.WriteKubeconfig(config); err != nil {
		t.Fatal(err)
	}
	s.keyboard, s.terminal = openTerminal(t)
	s.cmd = exec.CommandContext(t.Context(), "/proc/self/exe")
	s.cmd.Args, s.cmd.Dir = append([]string{"ktail"}, args...), s.dir
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.terminal, s.terminal, s.terminal
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + config, "HOME=" + s.dir, "XDG_STATE_HOME=" + filepath.Join(s.dir, "state"), "TERM=xterm-256color", "GORACE=atexit_sleep_ms=0"}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return s
}

// start starts the program.
func (s *session) start() *session {
	s.t.Helper()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	copied := make(chan struct{})
	go func() {
		_, _ = io.Copy(&s.screen, s.keyboard) // ends with EIO when the terminal is closed
		close(copied)
	}()
	go func() {
		_ = s.cmd.Wait()       // the tests look at the status
		_ = s.terminal.Close() // errors do not matter
		<-copied
		close(s.done)
	}()
	s.t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // it may have ended already
		<-s.done
	})
	return s
}

// await waits until the screen matches.
func (s *session) await(re string) {
	s.t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	if err := s.screen.Wait(ctx, regexp.MustCompile(re), s.done); err != nil {
		s.t.Fatalf("%s: %v; the screen is %q", re, err, s.screen.String())
	}
}

// press types keys.
func (s *session) press(keys string) {
	s.t.Helper()
	if _, err := s.keyboard.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// wantStatus waits for the end of the program.
func (s *session) wantStatus(want int) {
	s.t.Helper()
	select {
	case <-s.done:
	case <-time.After(patience):
		s.t.Fatalf("it is still running; the screen is %q", s.screen.String())
	}
	if got := ktailproc.ExitCode(s.cmd.ProcessState); got != want {
		s.t.Errorf("exit status %d, want %d; the screen is %q", got, want, s.screen.String())
	}
}

// file returns the content of a file that the pager wrote.
func (s *session) file(name string) string {
	s.t.Helper()
	content, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(content)
}

func TestPager_ShowsLinesAndMessagesInColor(t *testing.T) {
	s := newSession(t, "web", "--no-follow", "--pager=cat >shown").start()
	s.wantStatus(0)
	shown := s.file("shown")
	for _, want := range []string{"\x1b[1;38;5;33mweb-1\x1b[0m › ", "line 1\n"} {
		if !strings.Contains(shown, want) {
			t.Errorf("the pager shows %q, without %q", shown, want)
		}
	}
	if screen := s.screen.String(); screen != "" {
		t.Errorf("printed beside the pager: %q", screen)
	}
}

func TestPager_ClosingItExitsWithZero(t *testing.T) {
	s := newSession(t, "web", "--only-log-lines", "--pager=head -n 2").start()
	s.await("line 1")
	s.log.Log("line 2")
	s.wantStatus(0)
}

// The pager has not read yet when the logs have ended.
func TestPager_HasAllLinesUntilItIsClosed(t *testing.T) {
	s := newSession(t, "web", "--no-follow", "--only-log-lines", "--pager=echo waiting; read -r key </dev/tty; cat >shown")
	lines := make([]string, 20_000)
	for i := range lines {
		lines[i] = fmt.Sprintf("number %d", i)
	}
	s.log.Log(lines...)
	s.start()
	s.await("waiting")
	s.press("\n")
	s.wantStatus(0)
	if got := strings.Count(s.file("shown"), "number "); got != len(lines) {
		t.Errorf("the pager has %d lines, want %d", got, len(lines))
	}
}

func TestPager_GetsTheInterrupt(t *testing.T) {
	s := newSession(t, "web", "--only-log-lines", `--pager=exec 3<&0; trap "echo interrupted" INT; head -n 3 <&3 & wait; wait`).start()
	s.await("line 1")
	s.press("\x03") // the terminal discards what it has not shown yet
	s.await("interrupted")
	s.log.Log("line 2")
	s.await("line 2")
	s.log.Log("the last")
	s.wantStatus(0)
}

func TestPager_ShowsTheErrorOfTheRun(t *testing.T) {
	s := newSession(t, "web", "--no-follow", "--template-file=missing", "--pager=cat >shown").start()
	s.wantStatus(1)
	for name, text := range map[string]string{"pager": s.file("shown"), "terminal": s.screen.String()} {
		if !strings.Contains(text, "ktail: error: invalid --template-file: open missing") {
			t.Errorf("the %s shows %q", name, text)
		}
	}
}

func TestPager_StartsOnlyIfSelected(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   []string
		env    string
		shown  string
		status int
	}{
		{"the variable", []string{"--pager"}, "PAGER=sed s/line/by-variable/", "by-variable 1", 0},
		{"the flag takes precedence", []string{"--pager=sed s/line/by-flag/"}, "PAGER=sed s/line/by-variable/", "by-flag 1", 0},
		{"cat is no pager", []string{"--pager"}, "PAGER=cat", "line 1", 0},
		{"none", []string{"--pager"}, "PAGER=", "line 1", 0},
		{"turned off", []string{"--pager=false"}, "PAGER=false", "line 1", 0},
		{"options of less", []string{"--pager=sed s/line/$LESS/"}, "X=", "FRX 1", 0},
		{"the user's options of less", []string{"--pager=sed s/line/$LESS/"}, "LESS=S", "S 1", 0},
		{"missing", []string{"--pager"}, "PAGER=no-such-pager -x", `ktail: error: --pager: exec: "no-such-pager": executable file not found in \$PATH; install it, or select another program with --pager=COMMAND or \$PAGER`, 1},
		{"cannot be run", []string{"--pager=X=1 no-such-pager"}, "X=", `ktail: error: --pager: "X=1 no-such-pager" cannot be run`, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t, append([]string{"web", "--no-follow", "--only-log-lines"}, c.args...)...)
			s.cmd.Env = append(s.cmd.Env, c.env)
			s.start()
			s.await(c.shown)
			s.wantStatus(c.status)
		})
	}
}

// Without a terminal, there is no pager.
func TestPager_NeedsATerminal(t *testing.T) {
	s := newSession(t, "web", "--no-follow", "--only-log-lines", "--pager=cat >shown")
	var out ktailproc.Log
	s.cmd.Stdout = &out
	s.start()
	s.wantStatus(0)
	if got := out.String(); !strings.Contains(got, "line 1") {
		t.Errorf("printed %q", got)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "shown")); err == nil {
		t.Error("the pager was started")
	}
}

const separatorPattern = `─ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ─+\r\n`

func TestEnter_PrintsASeparator(t *testing.T) {
	s := newSession(t, "web", "--only-log-lines").start()
	s.await("line 1")
	s.press("\n")
	s.await("line 1\r\n\r\n─+" + separatorPattern)
	s.log.Log("line 2")
	s.await(separatorPattern + ".*line 2\r\n")
	s.press("\x03")
	s.wantStatus(exitInterrupt)
}

// Enter does not become a line: Elasticsearch gets the lines of the logs.
func TestEnter_IsNotForwarded(t *testing.T) {
	search, err := fakesearch.Start(fakesearch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(search.Close)
	s := newSession(t, "web", "--only-log-lines", "--elasticsearch", search.URL()).start()
	s.await("line 1")
	s.press("\n")
	s.await(separatorPattern)
	s.log.Log("line 2")
	s.await("line 2")
	s.press("\x03")
	s.wantStatus(exitInterrupt)
	for _, d := range search.Documents("*") {
		if strings.Contains(fmt.Sprint(d), "─") {
			t.Errorf("forwarded: %v", d)
		}
	}
}

func TestEnter_DoesNothingWithoutATerminal(t *testing.T) {
	t.Run("a pipe", func(t *testing.T) {
		s := newSession(t, "web", "--only-log-lines")
		var out ktailproc.Log
		s.cmd.Stdout = &out
		s.start()
		s.waitFor(&out, "line 1")
		s.press("\n")
		s.log.Log("line 2")
		s.waitFor(&out, "line 2")
		s.press("\x03")
		s.wantStatus(exitInterrupt)
		if strings.Contains(out.String(), "─") {
			t.Errorf("printed %q", out.String())
		}
	})
	t.Run("--stdin", func(t *testing.T) {
		s := newSession(t, "--stdin").start()
		s.press("typed\n")
		s.await(`typed\r\n\s*typed\r\n`)
		s.press("\x04")
		s.wantStatus(0)
		if strings.Contains(s.screen.String(), "─") {
			t.Errorf("printed %q", s.screen.String())
		}
	})
	t.Run("--pager", func(t *testing.T) {
		s := newSession(t, "web", "--only-log-lines", "--pager=head -n 1; read -r key </dev/tty; echo key=$key").start()
		s.await("line 1")
		s.press("x\n")
		s.await("key=x")
		s.wantStatus(0)
	})
}

func (s *session) waitFor(out *ktailproc.Log, re string) {
	s.t.Helper()
	ctx, cancel := patiently()
	defer cancel()
	if err := out.Wait(ctx, regexp.MustCompile(re), s.done); err != nil {
		s.t.Fatalf("%s: %v; the output is %q", re, err, out.String())
	}
}

// In the background, input is for the program in the foreground, and does not stop
// ktail.
func TestEnter_InTheBackgroundIsForAnotherProgram(t *testing.T) {
	s := newSession(t)
	s.cmd.Path = "/bin/sh"
	s.cmd.Args = []string{"sh", "-c", fmt.Sprintf("set -m; (exec -a ktail %s web --only-log-lines) & read -r answer; echo got:$answer; read -r answer; kill -TERM %%1; wait %%1; echo status:$?", "/proc/$PPID/exe")}
	if bash, err := exec.LookPath("bash"); err == nil { // exec -a
		s.cmd.Path = bash
	}
	s.start()
	s.await("line 1")
	s.press("typed\n")
	s.await("got:typed")
	s.log.Log("line 2")
	s.await("line 2")
	s.press("\n")
	s.await("status:143")
	if strings.Contains(s.screen.String(), "─") {
		t.Errorf("printed %q", s.screen.String())
	}
}

// What is typed while the terminal does not echo is a password.
func TestEnter_LeavesPasswordsToOtherPrograms(t *testing.T) {
	s := newSession(t, "web", "--only-log-lines").start()
	s.await("line 1")
	fd := int(s.terminal.Fd())
	mode, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	mode.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, mode); err != nil {
		t.Fatal(err)
	}
	s.press("password\n")
	read := make(chan string, 1)
	go func() {
		buf := make([]byte, 100)
		n, _ := s.terminal.Read(buf)
		read <- string(buf[:n])
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case got := <-read:
		if got != "password\n" {
			t.Errorf("read %q", got)
		}
	case <-ctx.Done():
		t.Error("the password is gone")
	}
}
