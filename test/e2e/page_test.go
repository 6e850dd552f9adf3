//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/ktail/ktail/pkg/web"
	"github.com/ktail/ktail/test/internal/suite"
)

var pageAddress = regexp.MustCompile(`ktail: page: (http://\S+)/#k=(\S+)\n`)

// page is the page of a follower, as its own code sees it.
type page struct {
	t              *testing.T
	address, token string
}

func (f *follower) page() *page {
	f.t.Helper()
	var place []string
	suite.Eventually(f.t, 10*time.Second, "the address of the page", func() bool {
		place = pageAddress.FindStringSubmatch(f.Stderr.String())
		return place != nil
	})
	return &page{f.t, place[1], place[2]}
}

// get reads the answer to a request of the page.
func (p *page) get(path string, answer any) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.address+"/api/"+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s", path, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
}

// pod returns the state of a pod in the panel; the zero Pod if it is not there.
func (p *page) pod(name string) (pod web.Pod, metrics string) {
	p.t.Helper()
	var pods web.Pods
	p.get("pods", &pods)
	if i := slices.IndexFunc(pods.Pods, func(pod web.Pod) bool { return pod.Name == name }); i >= 0 {
		pod = pods.Pods[i]
	}
	return pod, pods.Metrics
}

// The panel shows what the kubelet reports about real containers: one that runs, one
// that is killed for its memory, one that crashes in a loop, and one that is deleted.
func TestPage_PodsAreThoseOfTheCluster(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	f := n.follow(newLedger(), "--web=:0")
	p := f.page()

	steady := n.container("c", "-rate", "5")
	steady.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("64Mi"), corev1.ResourceCPU: resource.MustParse("500m")}
	n.createPod("steady", n.podSpec(steady), nil)
	greedy := n.container("c", "-rate", "50", "-n", "100", "-eat-mib", "512")
	greedy.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("48Mi")}
	for name, container := range map[string]corev1.Container{"greedy": greedy, "crash": n.container("c", "-rate", "50", "-n", "20", "-exit", "3")} {
		spec := n.podSpec(container)
		spec.RestartPolicy = corev1.RestartPolicyAlways
		n.createPod(name, spec, nil)
	}

	suite.Eventually(t, 2*time.Minute, "the running pod", func() bool {
		pod, _ := p.pod("steady")
		return pod.Phase == "Running" && pod.Ready && pod.Node != "" && len(pod.Containers) == 1 &&
			pod.Containers[0].State == "running" && pod.Containers[0].MemoryLimit == 64<<20 && pod.Containers[0].CPULimit == 500
	})
	ended := func(name, how string) {
		t.Helper()
		suite.Eventually(t, 2*time.Minute, name+" to crash in a loop", func() bool {
			pod, _ := p.pod(name)
			return len(pod.Containers) == 1 && pod.Containers[0].Reason == "CrashLoopBackOff" && pod.Containers[0].Restarts > 0 &&
				pod.Containers[0].LastExit == how && pod.Containers[0].LastTime > 0 && !pod.Ready
		})
	}
	ended("crash", "Error (3)")
	ended("greedy", "OOMKilled (137)")

	// Each end is also among the lines, at its time.
	var live struct {
		Rows []json.RawMessage `json:"rows"`
	}
	suite.Eventually(t, time.Minute, "the end of the container among the lines", func() bool {
		p.get("live?rows=500&wait=1&src="+n.name+"/greedy/", &live)
		return slices.ContainsFunc(live.Rows, func(row json.RawMessage) bool { return regexp.MustCompile("OOMKilled").Match(row) })
	})

	// A crashing container has no sample; where there are no metrics at all, the panel
	// says so.
	if pod, metrics := p.pod("crash"); metrics == "" && len(pod.Containers[0].Samples) > 0 && pod.Containers[0].Samples[0].Memory == 0 {
		t.Errorf("a sample of zero: %+v", pod)
	}

	n.deletePod("steady")
	suite.Eventually(t, time.Minute, "the pod to be gone", func() bool {
		pod, _ := p.pod("steady")
		return pod.Name == "" || pod.Gone
	})
}
