package corev1

import (
	"cmp"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Reset clears the pod. The protobuf decoder calls it before Unmarshal.
func (p *Pod) Reset() { *p = Pod{} }

// Reset clears the list.
func (l *PodList) Reset() { *l = PodList{} }

// Unmarshal decodes a pod from protobuf.
func (p *Pod) Unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			return p.ObjectMeta.Unmarshal(f.bytes)
		case 2:
			return p.Spec.unmarshal(f.bytes)
		case 3:
			return p.Status.unmarshal(f.bytes)
		}
		return nil
	})
}

// Unmarshal decodes a list of pods from protobuf.
func (l *PodList) Unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			return l.ListMeta.Unmarshal(f.bytes)
		case 2:
			return more(&l.Items).Unmarshal(f.bytes)
		}
		return nil
	})
}

func (s *PodSpec) unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 2:
			return more(&s.Containers).unmarshal(f.bytes)
		case 3:
			s.RestartPolicy = RestartPolicy(f.bytes)
		case 10:
			s.NodeName = string(f.bytes)
		case 20:
			return more(&s.InitContainers).unmarshal(f.bytes)
		case 34:
			// Field 1 holds the fields that all kinds of containers have.
			c := more(&s.EphemeralContainers)
			return fields(f.bytes, func(f field) error {
				if f.number == 1 {
					return c.unmarshal(f.bytes)
				}
				return nil
			})
		}
		return nil
	})
}

func (c *Container) unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			c.Name = string(f.bytes)
		case 2:
			c.Image = string(f.bytes)
		case 8:
			return c.Resources.unmarshal(f.bytes)
		case 24:
			policy := RestartPolicy(f.bytes)
			c.RestartPolicy = &policy
		case 25:
			more(&c.RestartPolicyRules)
		}
		return nil
	})
}

func (r *Resources) unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			return addQuantity(&r.Limits, f.bytes)
		case 2:
			return addQuantity(&r.Requests, f.bytes)
		}
		return nil
	})
}

// addQuantity adds an entry of a map to it: field 1 is the key, and field 2 holds the
// quantity as a text in its field 1.
func addQuantity(list *map[string]resource.Quantity, data []byte) error {
	name, text := "", ""
	err := fields(data, func(f field) error {
		switch f.number {
		case 1:
			name = string(f.bytes)
		case 2:
			return fields(f.bytes, func(f field) error {
				if f.number == 1 {
					text = string(f.bytes)
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		return nil // a pod is worth more than one of its numbers
	}
	if *list == nil {
		*list = map[string]resource.Quantity{}
	}
	(*list)[name] = quantity
	return nil
}

func (s *PodStatus) unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			s.Phase = PodPhase(f.bytes)
		case 2:
			return more(&s.Conditions).unmarshal(f.bytes)
		case 3:
			s.Message = string(f.bytes)
		case 4:
			s.Reason = string(f.bytes)
		case 8:
			return more(&s.ContainerStatuses).unmarshal(f.bytes)
		case 10:
			return more(&s.InitContainerStatuses).unmarshal(f.bytes)
		case 13:
			return more(&s.EphemeralContainerStatuses).unmarshal(f.bytes)
		}
		return nil
	})
}

func (c *PodCondition) unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			c.Type = PodConditionType(f.bytes)
		case 2:
			c.Status = ConditionStatus(f.bytes)
		case 4:
			return c.LastTransitionTime.Unmarshal(f.bytes)
		case 5:
			c.Reason = string(f.bytes)
		case 6:
			c.Message = string(f.bytes)
		}
		return nil
	})
}

func (s *ContainerStatus) unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			s.Name = string(f.bytes)
		case 2:
			return s.State.unmarshal(f.bytes)
		case 3:
			return s.LastTerminationState.unmarshal(f.bytes)
		case 4:
			s.Ready = f.value != 0
		case 5:
			s.RestartCount = int32(f.value)
		case 6:
			s.Image = string(f.bytes)
		case 8:
			s.ContainerID = string(f.bytes)
		}
		return nil
	})
}

func (s *ContainerState) unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			s.Waiting = cmp.Or(s.Waiting, &ContainerStateWaiting{})
			return s.Waiting.unmarshal(f.bytes)
		case 2:
			s.Running = cmp.Or(s.Running, &ContainerStateRunning{})
			return s.Running.unmarshal(f.bytes)
		case 3:
			s.Terminated = cmp.Or(s.Terminated, &ContainerStateTerminated{})
			return s.Terminated.unmarshal(f.bytes)
		}
		return nil
	})
}

func (s *ContainerStateWaiting) unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			s.Reason = string(f.bytes)
		case 2:
			s.Message = string(f.bytes)
		}
		return nil
	})
}

func (s *ContainerStateRunning) unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		if f.number == 1 {
			return s.StartedAt.Unmarshal(f.bytes)
		}
		return nil
	})
}

func (s *ContainerStateTerminated) unmarshal(data []byte) error {
	return fields(data, func(f field) error {
		switch f.number {
		case 1:
			s.ExitCode = int32(f.value)
		case 3:
			s.Reason = string(f.bytes)
		case 5:
			return s.StartedAt.Unmarshal(f.bytes)
		case 6:
			return s.FinishedAt.Unmarshal(f.bytes)
		case 7:
			s.ContainerID = string(f.bytes)
		}
		return nil
	})
}

// more appends an element to the list and returns a pointer to it.
func more[T any](list *[]T) *T {
	var zero T
	*list = append(*list, zero)
	return &(*list)[len(*list)-1]
}
