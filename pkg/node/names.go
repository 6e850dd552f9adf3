package node

import "strings"

// podDir is the name of a pod's directory, NAMESPACE_POD_UID.
type podDir struct {
	namespace, pod string
	uid            string // for a static pod, the annotation kubernetes.io/config.hash
}

func parsePodDir(name string) (podDir, bool) {
	parts := strings.Split(name, "_") // none of the three parts can contain an underscore
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return podDir{}, false
	}
	return podDir{parts[0], parts[1], parts[2]}, true
}
