// Package corev1 has the fields of a pod that ktail reads. Its types are those
// of k8s.io/api/core/v1 reduced to these fields, because importing that package
// links the whole core API, a fifth of the program.
//
// The JSON name and the protobuf number of a field are part of the Kubernetes API
// and do not change.
package corev1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// SchemeGroupVersion is the group and version of the core API.
var SchemeGroupVersion = schema.GroupVersion{Version: "v1"}

// AddToScheme lets the client decode pods and lists of pods.
func AddToScheme(scheme *runtime.Scheme) {
	scheme.AddKnownTypes(SchemeGroupVersion, &Pod{}, &PodList{})
	metav1.AddToGroupVersion(scheme, SchemeGroupVersion)
}

// Pod is a pod: its specification and its status.
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

// PodSpec is the specification of a pod.
type PodSpec struct {
	InitContainers      []Container   `json:"initContainers"`
	Containers          []Container   `json:"containers"`
	EphemeralContainers []Container   `json:"ephemeralContainers"`
	RestartPolicy       RestartPolicy `json:"restartPolicy"`
	NodeName            string        `json:"nodeName"`
}

// Container is a container of any kind.
type Container struct {
	Name               string         `json:"name"`
	Image              string         `json:"image"`
	RestartPolicy      *RestartPolicy `json:"restartPolicy"`      // nil: the pod's policy
	RestartPolicyRules []struct{}     `json:"restartPolicyRules"` // only their number is used
	Resources          Resources      `json:"resources"`
}

// Resources are what a container may use and what is reserved for it, by the name of
// the resource.
type Resources struct {
	Limits   map[string]resource.Quantity `json:"limits"`
	Requests map[string]resource.Quantity `json:"requests"`
}

// RestartPolicy says when a container that has ended is restarted.
type RestartPolicy string

// Restart policies other than Always.
const (
	RestartPolicyOnFailure RestartPolicy = "OnFailure"
	RestartPolicyNever     RestartPolicy = "Never"
)

// PodStatus is the status of a pod.
type PodStatus struct {
	Phase                      PodPhase          `json:"phase"`
	Conditions                 []PodCondition    `json:"conditions"`
	Message                    string            `json:"message"`
	Reason                     string            `json:"reason"` // such as Evicted
	InitContainerStatuses      []ContainerStatus `json:"initContainerStatuses"`
	ContainerStatuses          []ContainerStatus `json:"containerStatuses"`
	EphemeralContainerStatuses []ContainerStatus `json:"ephemeralContainerStatuses"`
}

// PodPhase is the phase in a pod's lifecycle.
type PodPhase string

// The phases of a pod that has ended.
const (
	PodSucceeded PodPhase = "Succeeded"
	PodFailed    PodPhase = "Failed"
)

// PodCondition says whether a condition holds, and if not, why.
type PodCondition struct {
	Type               PodConditionType `json:"type"`
	Status             ConditionStatus  `json:"status"`
	LastTransitionTime metav1.Time      `json:"lastTransitionTime"`
	Reason             string           `json:"reason"` // such as Unschedulable
	Message            string           `json:"message"`
}

// PodConditionType names a condition.
type PodConditionType string

// The conditions that the kubelet, the scheduler and eviction set.
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

// The statuses of a condition.
const (
	ConditionTrue    ConditionStatus = "True"
	ConditionFalse   ConditionStatus = "False"
	ConditionUnknown ConditionStatus = "Unknown"
)

// ContainerStatus is the status of a container.
type ContainerStatus struct {
	Name                 string         `json:"name"`
	State                ContainerState `json:"state"`
	LastTerminationState ContainerState `json:"lastState"`
	Ready                bool           `json:"ready"`
	RestartCount         int32          `json:"restartCount"`
	Image                string         `json:"image"`
	ContainerID          string         `json:"containerID"`
}

// ContainerState is running, terminated or waiting. If all are nil, the container
// is waiting.
type ContainerState struct {
	Waiting    *ContainerStateWaiting    `json:"waiting"`
	Running    *ContainerStateRunning    `json:"running"`
	Terminated *ContainerStateTerminated `json:"terminated"`
}

// ContainerStateWaiting says why a container is not running.
type ContainerStateWaiting struct {
	Reason  string `json:"reason"` // such as ImagePullBackOff
	Message string `json:"message"`
}

// ContainerStateRunning says since when a container has been running.
type ContainerStateRunning struct {
	StartedAt metav1.Time `json:"startedAt"`
}

// ContainerStateTerminated says how a container ended.
type ContainerStateTerminated struct {
	ExitCode    int32       `json:"exitCode"`
	Reason      string      `json:"reason"`
	StartedAt   metav1.Time `json:"startedAt"`
	FinishedAt  metav1.Time `json:"finishedAt"`
	ContainerID string      `json:"containerID"`
}
