// Package corev1 has the part of a pod that ktail reads. Its types are those of
// k8s.io/api/core/v1, with the fields left out that nobody asks for: whoever
// imports that package links the whole core API, a fifth of the program.
//
// What a field is called in JSON, and its number in protobuf, is part of the API
// and stays.
package corev1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// SchemeGroupVersion is that of the core API.
var SchemeGroupVersion = schema.GroupVersion{Version: "v1"}

// AddToScheme has the client decode pods and lists of them.
func AddToScheme(scheme *runtime.Scheme) {
	scheme.AddKnownTypes(SchemeGroupVersion, &Pod{}, &PodList{})
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
}

// Pod is a pod, what it is to be and what it is at present.
type Pod struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              PodSpec   `json:"spec"`
	Status            PodStatus `json:"status"`
}

// PodList is a list of pods.
type PodList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata"`
	Items           []Pod `json:"items"`
}

// PodSpec is what the pod is to be.
type PodSpec struct {
	InitContainers      []Container   `json:"initContainers"`
	Containers          []Container   `json:"containers"`
	EphemeralContainers []Container   `json:"ephemeralContainers"`
	RestartPolicy       RestartPolicy `json:"restartPolicy"`
	NodeName            string        `json:"nodeName"`
}

// Container is one container of any of the three sorts.
type Container struct {
	Name               string         `json:"name"`
	Image              string         `json:"image"`
	RestartPolicy      *RestartPolicy `json:"restartPolicy"`      // nil: the pod's
	RestartPolicyRules []struct{}     `json:"restartPolicyRules"` // what they say is not read
}

// RestartPolicy says when a container that has ended is run again.
type RestartPolicy string

// Restart policies, besides Always.
const (
	RestartPolicyOnFailure RestartPolicy = "OnFailure"
	RestartPolicyNever     RestartPolicy = "Never"
)

// PodStatus is what the pod is at present.
type PodStatus struct {
	Phase                      PodPhase          `json:"phase"`
	Conditions                 []PodCondition    `json:"conditions"`
	InitContainerStatuses      []ContainerStatus `json:"initContainerStatuses"`
	ContainerStatuses          []ContainerStatus `json:"containerStatuses"`
	EphemeralContainerStatuses []ContainerStatus `json:"ephemeralContainerStatuses"`
}

// PodPhase is where in its life the pod is.
type PodPhase string

// The phases of a pod that has ended.
const (
	PodSucceeded PodPhase = "Succeeded"
	PodFailed    PodPhase = "Failed"
)

// PodCondition says whether a condition holds.
type PodCondition struct {
	Type   PodConditionType `json:"type"`
	Status ConditionStatus  `json:"status"`
}

// PodConditionType names a condition.
type PodConditionType string

// The conditions that the kubelet, the scheduler and the evicters set.
const (
	ContainersReady           PodConditionType = "ContainersReady"
	PodInitialized            PodConditionType = "Initialized"
	PodReady                  PodConditionType = "Ready"
	PodScheduled              PodConditionType = "PodScheduled"
	DisruptionTarget          PodConditionType = "DisruptionTarget"
	PodReadyToStartContainers PodConditionType = "PodReadyToStartContainers"
)

// ConditionStatus is True, False or Unknown.
type ConditionStatus string

// What a condition can be.
const (
	ConditionTrue    ConditionStatus = "True"
	ConditionFalse   ConditionStatus = "False"
	ConditionUnknown ConditionStatus = "Unknown"
)

// ContainerStatus is what a container is at present.
type ContainerStatus struct {
	Name                 string         `json:"name"`
	State                ContainerState `json:"state"`
	LastTerminationState ContainerState `json:"lastState"`
	RestartCount         int32          `json:"restartCount"`
	Image                string         `json:"image"`
	ContainerID          string         `json:"containerID"`
}

// ContainerState is running, terminated, or, if both are nil, waiting.
type ContainerState struct {
	Running    *ContainerStateRunning    `json:"running"`
	Terminated *ContainerStateTerminated `json:"terminated"`
}

// ContainerStateRunning says since when a container runs.
type ContainerStateRunning struct {
	StartedAt metav1.Time `json:"startedAt"`
}

// ContainerStateTerminated says how a container has ended.
type ContainerStateTerminated struct {
	ExitCode    int32       `json:"exitCode"`
	Reason      string      `json:"reason"`
	StartedAt   metav1.Time `json:"startedAt"`
	FinishedAt  metav1.Time `json:"finishedAt"`
	ContainerID string      `json:"containerID"`
}
