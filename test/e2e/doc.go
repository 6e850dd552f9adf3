// Package e2e holds the tests of ktail on a real Kubernetes, that of
// test/cluster. They run the built program on containers that number their
// lines and keep count of them, cause the faults that happen to kubelets,
// connections, pods and the control plane, and compare what was written with
// what was shown.
//
//	make e2e                                   set up, start, test, stop
//	. test/cluster/env.sh                      for a cluster that is up:
//	go test -tags e2e -count=1 -v -timeout 20m ./test/e2e
//
// KTAIL_BIN names another program to test: with one that loses lines, such as
// any that takes the end of a log stream for the end of the log, the tests fail.
package e2e
