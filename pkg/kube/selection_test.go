package kube

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/kube/internal/corev1"
)

// TestSelection_FindsContainersWithLogs parses the JSON of a pod and lists its
// containers that have a log, with "!" after the name of a container that will
// not run again.
func TestSelection_FindsContainersWithLogs(t *testing.T) {
	const mixed = `{
		"metadata": {"name": "mixed-1"},
		"spec": {"restartPolicy": "Always",
			"initContainers": [{"name": "init"}, {"name": "side", "restartPolicy": "Always"}],
			"containers": [{"name": "main"}, {"name": "crash"}, {"name": "creating"}],
			"ephemeralContainers": [{"name": "debug"}]},
		"status": {"phase": "Running",
			"initContainerStatuses": [
				{"name": "init", "containerID": "c://i", "state": {"terminated": {"exitCode": 0, "containerID": "c://i"}}},
				{"name": "side", "containerID": "c://s", "state": {"running": {}}}],
			"containerStatuses": [
				{"name": "crash", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 4,
					"lastState": {"terminated": {"exitCode": 1, "containerID": "c://c3"}}},
				{"name": "creating", "state": {"waiting": {"reason": "ContainerCreating"}}},
				{"name": "main", "containerID": "c://m", "state": {"running": {}}}],
			"ephemeralContainerStatuses": [{"name": "debug", "containerID": "c://d", "state": {"terminated": {"exitCode": 0, "containerID": "c://d"}}}]}}`
	const one = `{
		"metadata": {"name": "one" METADATA},
		"spec": {"restartPolicy": "POLICY", "containers": [{"name": "c" SPEC}]},
		"status": {"phase": "PHASE", "containerStatuses": [{"name": "c", "containerID": "c://1", "state": {STATE}}]}}`
	ended := func(policy, exitCode string, more ...string) string {
		return strings.NewReplacer(append(more, "POLICY", policy, "STATE", `"terminated": {"exitCode": `+exitCode+`, "containerID": "c://1"}`,
			"PHASE", "Running", "SPEC", "", "METADATA", "")...).Replace(one)
	}
	re := regexp.MustCompile
	tests := []struct {
		name      string
		selection Selection
		pod       string
		want      []string
	}{
		{"every kind, in the order of their start", Selection{}, mixed, []string{"init!", "side", "main", "crash", "debug!"}},
		{"without init containers", Selection{NoInitContainers: true}, mixed, []string{"main", "crash", "debug!"}},
		{"without ephemeral ones", Selection{NoEphemeralContainers: true}, mixed, []string{"init!", "side", "main", "crash"}},
		{"by a container's name", Selection{Containers: re("^(main|s)")}, mixed, []string{"side", "main"}},
		{"an expression matches anywhere in the pod's name", Selection{Pods: []*regexp.Regexp{re("no"), re("ed-")}, Containers: re("main")}, mixed, []string{"main"}},
		{"another pod", Selection{Pods: []*regexp.Regexp{re("^ixed")}}, mixed, nil},
		{"nothing has run yet", Selection{}, `{"spec": {"containers": [{"name": "c"}]}, "status": {"phase": "Pending", "containerStatuses": [{"name": "c", "state": {"waiting": {}}}]}}`, nil},
		{"no status at all", Selection{}, `{"spec": {"containers": [{"name": "c"}]}}`, nil},
		{"runs", Selection{}, strings.NewReplacer("POLICY", "Never", "STATE", `"running": {}`, "PHASE", "Running", "SPEC", "", "METADATA", "").Replace(one), []string{"c"}},
		{"a crashed container runs again", Selection{}, ended("Always", "1"), []string{"c"}},
		{"a completed container runs again", Selection{}, ended("Always", "0"), []string{"c"}},
		{"OnFailure: a crashed container runs again", Selection{}, ended("OnFailure", "1"), []string{"c"}},
		{"OnFailure: a completed container does not run again", Selection{}, ended("OnFailure", "0"), []string{"c!"}},
		{"never", Selection{}, ended("Never", "1"), []string{"c!"}},
		{"a completed Job", Selection{}, ended("Always", "0", "PHASE", "Succeeded"), []string{"c!"}},
		{"an evicted pod", Selection{}, ended("Always", "1", "PHASE", "Failed"), []string{"c!"}},
		{"a pod being deleted", Selection{}, ended("Always", "0", "METADATA", `, "deletionTimestamp": "2026-01-02T15:04:05Z"`), []string{"c!"}},
		{"the container's own policy", Selection{}, ended("Always", "1", "SPEC", `, "restartPolicy": "Never"`), []string{"c!"}},
		{"the container's own policy, the other way round", Selection{}, ended("Never", "1", "SPEC", `, "restartPolicy": "OnFailure"`), []string{"c"}},
		{"rules that only the kubelet knows", Selection{}, ended("Never", "1", "SPEC", `, "restartPolicy": "Never", "restartPolicyRules": [{"action": "Restart"}]`), []string{"c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var pod corev1.Pod
			if err := json.Unmarshal([]byte(tt.pod), &pod); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range tt.selection.containers(&pod) {
				name := c.name
				if c.finished {
					name += "!"
				}
				got = append(got, name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// While a container waits to be restarted, the server serves the log of its
// last instance.
func TestServed_IsLastInstanceWhileWaiting(t *testing.T) {
	var status corev1.ContainerStatus
	const text = `{"name": "c", "containerID": "c://4", "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
		"lastState": {"terminated": {"exitCode": 1, "containerID": "c://3"}}}`
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		t.Fatal(err)
	}
	instance, ok := served(&status)
	if !ok || instance.ID != "c://3" || instance.Restarts != 4 {
		t.Errorf("served is %+v, %v", instance, ok)
	}
}
