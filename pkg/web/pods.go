package web

import (
	"fmt"
	"net/http"
)

// Pods is the state of the pods whose logs are followed.
type Pods struct {
	Version uint64 `json:"version"` // changes with the state
	Pods    []Pod  `json:"pods"`
	// Metrics is the reason why there are no metrics; empty if there are metrics.
	Metrics string `json:"metrics,omitempty"`
}

// Pod is the state of a pod.
type Pod struct {
	Namespace  string      `json:"ns"`
	Name       string      `json:"name"`
	Phase      string      `json:"phase"`
	Reason     string      `json:"reason,omitempty"` // of the phase, such as Evicted
	Ready      bool        `json:"ready"`
	Deleting   bool        `json:"deleting,omitempty"`
	Gone       bool        `json:"gone,omitempty"`
	Node       string      `json:"node,omitempty"`
	Owner      string      `json:"owner,omitempty"`
	Containers []Container `json:"containers"`
}

// Container is the state of a container of a pod.
type Container struct {
	Name     string `json:"name"`
	Image    string `json:"image,omitempty"`
	State    string `json:"state"`            // running, waiting or terminated
	Reason   string `json:"reason,omitempty"` // of the state, such as CrashLoopBackOff
	Ready    bool   `json:"ready"`
	Restarts int    `json:"restarts"`
	// LastExit is the reason why the previous instance ended, such as
	// "OOMKilled (137)". LastTime is the time of its end in Unix milliseconds.
	LastExit string `json:"last,omitempty"`
	LastTime int64  `json:"lastTime,omitempty"`

	// Requests and limits; 0 if there are none. CPU is in millicores, memory in bytes.
	CPURequest    int64 `json:"cpuReq,omitempty"`
	CPULimit      int64 `json:"cpuLim,omitempty"`
	MemoryRequest int64 `json:"memReq,omitempty"`
	MemoryLimit   int64 `json:"memLim,omitempty"`

	// Samples of the last minutes, oldest first.
	Samples []Sample `json:"samples,omitempty"`
}

// Sample is the resource usage of a container at one time.
type Sample struct {
	Time   int64 `json:"t"`   // Unix milliseconds
	CPU    int64 `json:"cpu"` // millicores
	Memory int64 `json:"mem"` // bytes
}

// pods answers with the state of the pods.
func (s *Server) pods(*http.Request) (any, error) {
	if s.o.Pods != nil {
		if pods := s.o.Pods(); pods != nil {
			return pods, nil
		}
	}
	return &Pods{Pods: []Pod{}}, nil
}

// podsChanged reports whether the state of the pods has another version.
func (s *Server) podsChanged(version string) bool {
	if s.o.Pods == nil || version == "" {
		return false
	}
	pods := s.o.Pods()
	return pods != nil && fmt.Sprint(pods.Version) != version
}
