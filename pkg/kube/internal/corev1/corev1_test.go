package corev1

import (
	"encoding/json"
	"reflect"
	"testing"

	api "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/randfill"
)

// partOf returns a pod with only the fields that these types have.
func partOf(p *api.Pod) *Pod {
	part := &Pod{TypeMeta: p.TypeMeta, ObjectMeta: p.ObjectMeta}
	part.Spec = PodSpec{
		InitContainers:      each(p.Spec.InitContainers, partOfContainer),
		Containers:          each(p.Spec.Containers, partOfContainer),
		EphemeralContainers: each(p.Spec.EphemeralContainers, partOfEphemeral),
		RestartPolicy:       RestartPolicy(p.Spec.RestartPolicy),
		NodeName:            p.Spec.NodeName,
	}
	part.Status = PodStatus{
		Phase: PodPhase(p.Status.Phase), Reason: p.Status.Reason, Message: p.Status.Message,
		Conditions: each(p.Status.Conditions, func(c *api.PodCondition) PodCondition {
			return PodCondition{Type: PodConditionType(c.Type), Status: ConditionStatus(c.Status), LastTransitionTime: c.LastTransitionTime, Reason: c.Reason, Message: c.Message}
		}),
		InitContainerStatuses:      each(p.Status.InitContainerStatuses, partOfStatus),
		ContainerStatuses:          each(p.Status.ContainerStatuses, partOfStatus),
		EphemeralContainerStatuses: each(p.Status.EphemeralContainerStatuses, partOfStatus),
	}
	return part
}

func partOfContainer(c *api.Container) Container {
	return Container{
		Name: c.Name, Image: c.Image, RestartPolicy: (*RestartPolicy)(c.RestartPolicy),
		RestartPolicyRules: each(c.RestartPolicyRules, func(*api.ContainerRestartRule) struct{} { return struct{}{} }),
		Resources:          Resources{Limits: quantities(c.Resources.Limits), Requests: quantities(c.Resources.Requests)},
	}
}

// quantities returns the list as it is decoded.
func quantities(list api.ResourceList) map[string]resource.Quantity {
	if len(list) == 0 {
		return nil
	}
	decoded := map[string]resource.Quantity{}
	for name, q := range list {
		decoded[string(name)] = resource.MustParse(q.String())
	}
	return decoded
}

func partOfEphemeral(c *api.EphemeralContainer) Container {
	common := api.Container(c.EphemeralContainerCommon)
	return partOfContainer(&common)
}

func partOfStatus(s *api.ContainerStatus) ContainerStatus {
	return ContainerStatus{
		Name: s.Name, State: partOfState(s.State), LastTerminationState: partOfState(s.LastTerminationState),
		Ready: s.Ready, RestartCount: s.RestartCount, Image: s.Image, ContainerID: s.ContainerID,
	}
}

func partOfState(s api.ContainerState) (part ContainerState) {
	if w := s.Waiting; w != nil {
		part.Waiting = &ContainerStateWaiting{Reason: w.Reason, Message: w.Message}
	}
	if s.Running != nil {
		part.Running = &ContainerStateRunning{StartedAt: s.Running.StartedAt}
	}
	if t := s.Terminated; t != nil {
		part.Terminated = &ContainerStateTerminated{
			ExitCode: t.ExitCode, Reason: t.Reason, StartedAt: t.StartedAt, FinishedAt: t.FinishedAt, ContainerID: t.ContainerID,
		}
	}
	return part
}

func each[A, B any](list []A, f func(*A) B) []B {
	if list == nil {
		return nil
	}
	out := make([]B, len(list))
	for i := range list {
		out[i] = f(&list[i])
	}
	return out
}

// somePod returns a pod with random values in most of its fields.
func somePod(seed int64) *api.Pod {
	var p api.Pod
	randfill.NewWithSeed(seed).NilChance(0.2).NumElements(1, 3).MaxDepth(12).Funcs(
		func(f *metav1.FieldsV1, _ randfill.Continue) { *f = *metav1.NewFieldsV1("{}") },
		func(t *metav1.Time, c randfill.Continue) { *t = metav1.Unix(c.Int63n(1<<32), 0) }, // whole seconds, as on the wire
	).Fill(&p)
	p.TypeMeta = metav1.TypeMeta{}
	return &p
}

