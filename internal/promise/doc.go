// Package promise tests ktail's guarantee: no line is lost or duplicated, and
// lines stay in the order of their log. Only the network and the clock are
// replaced. The watcher and the sources of package kube and the engine follow
// the pods of a fake API server inside a testing/synctest bubble, where a
// minute of back-off takes no time.
//
// The package has only tests. They are not in package kube because that package
// and the engine do not import each other.
package promise
