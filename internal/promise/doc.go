// Package promise tests the promise of ktail: no line is lost or duplicated, and
// lines stay in the order of their log. Only the network and the clock are
// replaced: the watcher and the sources of package kube and the engine follow the
// pods of a fake API server inside a testing/synctest bubble, where a minute of
// back-off takes no time.
//
// The package has only tests. They are not in package kube because that package
// and the engine do not know each other.
package promise
