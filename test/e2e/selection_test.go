//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// ktail prints all lines of completed pods, and then exits.
func TestNoFollow_PrintsInOrder(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	for _, pod := range []string{"a", "b", "d"} {
		n.createPod(pod, n.podSpec(n.container("c", "-rate", "0", "-n", "3000", "-no-newline")), nil)
	}
	n.waitForCompletion(time.Minute)
	f := n.follow(newLedger(), "--no-follow")
	if code := f.wait(30 * time.Second); code != 0 {
		t.Errorf("exit code %d", code)
	}
	r := f.report(n.written())
	r.exact(t)
	if r.Lost > 0 {
		n.logFiles()
	}
}

// The flags select the expected logs.
func TestSelection_MatchesExpectedPods(t *testing.T) {
	t.Parallel()
	first, second := newNamespace(t), newNamespace(t)
	name := func(n *namespace, s string) string { return s + n.name[strings.LastIndexByte(n.name, '-'):] }
	web, api, shop := name(first, "web"), name(first, "api"), name(first, "shop")
	create := func(n *namespace, pod string, label string, containers ...string) {
		spec := n.podSpec()
		for _, c := range containers {
			spec.Containers = append(spec.Containers, n.container(c, "-rate", "0", "-n", "100"))
		}
		n.createPod(pod, spec, map[string]string{"app": label})
	}
	create(first, web, "web", "front", "back")
	create(first, api, "api", "front")
	create(second, shop, "web", "front")
	first.waitForCompletion(time.Minute)
	second.waitForCompletion(time.Minute)

	all := []string{web + " front", web + " back", api + " front", shop + " front"}
	for _, tt := range []struct {
		name       string
		args       []string
		namespaced bool
		want       []string
		lines      int // lines of each log
	}{
		{"query", []string{"^web", "-n", first.name}, false, all[:2], 100},
		{"two queries", []string{web, api, "-n", first.name}, false, all[:3], 100},
		{"selector", []string{".", "-l", "app=api", "-n", first.name}, false, all[2:3], 100},
		{"container", []string{".", "-c", "^b", "-n", first.name}, false, all[1:2], 100},
		{"tail", []string{api, "--tail", "7", "-n", first.name}, false, all[2:3], 7},
		{"two namespaces", []string{".", "-n", first.name + "," + second.name}, true, all, 100},
		{"two namespaces, repeated", []string{".", "-n", first.name, "-n", second.name}, true, all, 100},
		{"selector in two namespaces", []string{".", "-l", "app=web", "-n", first.name + "," + second.name}, true, []string{all[0], all[1], all[3]}, 100},
		{"all namespaces", []string{strings.Join([]string{web, api, shop}, "|"), "-A"}, true, all, 100},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLedger()
			l.namespaced = tt.namespaced
			f := follow(t, l, append(tt.args, "--no-follow", "--only-log-lines")...)
			if code := f.wait(30 * time.Second); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if got, want := slices.Sorted(maps.Keys(f.logs)), slices.Sorted(slices.Values(tt.want)); !slices.Equal(got, want) {
				t.Fatalf("printed logs are %q, want %q", got, want)
			}
			for key, log := range f.logs {
				if shown := len(log.seen) - slices.Index(log.seen, 1); log.last[0] != 100 || tt.lines == 100 && shown != 100 || log.sum() != tt.lines {
					t.Errorf("%s: %d lines were printed, the last is %d, want %d", key, log.sum(), log.last[0], tt.lines)
				}
			}
			if s := f.Stderr.String(); s != "" {
				t.Errorf("stderr is not empty: %q", s)
			}
		})
	}
}

// sum returns the number of printed lines with numbers.
func (s *shownLog) sum() int {
	sum := 0
	for _, n := range s.seen {
		sum += int(n)
	}
	return sum
}

// One log may not be read: the others are printed, stderr names it, and the
// exit code is 1.
func TestForbidden_DoesNotStopOthers(t *testing.T) {
	t.Parallel()
	const user = "e2e-reader"
	n := newNamespace(t)
	for _, pod := range []string{"open", "secret"} {
		n.createPod(pod, n.podSpec(n.container("c", "-rate", "0", "-n", "500")), nil)
	}
	n.must(n.create(t.Context(), n.path("/apis/rbac.authorization.k8s.io/v1", "roles"), &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}},
			{APIGroups: []string{""}, Resources: []string{"pods/log"}, ResourceNames: []string{"open"}, Verbs: []string{"get"}},
		},
	}))
	n.must(n.create(t.Context(), n.path("/apis/rbac.authorization.k8s.io/v1", "rolebindings"), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}))
	n.waitForCompletion(time.Minute)
	kubeconfig := n.editKubeconfig(t, func(_ *clientcmdapi.Cluster, auth *clientcmdapi.AuthInfo) {
		auth.Impersonate = user
	})
	f := n.follow(newLedger(), "--kubeconfig", kubeconfig, "--no-follow", "--only-log-lines")
	if code := f.wait(30 * time.Second); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if len(f.Stderr.Containing("secret", "forbidden")) == 0 {
		t.Errorf("stderr does not name the log that may not be read: %q", f.Stderr.String())
	}
	truth := n.written()
	delete(truth, "secret c")
	f.report(truth).exact(t)
}
