//go:build unix

package main

import (
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ktail/ktail/internal/fakeapi"
)

// eventKinds are the kinds of objects that events of scripts are about.
var eventKinds = map[string]struct{ group, resource, kind string }{
	"po":     {"", "pods", "Pod"},
	"deploy": {"apps", "deployments", "Deployment"},
	"rs":     {"apps", "replicasets", "ReplicaSet"},
	"node":   {"", "nodes", "Node"},
}

// cmdEvent adds a Kubernetes event:
//
//	event NAME KIND NAMESPACE/OBJECT[/CONTAINER] REASON TYPE COUNT AGE MESSAGE
func cmdEvent(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 8, "event NAME KIND NAMESPACE/OBJECT[/CONTAINER] REASON TYPE COUNT AGE MESSAGE")
	server, kind := worldOf(ts).server, eventKinds[args[1]]
	parts := strings.Split(args[2]+"/", "/")
	e := fakeapi.Event{
		Name: args[0], Kind: kind.kind, Namespace: parts[0], Object: parts[1], Container: parts[2],
		Reason: args[3], Type: args[4], Count: number(ts, args[5]), Message: args[7],
	}
	age, err := time.ParseDuration(args[6])
	ts.Check(err)
	e.At = time.Now().Add(-age)
	if pod := server.Pod(e.Namespace, e.Object); pod != nil && kind.kind == "Pod" {
		e.UID = string(pod.Object().UID)
	} else {
		e.UID = string(server.ObjectUID(kind.group, kind.resource, e.Namespace, e.Object))
	}
	ts.Check(server.PutEvent(e))
}

// cmdDeny takes permissions away, in one namespace or in all, or none of them:
//
//	deny [RESOURCE[/SUBRESOURCE][@NAMESPACE]...]
func cmdDeny(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, true, "deny [RESOURCE[/SUBRESOURCE][@NAMESPACE]...]")
	worldOf(ts).server.Deny(func(r fakeapi.Request) bool {
		for _, denied := range args {
			denied, namespace, _ := strings.Cut(denied, "@")
			resource, subresource, _ := strings.Cut(denied, "/")
			if r.Resource == resource && r.Subresource == subresource && (namespace == "" || r.Namespace == namespace) {
				return true
			}
		}
		return false
	})
}
