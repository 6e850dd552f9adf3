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

// selectFlags say which logs are read. Names, shorthands, defaults and meanings
// are stern's.
type selectFlags struct {
	selection           kube.Selection
	allNamespaces       bool
	node                string
	initContainers      bool
	ephemeralContainers bool
	prompt              bool
}

func (f *selectFlags) addFlags(fs *pflag.FlagSet) {
	s := &f.selection
	fs.BoolVarP(&f.allNamespaces, "all-namespaces", "A", false,
		"Pods of all namespaces; --namespace is ignored.")
	fs.StringSliceVarP(&s.Namespaces, "namespace", "n", nil,
		"Namespaces to search, separated by commas. The flag may be repeated. Default: the context's.")
	fs.StringVarP(&s.LabelSelector, "selector", "l", "",
		"Label selector, as kubectl's. With it the query may be left out.")
	fs.StringVar(&s.FieldSelector, "field-selector", "",
		"Field selector, as kubectl's. With it the query may be left out.")
	fs.StringVar(&f.node, "node", "",
		"Only pods of this node. With it the query may be left out.")
	fs.Var((*regexpsValue)(&s.ExcludePods), "exclude-pod",
		"No pods whose name matches this. May be repeated.")
	fs.VarP(&regexpValue{&s.Containers}, "container", "c",
		"Only containers whose name matches this.")
	fs.VarP((*regexpsValue)(&s.ExcludeContainers), "exclude-container", "E",
		"No containers whose name matches this. May be repeated.")
	fs.Var(&statesValue{set: &s.States}, "container-state",
		"Only containers in this state at the start: "+strings.Join(kube.StateNames(), ", ")+
			". Several are separated by commas, or the flag is repeated.")
	fs.BoolVar(&f.initContainers, "init-containers", true,
		"Init containers, too.")
	fs.BoolVar(&f.ephemeralContainers, "ephemeral-containers", true,
		"Ephemeral containers, too.")
	fs.Var(&conditionValue{&s.Condition}, "condition",
		"Only pods in this condition, like ready or ready=false. It is NAME or NAME=true|false|unknown, in any case. Needs --no-follow or --tail=0.")
	fs.BoolVarP(&f.prompt, "prompt", "p", false,
		"Ask which of the matches are wanted.")
}

// complete checks what these flags and the queries say together.
func (f *selectFlags) complete(queries []string) error {
	s := &f.selection
	for _, query := range queries {
		if err := f.addQuery(query); err != nil {
			return err
		}
	}
	switch {
	case len(s.Owners) > 0 && s.LabelSelector != "":
		return fmt.Errorf("--selector and the query %s cannot be used together: what belongs to it is selected by its own labels", s.Owners[0])
	case len(s.Owners) > 0 && f.prompt:
		return fmt.Errorf("--prompt does not go with the query %s, which is a choice already", s.Owners[0])
	case len(queries) == 0 && s.LabelSelector == "" && s.FieldSelector == "" && f.node == "" && !f.prompt:
		return errors.New("say which pods: give a regular expression on their names, kind/name as in deploy/web, or --selector; . is all pods")
	}
	if f.node != "" {
		fields := []string{"spec.nodeName=" + f.node}
		if s.FieldSelector != "" {
			fields = append(fields, s.FieldSelector)
		}
		s.FieldSelector = strings.Join(fields, ",")
	}
	s.NoInitContainers, s.NoEphemeralContainers = !f.initContainers, !f.ephemeralContainers
	return nil
}

// addQuery reads one argument: a regular expression, or kind/name.
func (f *selectFlags) addQuery(query string) error {
	kind, name, isOwner := strings.Cut(query, "/")
	if !isOwner {
		re, err := regexp.Compile(query)
		if err != nil {
			return fmt.Errorf("query %q: %w", query, err)
		}
		f.selection.Pods = append(f.selection.Pods, re)
		return nil
	}
	if kind == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("query %q: it is kind/name, as in deploy/web, or a regular expression on the names of pods, which have no slash", query)
	}
	f.selection.Owners = append(f.selection.Owners, kube.Owner{Kind: kind, Name: name})
	return nil
}

// namespaces settles which namespaces are searched, once the context's is known.
func (f *selectFlags) namespaces(ofContext string) {
	s := &f.selection
	switch {
	case f.allNamespaces:
		s.Namespaces = nil
	case len(s.Namespaces) == 0:
		s.Namespaces = []string{ofContext}
	default:
		slices.Sort(s.Namespaces)
		s.Namespaces = slices.Compact(s.Namespaces)
	}
}

// showNamespace reports whether lines come from more than one namespace.
func (f *selectFlags) showNamespace() bool { return len(f.selection.Namespaces) != 1 }

// statesValue is the flag of kube.States; the first value takes the place of the
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

// Set implements pflag.Value.
func (v *statesValue) Set(s string) error {
	return v.Replace(append(v.names, strings.Split(s, ",")...))
}

// Type implements pflag.Value.
func (*statesValue) Type() string { return "states" }

// Append implements pflag.SliceValue.
func (v *statesValue) Append(s string) error { return v.Set(s) }

// Replace implements pflag.SliceValue.
func (v *statesValue) Replace(names []string) error {
	set, err := kube.ParseStates(names)
	if err == nil {
		*v.set, v.names = set, slices.Clone(names)
	}
	return err
}

// GetSlice implements pflag.SliceValue.
func (v *statesValue) GetSlice() []string { return v.names }

// conditionValue is the flag of a kube.Condition.
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
func (*conditionValue) Type() string { return "condition" }
