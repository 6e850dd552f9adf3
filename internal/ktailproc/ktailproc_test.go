package ktailproc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/ktailproc"
)

// role is the variable that makes the test binary act as the child process.
const role = "KTAILPROC_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		os.Exit(m.Run())
	case "exit":
		fmt.Fprintln(os.Stderr, "a message")
		os.Exit(3)
	case "follow":
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt)
		fmt.Println("a line")
		fmt.Fprintln(os.Stderr, "following")
		<-stop
		fmt.Fprintln(os.Stderr, "interrupted")
		os.Exit(130)
	}
}

func start(t *testing.T, what string, out *bytes.Buffer) (context.Context, *ktailproc.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p, err := ktailproc.Start(ctx, ktailproc.Options{Path: os.Args[0], Env: append(os.Environ(), role+"="+what), Stdout: out})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, p
}

func TestProcess_ReportsExitCodeAndStderr(t *testing.T) {
	ctx, p := start(t, "exit", &bytes.Buffer{})
	if code, err := p.Wait(ctx); code != 3 || err != nil {
		t.Errorf("exit code %d, error %v, want 3", code, err)
	}
	if got := p.Stderr.String(); got != "a message\n" {
		t.Errorf("stderr is %q", got)
	}
	if err := p.WaitStderr(ctx, regexp.MustCompile("another message")); !errors.Is(err, ktailproc.ErrEnded) {
		t.Errorf("WaitStderr returned %v", err)
	}
}

func TestProcess_SignalEndsProcess(t *testing.T) {
	var out bytes.Buffer
	ctx, p := start(t, "follow", &out)
	if err := p.WaitStderr(ctx, regexp.MustCompile("^following")); err != nil {
		t.Fatal(err)
	}
	if !p.Running() {
		t.Error("not running")
	}
	if peak := p.PeakRSS(); runtime.GOOS == "linux" && peak < 1<<20 {
		t.Errorf("peak memory is %d bytes", peak)
	}
	if err := p.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code, err := p.Wait(ctx); code != 130 || err != nil {
		t.Errorf("exit code %d, error %v, want 130", code, err)
	}
	if out.String() != "a line\n" {
		t.Errorf("stdout is %q", &out)
	}
}

func TestProcess_ExitCodeOfKilledProcessNamesSignal(t *testing.T) {
	_, p := start(t, "follow", &bytes.Buffer{})
	p.Kill()
	if got, want := p.ExitCode(), 128+int(syscall.SIGKILL); runtime.GOOS != "windows" && got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
}

func TestLog_KeepsFirstAndLastOutput(t *testing.T) {
	var l ktailproc.Log
	write := func(text string) {
		if n, err := l.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("Write returned %d, %v", n, err)
		}
	}
	write("first line\n")
	for i := range 100_000 {
		write(fmt.Sprintf("line %d %s\n", i, strings.Repeat("x", 60)))
	}
	write("last line\n")
	got := l.String()
	if !strings.HasPrefix(got, "first line\nline 0 ") || !strings.HasSuffix(got, "\nlast line\n") || len(got) > 4<<20 {
		t.Errorf("%d bytes, from %.20q to %q", len(got), got, got[len(got)-20:])
	}
	if got := l.Containing("line 99999", "xx"); len(got) != 1 {
		t.Errorf("%d lines match", len(got))
	}
	if n := len(l.Short()); n > 10_000 {
		t.Errorf("Short returned %d bytes", n)
	}
}
