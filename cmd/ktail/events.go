package main

import (
	"errors"
	"strconv"

	"github.com/ktail/ktail/pkg/kube"
)

// eventsValue is the flag that selects Kubernetes events: important or all. It
// also accepts true and false.
type eventsValue struct{ read, all bool }

// String implements pflag.Value.
func (v *eventsValue) String() string {
	switch {
	case v.all:
		return "all"
	case v.read:
		return "important"
	}
	return ""
}

// Set implements pflag.Value.
func (v *eventsValue) Set(s string) error {
	switch s {
	case "all":
		*v = eventsValue{read: true, all: true}
		return nil
	case "important":
		*v = eventsValue{read: true}
		return nil
	}
	on, err := strconv.ParseBool(s)
	if err != nil && s != "" {
		return errors.New("must be important or all")
	}
	*v = eventsValue{read: on}
	return nil
}

// Type implements pflag.Value.
func (*eventsValue) Type() string { return "WHICH" }

// eventOptions returns which Kubernetes events to read.
func (p plan) eventOptions(m *messenger) kube.EventOptions {
	o := kube.EventOptions{
		Read: p.events.read, All: p.events.all, Since: p.period.begin(), Until: p.period.until, Shown: p.shownEvents,
		Missing: func(err error) { m.printf("warning: --events: %v", err) },
	}
	if p.log.Tail == 0 {
		o.Since = p.period.now // only new events
	}
	return o
}
