//go:build stern && unix

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/internal/ktailproc"
)

// sternBinary is stern, which `make stern` builds.
const sternBinary = "../../.bin/stern-v1.34.0"

// sternCase is a command line that both programs run with.
type sternCase struct {
	args  string // split at spaces; ␠ stands for a space
	stdin string
	env   string // additional environment variables, split at spaces
	fault string // a fault, as in a script
	until string // interrupt the program when it has written this; empty: it ends by itself
	sides bool   // compare only to which of stdout and stderr something was written, because the text is about the program itself
	// better says why ktail intentionally differs. Then the two outputs must
	// differ, and want must match ktail's stdout followed by its stderr.
	better string
	want   string
}

// sternCases are all cases, in one list per group of flags.
var sternCases = slices.Concat(sternLineCases, sternSelectCases, sternProgramCases)

// TestStern checks that ktail behaves as stern does: the same lines on stdout
// (stern mixes containers in random order), the same exit status, and output on
// stderr exactly if stern has some.
func TestStern(t *testing.T) {
	stern, err := filepath.Abs(filepath.FromSlash(sternBinary))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stern); err != nil {
		t.Fatalf("%v: run `make stern`", err)
	}
	w := sternWorld(t)
	better := 0
	for _, c := range sternCases {
		if c.better != "" {
			better++
		}
		t.Run(c.name(), func(t *testing.T) {
			got, want := sternRun(t, "ktail", w, &c), sternRun(t, stern, w, &c)
			if c.better == "" {
				if !got.equal(want, c.sides) {
					t.Errorf("ktail: %s\nstern: %s", got, want)
				}
				return
			}
			if got.equal(want, c.sides) {
				t.Errorf("no difference, although %s: %s", c.better, got)
			}
			if !regexp.MustCompile("(?s)" + c.want).MatchString(got.out + got.err) {
				t.Errorf("%s: ktail: %s\nwant %s", c.better, got, c.want)
			}
		})
	}
	t.Logf("%d command lines compared, of which %d are better on purpose", len(sternCases), better)
}

func (c *sternCase) name() string {
	return strings.Join(strings.Fields(c.env+" "+c.args+" "+c.fault), " ")
}

// sternWorld starts a server with the shop and additional objects, such as a
// namespace with sixty pods. The kubeconfig for it has a second context,
// elsewhere, with the namespace other.
func sternWorld(t *testing.T) *world {
	t.Helper()
	w := &world{kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	server, err := fakeapi.Start(fakeapi.Options{Fault: w.observe})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	w.server = server
	config, err := clientcmd.Load(server.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := config.Contexts[config.CurrentContext].DeepCopy()
	elsewhere.Namespace = "other"
	config.Contexts["elsewhere"] = elsewhere
	if err := clientcmd.WriteToFile(*config, w.kubeconfig); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, name := range []string{"shop.yaml", "formats.yaml", "stern.yaml"} {
		var pods []podFile
		if err := yaml.UnmarshalStrict(readTestdata(t, name), &pods); err != nil {
			t.Fatal(err)
		}
		for i := range pods {
			if err := w.addPod(&pods[i], now); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 60 {
		crowd := podFile{Namespace: "crowd", Name: fmt.Sprintf("p-%d", i), Containers: []containerFile{{Name: "c", Log: "1s x\n"}}}
		if err := w.addPod(&crowd, now); err != nil {
			t.Fatal(err)
		}
	}
	objects, err := parseObjects(string(readTestdata(t, "objects.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if err := server.PutObject(o); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func readTestdata(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// outcome is the result of a program.
type outcome struct {
	out, err string
	status   int
}

// String formats the outcome for a message.
func (o outcome) String() string {
	return fmt.Sprintf("exit status %d\nstdout %s\nstderr %s", o.status, strings.ReplaceAll(o.out, "\x1b", `\e`), o.err)
}

func (o outcome) equal(p outcome, sides bool) bool {
	sorted := func(s string) []string { return slices.Sorted(strings.Lines(s)) }
	same := (o.out == "") == (p.out == "")
	if !sides {
		same = slices.Equal(sorted(o.out), sorted(p.out))
	}
	return same && o.status == p.status && (o.err == "") == (p.err == "")
}

// sternRun runs one of the programs.
func sternRun(t *testing.T, program string, w *world, c *sternCase) outcome {
	t.Helper()
	w.setFaults()
	if c.fault != "" {
		fault, err := faultOf(strings.Fields(c.fault))
		if err != nil {
			t.Fatal(err)
		}
		w.setFaults(fault)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	args := strings.Fields(c.args)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "␠", " ")
	}
	var out, errOut ktailproc.Log
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "testdata"
	cmd.Env = append(strings.Fields(c.env), "HOME="+filepath.Dir(w.kubeconfig), "TZ=UTC", "GORACE=atexit_sleep_ms=0")
	if !strings.Contains(c.env, "KUBECONFIG=") {
		cmd.Env = append(cmd.Env, "KUBECONFIG="+w.kubeconfig)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(c.stdin), &out, &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if c.until != "" {
		re := regexp.MustCompile("(?m)" + c.until)
		seen, stop := context.WithCancel(ctx)
		for _, output := range []*ktailproc.Log{&out, &errOut} {
			go func() {
				if output.Wait(seen, re, nil) == nil {
					_ = cmd.Process.Signal(syscall.SIGINT) // an error means that it has ended
				}
				stop()
			}()
		}
		defer stop()
	}
	err := cmd.Wait()
	if ctx.Err() != nil {
		t.Fatalf("%s did not end; stdout is\n%s\nstderr is\n%s", program, &out, &errOut)
	}
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatalf("%s: %v", program, err)
	}
	return outcome{out.String(), errOut.String(), ktailproc.ExitCode(cmd.ProcessState)}
}
