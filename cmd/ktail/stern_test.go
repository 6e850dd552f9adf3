//go:build stern && unix

package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/ktail/ktail/internal/fakeapi"
)

// sternBinary is the peer, which `make stern` builds.
const sternBinary = "../../.bin/stern-v1.34.0"

// sternCase is a command line that both programs are given.
type sternCase struct {
	args  string // split at spaces; ␠ is one
	stdin string
	// better says why ktail is different on purpose. Then the two must differ,
	// and what ktail says matches want: stdout and stderr, one after the other.
	better string
	want   string
}

// sternCases are all of them, a list for each group of flags.
var sternCases = slices.Concat(sternLineCases)

// TestStern wants of ktail what stern does: the same lines on stdout, though
// stern mixes containers by chance, the same exit status, and something on
// stderr if and only if stern has something there.
func TestStern(t *testing.T) {
	stern, err := filepath.Abs(filepath.FromSlash(sternBinary))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stern); err != nil {
		t.Fatalf("%v: run `make stern`", err)
	}
	kubeconfig := sternWorld(t)
	for _, c := range sternCases {
		t.Run(c.args, func(t *testing.T) {
			got, want := sternRun(t, "ktail", kubeconfig, c), sternRun(t, stern, kubeconfig, c)
			if c.better == "" {
				if !got.equal(want) {
					t.Errorf("ktail: %s\nstern: %s", got, want)
				}
				return
			}
			if got.equal(want) {
				t.Errorf("there is no difference, although %s: %s", c.better, got)
			}
			if !regexp.MustCompile("(?s)" + c.want).MatchString(got.out + got.err) {
				t.Errorf("%s: ktail: %s\nwant %s", c.better, got, c.want)
			}
		})
	}
	t.Logf("%d command lines compared", len(sternCases))
}

// sternWorld starts a server with the shop and more, and returns the path of the
// kubeconfig that points at it.
func sternWorld(t *testing.T) string {
	t.Helper()
	server, err := fakeapi.Start(fakeapi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	w := &world{server: server, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if err := server.WriteKubeconfig(w.kubeconfig); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, name := range []string{"shop.yaml", "formats.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		var pods []podFile
		if err := yaml.UnmarshalStrict(data, &pods); err != nil {
			t.Fatal(err)
		}
		for i := range pods {
			if err := w.addPod(&pods[i], now); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w.kubeconfig
}

// outcome is what a program has done.
type outcome struct {
	out, err string
	status   int
}

// String shows it for a message.
func (o outcome) String() string {
	return "exit status " + string(rune('0'+o.status)) + "\nstdout " + strings.ReplaceAll(o.out, "\x1b", `\e`) + "\nstderr " + o.err
}

func (o outcome) equal(p outcome) bool {
	sorted := func(s string) []string { return slices.Sorted(strings.Lines(s)) }
	return o.status == p.status && slices.Equal(sorted(o.out), sorted(p.out)) && (o.err == "") == (p.err == "")
}

func sternRun(t *testing.T, program, kubeconfig string, c sternCase) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args := strings.Fields(c.args)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "␠", " ")
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "testdata"
	cmd.Env = []string{"KUBECONFIG=" + kubeconfig, "HOME=" + filepath.Dir(kubeconfig), "TZ=UTC", "GORACE=atexit_sleep_ms=0"}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), &out, &errOut
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || !exit.Exited()) {
		t.Fatalf("%s: %v: %s", program, err, &errOut)
	}
	return outcome{out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}
