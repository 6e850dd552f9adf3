package elastic

import (
	"maps"
	"slices"
	"strings"
)

// object appends members to a JSON object. It omits empty members.
type object struct{ dst []byte }

func (o *object) comma() {
	if last := o.dst[len(o.dst)-1]; last != '{' && last != ',' {
		o.dst = append(o.dst, ',')
	}
}

func (o *object) open(name string) {
	o.comma()
	o.dst = append(appendQuoted(o.dst, name), ":{"...)
}

func (o *object) end() { o.dst = append(o.dst, '}') }

func (o *object) add(name, value string) {
	if value == "" {
		return
	}
	o.comma()
	o.dst = appendQuoted(append(appendQuoted(o.dst, name), ':'), value)
}

// nested adds an object with the names and values.
func (o *object) nested(name string, members ...string) {
	empty := true
	for i := 1; i < len(members); i += 2 {
		empty = empty && members[i] == ""
	}
	if empty {
		return
	}
	o.open(name)
	for i := 0; i < len(members); i += 2 {
		o.add(members[i], members[i+1])
	}
	o.end()
}

// labels adds the labels of the pod. Dots in keys become underscores: with dots, app
// and app.kubernetes.io/name could not both be fields, because a dot creates an object.
// If two keys become equal, more underscores are appended to one of them.
func (o *object) labels(labels map[string]string) {
	if len(labels) == 0 {
		return
	}
	o.open("labels")
	taken := make(map[string]bool, len(labels))
	for key := range labels {
		if !strings.Contains(key, ".") {
			taken[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		name := key
		if strings.Contains(key, ".") {
			for name = strings.ReplaceAll(key, ".", "_"); taken[name]; {
				name += "_"
			}
			taken[name] = true
		}
		o.comma()
		o.dst = appendQuoted(append(appendQuoted(o.dst, name), ':'), labels[key])
	}
	o.end()
}
