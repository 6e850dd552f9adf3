// Package e2e tests ktail on a real Kubernetes, the one of test/cluster. The
// tests run the built program on containers that number and count their lines;
// cause faults of kubelets, connections, pods, and the control plane; and
// compare the written lines with the printed ones.
//
//	make e2e                                   set up, start, test, stop
//	. test/cluster/env.sh                      for a cluster that is running:
//	go test -tags e2e -count=1 -v -timeout 20m ./test/e2e
//
// KTAIL_BIN selects another program to test. The tests fail with a program that
// loses lines, for example because it treats the end of a log stream as the end
// of the log.
package e2e
