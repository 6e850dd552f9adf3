//go:build stern && unix

package main

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestSternBetter runs scripts about what ktail does better while things
// happen. Each script must pass for ktail, which is $PROGRAM, and fail for
// stern; otherwise, there is no longer a difference.
func TestSternBetter(t *testing.T) {
	stern, err := filepath.Abs(filepath.FromSlash(sternBinary))
	if err != nil {
		t.Fatal(err)
	}
	params := scripts("stern")
	setup := params.Setup
	with := func(program string) testscript.Params {
		p := params
		p.Setup = func(env *testscript.Env) error {
			env.Setenv("PROGRAM", program)
			return setup(env)
		}
		p.Condition = func(name string) (bool, error) {
			if name != "ktail" {
				return false, fmt.Errorf("unknown condition %q", name)
			}
			return program == name, nil
		}
		return p
	}
	testscript.Run(t, with("ktail"))
	files, err := filepath.Glob(filepath.Join(params.Dir, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts found: %v", err)
	}
	for _, file := range files {
		t.Run("stern/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			p := with(stern)
			p.Dir, p.Files = "", []string{file}
			var o onlooker
			testscript.RunT(&o, p)
			switch {
			case !o.failed:
				t.Errorf("the script passes for stern as well:\n%s", o.log.String())
			case strings.Contains(o.log.String(), "executable file not found"):
				t.Error("run `make stern`")
			default:
				t.Log(o.log.String()) // the difference
			}
		})
	}
}

// onlooker is a testscript.T that records whether a script fails.
type onlooker struct {
	mu     sync.Mutex
	failed bool
	log    strings.Builder
}

func (o *onlooker) Skip(args ...any) { o.Fatal(args...) } // a skipped script shows nothing
func (o *onlooker) Parallel()        {}
func (o *onlooker) Verbose() bool    { return true }

func (o *onlooker) Log(args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintln(&o.log, args...)
}

func (o *onlooker) Fatal(args ...any) {
	o.Log(args...)
	o.FailNow()
}

func (o *onlooker) FailNow() {
	o.mu.Lock()
	o.failed = true
	o.mu.Unlock()
	runtime.Goexit()
}

func (o *onlooker) Run(_ string, f func(testscript.T)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(o)
	}()
	<-done
}