// Protobuf and JSON are decoded into the same pod.
func TestDecode_ProtobufEqualsJSON(t *testing.T) {
	for seed := range int64(100) {
		pod := somePod(seed)
		want := partOf(pod)

		data, err := pod.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		var got Pod
		if err := got.Unmarshal(data); err != nil {
			t.Fatalf("pod %d: %v", seed, err)
		}
		if !reflect.DeepEqual(&got, want) {
			t.Errorf("protobuf of pod %d: got %+v, want %+v", seed, got, want)
		}

		data, err = json.Marshal(pod)
		if err != nil {
			t.Fatal(err)
		}
		got = Pod{}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("pod %d: %v", seed, err)
		}
		if !reflect.DeepEqual(&got, want) {
			t.Errorf("JSON of pod %d: got %+v, want %+v", seed, got, want)
		}
	}
}

func TestDecodeList_KeepsEveryPod(t *testing.T) {
	list := api.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}, Items: []api.Pod{*somePod(1), *somePod(2)}}
	data, err := list.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var got PodList
	if err := got.Unmarshal(data); err != nil {
		t.Fatal(err)
	}
	want := PodList{ListMeta: list.ListMeta, Items: []Pod{*partOf(&list.Items[0]), *partOf(&list.Items[1])}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	got.Reset()
	if !reflect.DeepEqual(got, PodList{}) {
		t.Errorf("Reset leaves %+v", got)
	}
}

func TestDeepCopyObject_SharesNothingMutable(t *testing.T) {
	list := &PodList{Items: []Pod{*partOf(somePod(1)), *partOf(somePod(2))}}
	c := list.DeepCopyObject().(*PodList)
	if !reflect.DeepEqual(c, list) {
		t.Errorf("got %+v, want %+v", c, list)
	}
	c.Items[0].Labels["new"] = "label"
	c.Items[0].Status.ContainerStatuses[0].Name = "new"
	if p := &list.Items[0]; p.Labels["new"] != "" || p.Status.ContainerStatuses[0].Name == "new" {
		t.Error("the copy shares labels or statuses with the original")
	}
}

// FuzzUnmarshal passes the same bytes to both decoders. This package neither
// checks the wire type of a field nor knows groups, so one decoder may reject
// what the other accepts; but if both accept the bytes, the pods are equal.
func FuzzUnmarshal(f *testing.F) {
	always := api.ContainerRestartPolicyAlways
	small := api.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Labels: map[string]string{"app": "web"}},
		Spec: api.PodSpec{
			NodeName: "node-1", RestartPolicy: api.RestartPolicyNever,
			InitContainers:      []api.Container{{Name: "side", RestartPolicy: &always}},
			Containers:          []api.Container{{Name: "nginx", Image: "nginx:1", RestartPolicyRules: make([]api.ContainerRestartRule, 1)}},
			EphemeralContainers: []api.EphemeralContainer{{EphemeralContainerCommon: api.EphemeralContainerCommon{Name: "debug"}}},
		},
		Status: api.PodStatus{
			Phase:      api.PodRunning,
			Conditions: []api.PodCondition{{Type: api.PodReady, Status: api.ConditionTrue}},
			ContainerStatuses: []api.ContainerStatus{{
				Name: "nginx", ContainerID: "c://2", RestartCount: 300,
				State: api.ContainerState{Running: &api.ContainerStateRunning{StartedAt: metav1.Unix(1e9, 0)}},
				LastTerminationState: api.ContainerState{Terminated: &api.ContainerStateTerminated{
					ExitCode: -1, Reason: "Error", ContainerID: "c://1", FinishedAt: metav1.Unix(1e9, 0)}},
			}},
		},
	}
	data, err := small.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(data[:len(data)/2])
	f.Add([]byte("\x1a\x10\x42\x0e\x12\x05\x12\x03\x0a\x01\x08\x12\x05\x1a\x03\x08\x81\x01")) // a state in two parts
	f.Fuzz(func(t *testing.T, data []byte) {
		var got Pod
		var pod api.Pod
		if got.Unmarshal(data) != nil || pod.Unmarshal(data) != nil {
			return
		}
		if want := partOf(&pod); !reflect.DeepEqual(&got, want) {
			t.Errorf("got %+v, want %+v", &got, want)
		}
	})
}
