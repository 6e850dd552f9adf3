package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
)

// PodMetrics is what the containers of a pod used during a short time.
type PodMetrics struct {
	Namespace, Name string
	Time            time.Time // the end of that time
	Containers      []ContainerMetrics
}

// ContainerMetrics is what one container used.
type ContainerMetrics struct {
	Name   string
	CPU    int64 // thousandths of a core
	Memory int64 // bytes, the working set
}

// podMetricsList is the answer of the Metrics API. It omits pods without a running
// container and pods that have just started.
// https://github.com/kubernetes/metrics/blob/v0.35.0/pkg/apis/metrics/v1beta1/types.go
type podMetricsList struct {
	Items []struct {
		Metadata struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
		Timestamp  time.Time `json:"timestamp"`
		Containers []struct {
			Name  string                       `json:"name"`
			Usage map[string]resource.Quantity `json:"usage"`
		} `json:"containers"`
	} `json:"items"`
}

// ErrNoMetrics means that the cluster has no Metrics API.
var ErrNoMetrics = errors.New("the cluster has no Metrics API (metrics-server)")

// Metrics returns what the pods of the selection use, as far as the Metrics API knows
// it. It requests all pods that the label selector matches; the caller applies the
// other criteria. ErrNoMetrics means that there is no such API.
func (c *Client) Metrics(ctx context.Context, s *Selection) ([]PodMetrics, error) {
	namespaces := s.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	var all []PodMetrics
	for _, namespace := range namespaces {
		pods, err := c.metricsIn(ctx, namespace, s.LabelSelector)
		if err != nil {
			return all, err
		}
		all = append(all, pods...)
	}
	return all, nil
}

func (c *Client) metricsIn(ctx context.Context, namespace, selector string) ([]PodMetrics, error) {
	path := "/apis/metrics.k8s.io/v1beta1/pods"
	if namespace != "" {
		path = "/apis/metrics.k8s.io/v1beta1/namespaces/" + namespace + "/pods"
	}
	request := c.rest.Get().AbsPath(path).SetHeader("Accept", "application/json").MaxRetries(0)
	if selector != "" {
		request = request.Param("labelSelector", selector)
	}
	body, err := rawBody(request.Do(ctx))
	switch {
	case apierrors.IsNotFound(err):
		return nil, ErrNoMetrics
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("no permission to list pods in metrics.k8s.io: %w", err)
	case err != nil:
		return nil, fmt.Errorf("get metrics: %w", err)
	}
	var list podMetricsList
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("get metrics: %w", err)
	}
	pods := make([]PodMetrics, 0, len(list.Items))
	for i := range list.Items {
		item := &list.Items[i]
		pod := PodMetrics{Namespace: item.Metadata.Namespace, Name: item.Metadata.Name, Time: item.Timestamp}
		for _, c := range item.Containers {
			m := ContainerMetrics{Name: c.Name}
			m.CPU, m.Memory = amounts(c.Usage)
			pod.Containers = append(pod.Containers, m)
		}
		pods = append(pods, pod)
	}
	return pods, nil
}
