package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/ktail/ktail/pkg/kube"
)

// instanceLabel is the label that says to which installation of a program a pod
// belongs. Stern's prompt offers its values.
const instanceLabel = "app.kubernetes.io/instance"

// promptSelection lists what the queries match, and narrows the selection to what somebody
// chooses from it: instances, where pods have that label, or workloads.
func (f *selectFlags) promptSelection(ctx context.Context, client *kube.Client, s streams) error {
	instances, workloads, err := f.choices(ctx, client)
	if err != nil {
		return err
	}
	offered := instances
	if len(offered) == 0 {
		offered = workloads
	}
	if len(offered) == 0 {
		return errors.New("--prompt: nothing matches, so there is nothing to choose from")
	}
	for i, name := range offered {
		fmt.Fprintf(s.ErrOut, "%3d  %s\n", i+1, name) //nolint:errcheck // who cannot read it cannot choose
	}
	fmt.Fprint(s.ErrOut, "Which ones? Numbers, or nothing for all: ") //nolint:errcheck // as above
	chosen, err := readChoice(s.In, offered)
	if err != nil {
		return fmt.Errorf("--prompt: %w", err)
	}
	switch {
	case len(chosen) == len(offered):
	case len(instances) > 0:
		requirement := instanceLabel + " in (" + strings.Join(chosen, ",") + ")"
		if l := f.selection.LabelSelector; l != "" {
			requirement = l + "," + requirement
		}
		f.selection.LabelSelector = requirement
	default:
		f.selection.Pods = nil
		for _, name := range chosen {
			f.selection.Pods = append(f.selection.Pods, regexp.MustCompile("^"+regexp.QuoteMeta(name)+"(-|$)"))
		}
	}
	return nil
}

// choices returns the instances and the workloads of the pods that match.
func (f *selectFlags) choices(ctx context.Context, client *kube.Client) (instances, workloads []string, err error) {
	namespaces := f.selection.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	instance, workload := map[string]bool{}, map[string]bool{}
	for _, namespace := range namespaces {
		pods, err := client.Containers(ctx, &f.selection, namespace, 0)
		if err != nil {
			return nil, nil, err
		}
		for _, p := range pods {
			workload[p.Pod.Workload] = true
			if value := p.Pod.Labels[instanceLabel]; value != "" {
				instance[value] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(instance)), slices.Sorted(maps.Keys(workload)), nil
}

// readChoice reads a line of numbers, separated by spaces or commas.
func readChoice(in io.Reader, offered []string) ([]string, error) {
	line, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return nil, errors.New("nobody answers on stdin")
	}
	numbers := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" ,\t\r\n", r) })
	if len(numbers) == 0 {
		return offered, nil
	}
	var chosen []string
	for _, text := range numbers {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > len(offered) {
			return nil, fmt.Errorf("%q is none of the numbers 1 to %d", text, len(offered))
		}
		if name := offered[n-1]; !slices.Contains(chosen, name) {
			chosen = append(chosen, name)
		}
	}
	return chosen, nil
}
