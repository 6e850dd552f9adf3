package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/kube"
)

// selectFlags select the logs to read. Names, shorthands, defaults, and
// meanings are those of stern.
type selectFlags struct {
	base                kube.Selection // set by flags alone; see selectionOf
	namespaces          listValue
	allNamespaces       bool
	node                string
	initContainers      bool
	ephemeralContainers bool
	prompt              bool
}

func (f *selectFlags) addFlags(fs *pflag.FlagSet) {
	s := &f.base
	fs.BoolVarP(&f.allNamespaces, "all-namespaces", "A", false,
		"Search all namespaces. Overrides --namespace")
	f.namespaces.valueName = "NAMESPACE"
	fs.VarP(&f.namespaces, "namespace", "n",
		"Search these namespaces, separated by commas. Can be repeated (default: the namespace of the context)")
	fs.StringVarP(&s.LabelSelector, "selector", "l", "",
		"Only tail pods with these labels, such as app=web. The syntax is that of kubectl. Makes the query optional `SELECTOR`")
	fs.StringVar(&s.FieldSelector, "field-selector", "",
		"Only tail pods with these fields, such as status.phase=Running. The syntax is that of kubectl. Makes the query optional `SELECTOR`")
	fs.StringVar(&f.node, "node", "",
		"Only tail pods on this node. Makes the query optional `NODE`")
	fs.Var((*regexpsValue)(&s.ExcludePods), "exclude-pod",
		"Exclude pods whose name matches (can be repeated)")
	fs.VarP(&regexpValue{&s.Containers}, "container", "c",
		"Only tail containers whose name matches")
	fs.VarP((*regexpsValue)(&s.ExcludeContainers), "exclude-container", "E",
		"Exclude containers whose name matches (can be repeated)")
	fs.Var(&statesValue{set: &s.States}, "container-state",
		"Only tail containers that are in this state at the start. One of "+strings.Join(kube.StateNames(), ", ")+
			"; separate several with commas or repeat the flag")
	fs.BoolVar(&f.initContainers, "init-containers", true,
		"Include init containers")
	fs.BoolVar(&f.ephemeralContainers, "ephemeral-containers", true,
		"Include ephemeral containers")
	fs.Var(&conditionValue{&s.Condition}, "condition",
		"Only tail pods with this condition, such as ready or ready=false. "+
			"The form is NAME or NAME=true|false|unknown, in upper or lower case. Requires --no-follow or --tail=0")
	fs.BoolVarP(&f.prompt, "prompt", "p", false,
		"Choose interactively which matches to tail")
}

// selectionOf returns the selection that the flags and the queries describe.
// Its namespaces are those of the flags.
func (f selectFlags) selectionOf(queries []string) (kube.Selection, error) {
	s := f.base
	s.Namespaces = f.namespaces.values
	s.NoInitContainers, s.NoEphemeralContainers = !f.initContainers, !f.ephemeralContainers
	s.LabelSelector = strings.TrimSpace(s.LabelSelector)
	fields := []string{}
	if node := strings.TrimSpace(f.node); node != "" {
		fields = append(fields, "spec.nodeName="+node)
	}
	if selector := strings.TrimSpace(s.FieldSelector); selector != "" {
		fields = append(fields, selector)
	}
	s.FieldSelector = strings.Join(fields, ",")
	for _, query := range withoutBlanks(queries) {
		if err := addQuery(&s, query); err != nil {
			return s, err
		}
	}
	switch {
	case len(s.Owners) > 0 && s.LabelSelector != "":
		return s, fmt.Errorf("--selector cannot be combined with the query %s, which selects pods by its own labels", s.Owners[0])
	case len(s.Owners) > 0 && f.prompt:
		return s, fmt.Errorf("--prompt cannot be combined with the query %s", s.Owners[0])
	case len(queries) == 0 && s.LabelSelector == "" && s.FieldSelector == "" && !f.prompt:
		return s, errors.New("no pods selected: give a regular expression, KIND/NAME (such as deploy/web), or --selector; use . for all pods")
	}
	return s, nil
}

// withoutBlanks drops blank queries if there are others. A blank query matches
// every pod, and `ktail web "$UNSET"` must not select more than web. A blank
// query alone selects all pods, as in stern.
func withoutBlanks(queries []string) []string {
	isBlank := func(query string) bool { return strings.TrimSpace(query) == "" }
	kept := slices.DeleteFunc(slices.Clone(queries), isBlank)
	if len(kept) == 0 && len(queries) > 0 {
		return []string{""}
	}
	return kept
}

// addQuery adds an argument to the selection: a regular expression or KIND/NAME.
func addQuery(s *kube.Selection, query string) error {
	kind, name, isOwner := strings.Cut(query, "/")
	if !isOwner {
		re, err := regexp.Compile(query)
		if err != nil {
			return fmt.Errorf("invalid query %q: %w", query, err)
		}
		s.Pods = append(s.Pods, re)
		return nil
	}
	if kind == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("invalid query %q: must be KIND/NAME, such as deploy/web, or a regular expression without a slash", query)
	}
	s.Owners = append(s.Owners, kube.Owner{Kind: kind, Name: name})
	return nil
}

// inContext returns the namespaces to search, in order and without duplicates.
// namespace is the namespace of the context; nil means all namespaces.
func (f selectFlags) inContext(namespace string) []string {
	switch {
	case f.allNamespaces:
		return nil
	case len(f.namespaces.values) == 0:
		return []string{namespace}
	default:
		return slices.Compact(slices.Sorted(slices.Values(f.namespaces.values)))
	}
}

// statesValue is the flag for kube.States. The first value replaces the
// default.
type statesValue struct {
	set   *kube.States
	names []string
}

// String implements pflag.Value.
func (v *statesValue) String() string {
	if len(v.names) == 0 {
		return "all"
	}
	return strings.Join(v.names, ",")
}

// Set implements pflag.Value. It adds states.
func (v *statesValue) Set(s string) error {
	names, err := splitList(s)
	if err != nil {
		return err
	}
	return v.Replace(slices.Concat(v.names, names))
}

// Type implements pflag.Value.
func (*statesValue) Type() string { return "STATE" }

// Append implements pflag.SliceValue.
func (v *statesValue) Append(s string) error { return v.Set(s) }

// Replace implements pflag.SliceValue.
func (v *statesValue) Replace(names []string) error {
	names = trimmed(names)
	set, err := kube.ParseStates(names)
	if err == nil {
		*v.set, v.names = set, names
	}
	return err
}

// GetSlice implements pflag.SliceValue.
func (v *statesValue) GetSlice() []string { return v.names }

// conditionValue is the flag for a kube.Condition.
type conditionValue struct{ condition **kube.Condition }

// String implements pflag.Value.
func (v *conditionValue) String() string {
	if v.condition == nil || *v.condition == nil {
		return ""
	}
	c := *v.condition
	return strings.ToLower(string(c.Type) + "=" + string(c.Status))
}

// Set implements pflag.Value.
func (v *conditionValue) Set(s string) (err error) {
	*v.condition, err = kube.ParseCondition(s)
	return err
}

// Type implements pflag.Value.
func (*conditionValue) Type() string { return "CONDITION" }
