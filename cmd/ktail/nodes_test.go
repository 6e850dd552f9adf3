//go:build unix

package main

import (
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ktail/ktail/internal/fakeapi"
)

// cmdNode adds a node: node NAME [LABEL=VALUE]...
func cmdNode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 1, "node NAME [LABEL=VALUE]...")
	labels := map[string]string{}
	for _, label := range args[1:] {
		key, value, _ := strings.Cut(label, "=")
		labels[key] = value
	}
	worldOf(ts).server.AddNode(args[0], labels)
}

func nodeOf(ts *testscript.TestScript, name string) *fakeapi.Node {
	n := worldOf(ts).server.Node(name)
	if n == nil {
		ts.Fatalf("there is no node %s", name)
	}
	return n
}

// cmdJournal adds entries to a journal: journal [age=DURATION] NODE UNIT TEXT...
func cmdJournal(ts *testscript.TestScript, neg bool, args []string) {
	at := time.Now()
	if age, ok := strings.CutPrefix(args[0], "age="); ok {
		d, err := time.ParseDuration(age)
		ts.Check(err)
		at, args = at.Add(-d), args[1:]
	}
	usage(ts, neg, len(args) >= 3, "journal [age=DURATION] NODE UNIT TEXT...")
	nodeOf(ts, args[0]).Journal(args[1], at, args[2:]...)
}

// cmdNodeFile appends to a log file of a node: nodefile NODE PATH LINE...
func cmdNodeFile(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 3, "nodefile NODE PATH LINE...")
	nodeOf(ts, args[0]).Write(args[1], strings.Join(args[2:], "\n")+"\n")
}
