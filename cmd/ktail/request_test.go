//go:build unix

package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ktail/ktail/internal/fakeapi"
)

// observe records each request, and returns the fault that applies to it, if
// any.
func (w *world) observe(r *http.Request) *fakeapi.Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.requests = append(w.requests, r.URL.RequestURI())
	if w.asked != nil {
		close(w.asked)
		w.asked = nil
	}
	for _, f := range w.faults {
		if fault := f.hit(r); fault != nil {
			return fault
		}
	}
	return nil
}

// find returns a request that matches, or a channel that is closed at the next
// request.
func (w *world) find(re *regexp.Regexp) (string, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, request := range w.requests {
		if re.MatchString(request) {
			return request, nil
		}
	}
	if w.asked == nil {
		w.asked = make(chan struct{})
	}
	return "", w.asked
}

// scriptFault makes requests fail.
type scriptFault struct {
	what  fakeapi.Request // empty fields match any value
	path  string          // path of the URL; empty matches any
	times int             // remaining number; negative: any number
	fault fakeapi.Fault
}

func (f *scriptFault) hit(r *http.Request) *fakeapi.Fault {
	got, want := fakeapi.Parse(r), f.what
	for _, pair := range [][2]string{
		{want.Verb, got.Verb},
		{want.Resource, got.Resource},
		{want.Subresource, got.Subresource},
		{want.Namespace, got.Namespace},
		{want.Name, got.Name},
		{want.Container, got.Container},
	} {
		if pair[0] != "" && pair[0] != pair[1] {
			return nil
		}
	}
	if f.times == 0 || f.path != "" && f.path != r.URL.Path || want.Subresource != got.Subresource {
		return nil
	}
	f.times--
	if f.fault.Status == http.StatusForbidden {
		return fakeapi.Forbid(r)
	}
	return &f.fault
}

// faultOf parses VERB RESOURCE[/SUBRESOURCE] and the K=V arguments, which
// select requests (namespace, name, container, path, times) and describe the
// fault (status, retry-after, delay, and prefix, which is text before the body
// in which \n is a newline).
func faultOf(args []string) (*scriptFault, error) {
	f := &scriptFault{times: -1}
	f.what.Verb = args[0]
	f.what.Resource, f.what.Subresource, _ = strings.Cut(args[1], "/")
	for _, arg := range args[2:] {
		key, value, _ := strings.Cut(arg, "=")
		var err error
		switch key {
		case "namespace":
			f.what.Namespace = value
		case "name":
			f.what.Name = value
		case "delay":
			f.fault.Delay, err = time.ParseDuration(value)
		case "path":
			f.path = value
		case "container":
			f.what.Container = value
		case "times":
			f.times, err = strconv.Atoi(value)
		case "status":
			f.fault.Status, err = strconv.Atoi(value)
		case "retry-after":
			f.fault.RetryAfter, err = time.ParseDuration(value)
		case "body":
			f.fault.Body = value
		case "type":
			f.fault.Type = value
		case "prefix":
			f.fault.Prefix = strings.ReplaceAll(value, `\n`, "\n")
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

// setFaults replaces the faults.
func (w *world) setFaults(faults ...*scriptFault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = faults
}

func cmdFault(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2 || len(args) == 1 && args[0] == "none", "fault none | VERB RESOURCE [K=V]...")
	w := worldOf(ts)
	var f *scriptFault
	if args[0] != "none" {
		var err error
		f, err = faultOf(args)
		ts.Check(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if f == nil {
		w.faults = nil
	} else {
		w.faults = append(w.faults, f)
	}
}

func cmdAsked(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, false, len(args) == 1, "[!] asked REGEXP")
	re, err := regexp.Compile(args[0])
	ts.Check(err)
	w := worldOf(ts)
	ctx, cancel := patiently()
	defer cancel()
	for {
		request, next := w.find(re)
		switch {
		case neg && next == nil:
			ts.Fatalf("unexpected request %s", request)
		case neg, next == nil:
			return
		}
		select {
		case <-next:
		case <-ctx.Done():
			ts.Fatalf("no request matches; the requests were:\n%s", strings.Join(w.requests, "\n"))
		}
	}
}
