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

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ktail": main, pluginName: main, completerName: main})
}

// TestScript runs the binary as users do, against a fake API server. In addition to
// the commands of testscript, scripts may use:
//
//	cluster FILE [old]           start a server with the pods in the file, and point KUBECONFIG to it;
//	                             old: without aggregated discovery and streamed lists
//	pods FILE                    add the pods in the file
//	[!] objects FILE             add or replace the objects of other kinds in the manifest file; !: delete them
//	write POD/CONTAINER LINE...  make the container log lines
//	flood POD/CONTAINER N        make the container log N lines
//	exit POD/CONTAINER [CODE]    end the container
//	restart POD/CONTAINER        end the container if it is running, and start its next instance
//	rotate POD/CONTAINER         make the lines so far unavailable
//	delete POD                   delete the pod
//	cut clean|reset              cut every followed log
//	down, up                     refuse new connections and close existing ones; accept connections again
//	fault VERB RESOURCE [K=V]…   make requests fail, see faultOf; `fault none` ends that
//	event NAME KIND NAMESPACE/OBJECT[/CONTAINER] REASON TYPE COUNT AGE MESSAGE
//	                             add a Kubernetes event, or a repetition of one
//	node NAME [LABEL=VALUE]...   add a node
//	journal [age=DURATION] NODE UNIT TEXT...
//	                             append entries to a journal of the node
//	nodefile NODE PATH LINE...   append lines to a file in /var/log of the node
//	deny [RESOURCE[/SUBRESOURCE]...]
//	                             take permissions away
//	follows N                    wait until N logs are being followed
//	search 6.4|7.10|9|opensearch3 [secure]
//	                             start a search server, and point $SEARCH to it; secure: see cmdSearch
//	searchdown, searchup         make the search server refuse connections; accept them again
//	indexed N MESSAGES [DOCUMENTS]
//	                             wait until the search server has N documents; write their messages,
//	                             sorted, and the documents, each preceded by its index
//	shipped INDEX N              index the first N documents again, as Filebeat writes them
//	[!] asked REGEXP             wait for a request that matches; !: fail if there was one
//
//	status CODE PROGRAM ARG...   like exec, and check the exit status
//	start [-blocked] NAME PROGRAM ARG...
//	                             run a program in parallel with the script; -blocked: do not read its stdout
//	waitout NAME REGEXP, waiterr NAME REGEXP
//	                             wait until its stdout or stderr matches
//	unblock NAME                 read its stdout
//	closeout NAME                close the reading end of its stdout
//	signal NAME INT|TERM|HUP|KILL|USR1
//	                             send it a signal
//	finish NAME CODE             wait until it exits; its stdout and stderr become the script's
//
// POD is namespace/name. No command waits for a fixed time.
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
			env.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise each success takes a second with -race
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
			"event":   cmdEvent,
			"deny":    cmdDeny,

			"node":     cmdNode,
			"journal":  cmdJournal,
			"nodefile": cmdNodeFile,
			"asked":    cmdAsked,

			"search":     cmdSearch,
			"searchdown": cmdSearchDown,
			"kibana":     cmdKibana,
			"searchup":   cmdSearchUp,
			"indexed":    cmdIndexed,
			"shipped":    cmdShipped,

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

// patiently returns a context that ends when the script has waited for too
// long.
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
