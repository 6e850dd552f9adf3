package kube

import "slices"

// MatchesPath reports whether the selection includes a container, given its
// names only: labels, owners, states, and conditions are ignored.
func (s *Selection) MatchesPath(namespace, pod, container string) bool {
	return (len(s.Namespaces) == 0 || slices.Contains(s.Namespaces, namespace) || slices.Contains(s.Namespaces, "")) &&
		s.wantsPod(pod) && s.wantsContainer(container)
}
