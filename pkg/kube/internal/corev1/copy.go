package corev1

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

// DeepCopyObject implements runtime.Object. The copy shares what pointers in
// spec and status point to, which never changes after decoding.
func (p *Pod) DeepCopyObject() runtime.Object {
	c := *p
	p.DeepCopyInto(&c.ObjectMeta)
	for _, containers := range []*[]Container{&c.Spec.InitContainers, &c.Spec.Containers, &c.Spec.EphemeralContainers} {
		*containers = slices.Clone(*containers)
	}
	c.Status.Conditions = slices.Clone(c.Status.Conditions)
	s := &c.Status
	for _, statuses := range []*[]ContainerStatus{&s.InitContainerStatuses, &s.ContainerStatuses, &s.EphemeralContainerStatuses} {
		*statuses = slices.Clone(*statuses)
	}
	return &c
}

// DeepCopyObject implements runtime.Object.
func (l *PodList) DeepCopyObject() runtime.Object {
	c := *l
	l.DeepCopyInto(&c.ListMeta)
	c.Items = make([]Pod, len(l.Items))
	for i := range l.Items {
		c.Items[i] = *l.Items[i].DeepCopyObject().(*Pod)
	}
	return &c
}
