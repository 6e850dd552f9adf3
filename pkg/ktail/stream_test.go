package ktail

import "testing"

// Messages name the logs of pods, and of system components on nodes.
func TestStream_String(t *testing.T) {
	for want, s := range map[string]*Stream{
		"shop/web-1[app]":        {Namespace: "shop", Pod: "web-1", Container: "app"},
		"node/worker-1[kubelet]": NodeStream("", "worker-1", "kubelet"),
	} {
		if got := s.String(); got != want {
			t.Errorf("the name is %s, want %s", got, want)
		}
	}
}
