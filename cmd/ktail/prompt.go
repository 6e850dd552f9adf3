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

// instanceLabel names the installation of an application that a pod belongs to.
// Stern's prompt offers its values.
const instanceLabel = "app.kubernetes.io/instance"

// promptSelection lists the matches of the selection and returns the selection
// to which the user narrows it: by instance if pods have that label, or else by
// workload.
func promptSelection(ctx context.Context, client *kube.Client, all kube.Selection, s streams) (kube.Selection, error) {
	instances, workloads, err := choices(ctx, client, &all)
	if err != nil {
		return all, err
	}
	offered := instances
	if len(offered) == 0 {
		offered = workloads
	}
	if len(offered) == 0 {
		return all, errors.New("--prompt: no pods match: check the query and --namespace")
	}
	for i, name := range offered {
		fmt.Fprintf(s.ErrOut, "%3d  %s\n", i+1, sanitize(name)) //nolint:errcheck // the answer shows whether the list was printed
	}
	fmt.Fprint(s.ErrOut, "ktail: numbers to tail, separated by commas (empty: all): ") //nolint:errcheck // as above
	chosen, err := readChoice(s.In, offered)
	if err != nil {
		fmt.Fprintln(s.ErrOut) //nolint:errcheck // as above
		return all, fmt.Errorf("--prompt: %w", err)
	}
	switch {
	case len(chosen) == len(offered):
	case len(instances) > 0:
		requirement := instanceLabel + " in (" + strings.Join(chosen, ",") + ")"
		if l := all.LabelSelector; l != "" {
			requirement = l + "," + requirement
		}
		all.LabelSelector = requirement
	default:
		all.Pods = nil
		for _, name := range chosen {
			all.Pods = append(all.Pods, regexp.MustCompile("^"+regexp.QuoteMeta(name)+"(-|$)"))
		}
	}
	return all, nil
}

// choices returns the instances and the workloads of the selected pods.
func choices(ctx context.Context, client *kube.Client, selection *kube.Selection) (instances, workloads []string, err error) {
	namespaces := selection.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	instance, workload := map[string]bool{}, map[string]bool{}
	for _, namespace := range namespaces {
		pods, err := client.Containers(ctx, selection, namespace, 0)
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
		return nil, errors.New("no answer on standard input")
	}
	numbers := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" ,\t\r\n", r) })
	if len(numbers) == 0 {
		return offered, nil
	}
	var chosen []string
	for _, text := range numbers {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > len(offered) {
			return nil, fmt.Errorf("invalid answer %q: must be numbers from 1 to %d", text, len(offered))
		}
		if name := offered[n-1]; !slices.Contains(chosen, name) {
			chosen = append(chosen, name)
		}
	}
	return chosen, nil
}
