// Package promise tests what ktail promises, "nothing lost, nothing twice, in
// the order of the log", with everything in place except the network and the
// clock: the watcher and the source of package kube and the engine follow the
// pods of a fake API server inside a testing/synctest bubble, where a minute of
// back-off takes no time.
//
// It has tests only. They are not in package kube, since that and the engine do
// not know of each other.
package promise
