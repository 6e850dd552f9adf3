//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for something that is to happen. It is
// long, because it passes only if the test fails.
const patience = time.Minute

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ktail": main, pluginName: main, completerName: main})
}

// TestScript runs the binary as users do, against a fake API server. The
// scripts may use, in addition to the commands of testscript:
//
//	cluster FILE [old]           start a server with the pods of the file, for KUBECONFIG to point at;
//	                             old: it has no aggregated discovery and streams no lists
//	pods FILE                    add the pods of the file
//	[!] objects FILE             add or replace the objects of other kinds in the file of manifests; take them away
//	write POD/CONTAINER LINE...  have the container log lines
//	flood POD/CONTAINER N        have it log that many
//	exit POD/CONTAINER [CODE]    end the container
//	restart POD/CONTAINER        end it if it runs, and run its next instance
//	rotate POD/CONTAINER         take what it logged out of reach
//	delete POD                   take the pod away
//	cut clean|reset              cut every log that is followed
//	down, up                     refuse connections and drop those there are; accept them again
//	fault VERB RESOURCE [K=V]…   have requests fail, see faultOf; `fault none` ends that
//	follows N                    wait until N logs are being followed
//	search 6.4|7.10|9|opensearch3 [secure]
//	                             start a search server for $SEARCH to point at; secure: see cmdSearch
//	searchdown, searchup         have it refuse connections; accept them again
//	indexed N MESSAGES [DOCUMENTS]
//	                             wait until it holds N documents; write their messages, sorted, and the
//	                             documents, each with its index in front
//	[!] asked REGEXP             wait until there was such a request; fail if there was
//
//	status CODE PROGRAM ARG...   as exec, and checks its exit status
//	start [-blocked] NAME PROGRAM ARG...
//	                             run it beside the script; blocked: its stdout takes nothing
//	waitout NAME REGEXP, waiterr NAME REGEXP
//	                             wait until it has written that to stdout, stderr
//	unblock NAME                 read its stdout
//	closeout NAME                close the reading end of its stdout
//	signal NAME INT|TERM|HUP|KILL|USR1
//	                             send it a signal
//	finish NAME CODE             wait for its end; stdout and stderr are those of the script then
//
// POD is namespace/name. No command waits by the clock.
func TestScript(t *testing.T) {
	// Children inherit an ignored signal: under nohup, ktail would ignore SIGHUP.
	// A handler in this process restores the default action in its children.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	testscript.Run(t, scripts("script"))
}

// scripts returns the parameters for the scripts of a directory in testdata.
func scripts(dir string) testscript.Params {
	return testscript.Params{
		Dir:                 filepath.Join("testdata", dir),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("KUBECONFIG", filepath.Join(env.WorkDir, "kubeconfig"))
			env.Setenv("GORACE", "atexit_sleep_ms=0") // or each success takes a second with -race
			env.Values[worldKey{}] = &world{kubeconfig: env.Getenv("KUBECONFIG")}
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			env.Values[searchKey{}] = &search{}
			env.Values[childrenKey{}] = &children{env: env.Vars, running: map[string]*child{}}
			return copyFile(filepath.Join(env.WorkDir, "shop.yaml"), filepath.Join("testdata", "shop.yaml"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cluster": cmdCluster,
			"pods":    cmdPods,
			"objects": cmdObjects,
			"write":   cmdWrite,
			"flood":   cmdFlood,
			"exit":    cmdExit,
			"restart": cmdRestart,
			"rotate":  cmdRotate,
			"delete":  cmdDelete,
			"cut":     cmdCut,
			"down":    cmdDown,
			"up":      cmdUp,
			"fault":   cmdFault,
			"follows": cmdFollows,
			"asked":   cmdAsked,

			"search":     cmdSearch,
			"searchdown": cmdSearchDown,
			"kibana":     cmdKibana,
			"searchup":   cmdSearchUp,
			"indexed":    cmdIndexed,

			"status":   cmdStatus,
			"start":    cmdStart,
			"waitout":  cmdWaitOut,
			"waiterr":  cmdWaitErr,
			"unblock":  cmdUnblock,
			"closeout": cmdCloseOut,
			"signal":   cmdSignal,
			"finish":   cmdFinish,
			"page":     cmdPage,
		},
	}
}

// usage fails the script if a command is not used as it is meant.
func usage(ts *testscript.TestScript, neg, ok bool, how string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", how)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

// patiently returns a context that ends when the script has waited for long
// enough.
func patiently() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "status CODE PROGRAM ARG...")
	want := number(ts, args[0])
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch got := 0; {
	case errors.As(err, &exit):
		got = exit.ExitCode()
		fallthrough
	case err == nil:
		if got != want {
			ts.Fatalf("exit status %d, want %d", got, want)
		}
	default:
		ts.Fatalf("%v", err)
	}
}
