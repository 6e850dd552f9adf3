package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// parse reads a command line as the command does.
func parse(t *testing.T, args ...string) (*options, []string) {
	t.Helper()
	var o options
	fs := pflag.NewFlagSet("ktail", pflag.ContinueOnError)
	o.addFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return &o, fs.Args()
}

func TestComplete(t *testing.T) {
	tests := []struct {
		name    string
		args    []string
		queries []string // nil: none
		wantErr string   // what the error holds; empty: there is none
	}{
		{name: "one query", args: []string{"web"}, queries: []string{"web"}},
		{name: "several", args: []string{"^web-\\d", "api"}, queries: []string{"^web-\\d", "api"}},
		{name: "a selector alone", args: []string{"-l", "app=web"}},
		{name: "a selector and a query", args: []string{"-l", "app=web", "x"}, queries: []string{"x"}},
		{name: "neither", wantErr: "--selector"},
		{name: "neither, but a field of it", args: []string{"-n", "shop"}, wantErr: "--selector"},
		{name: "an empty query is any pod", args: []string{""}, queries: []string{""}},
		{name: "bad query", args: []string{"good", "b(d"}, wantErr: `query "b(d": `},
		{name: "kind and name", args: []string{"deploy/web"}},
		{name: "kind and name and a selector", args: []string{"deploy/web", "-l", "app=web"}, wantErr: "--selector"},
		{name: "kind without a name", args: []string{"deploy/"}, wantErr: `query "deploy/": `},
		{name: "name without a kind", args: []string{"/web"}, wantErr: `query "/web": `},
		{name: "too many slashes", args: []string{"a/b/c"}, wantErr: `query "a/b/c": `},
		{name: "fields alone", args: []string{"--field-selector", "spec.nodeName=x"}},
		{name: "a node alone", args: []string{"--node", "x"}},
		{name: "a condition while following", args: []string{"web", "--condition", "ready"}, wantErr: "--condition"},
		{name: "a condition from now on", args: []string{"web", "--condition", "ready", "--tail=0"}, queries: []string{"web"}},
		{name: "a condition now", args: []string{"web", "--condition", "ready", "--no-follow"}, queries: []string{"web"}},
		{name: "nothing to show", args: []string{"web", "--no-follow", "--tail=0"}, wantErr: "--tail"},
		{name: "only what is to come", args: []string{"web", "--tail=0"}, queries: []string{"web"}},
		{name: "limit", args: []string{"web", "--max-log-requests=1"}, queries: []string{"web"}},
		{name: "no limit", args: []string{"web", "--max-log-requests=-1"}, queries: []string{"web"}},
		{name: "limit of none", args: []string{"web", "--max-log-requests=0"}, wantErr: "--max-log-requests is 0"},
		{name: "limit below none", args: []string{"web", "--max-log-requests=-2"}, wantErr: "--max-log-requests is -2"},
		{name: "any age", args: []string{"web", "--since=0"}, queries: []string{"web"}},
		{name: "no merging", args: []string{"web", "--merge-window=0"}, queries: []string{"web"}},
		{name: "an impossible window", args: []string{"web", "--merge-window=-1s"}, wantErr: "--merge-window is -1s"},
		{name: "in the future", args: []string{"web", "--since=-1s"}, wantErr: "--since is -1s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, queries := parse(t, tt.args...)
			err := o.complete(queries)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error is %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, re := range o.selection.Pods {
				got = append(got, re.String())
			}
			if !slices.Equal(got, tt.queries) {
				t.Errorf("queries are %q, want %q", got, tt.queries)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	o, queries := parse(t, "web")
	if err := o.complete(queries); err != nil {
		t.Fatal(err)
	}
	if !o.log.Follow || o.log.Tail != -1 || o.log.Since != 48*time.Hour {
		t.Errorf("log options are %+v, want all lines of two days, followed", o.log)
	}
	if o.selection.Containers != nil || o.selection.LabelSelector != "" {
		t.Errorf("selection is %+v, want all containers of all pods", o.selection)
	}
	if o.mergeWindow <= 0 {
		t.Errorf("merge window is %s, want a short one", o.mergeWindow)
	}
	if o.maxLogRequests != noLimit {
		t.Errorf("limit is %d, want none", o.maxLogRequests)
	}
}

func TestNoFollow(t *testing.T) {
	o, queries := parse(t, "web", "--no-follow")
	if err := o.complete(queries); err != nil {
		t.Fatal(err)
	}
	if o.log.Follow {
		t.Error("logs are followed")
	}
	if o.mergeWindow >= 0 {
		t.Errorf("merge window is %s, want as long as it takes", o.mergeWindow)
	}
}

func TestNamespaces(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string // nil: all
		show bool
	}{
		{"the context's", nil, []string{"here"}, false},
		{"another", []string{"-n", "there"}, []string{"there"}, false},
		{"the context's by name", []string{"-n", "here"}, []string{"here"}, false},
		{"by commas", []string{"-n", "b,a"}, []string{"a", "b"}, true},
		{"by repeating", []string{"-n", "a", "--namespace", "b"}, []string{"a", "b"}, true},
		{"one twice", []string{"-n", "a,a"}, []string{"a"}, false},
		{"all", []string{"-A"}, nil, true},
		{"all beats some", []string{"-A", "-n", "a"}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, _ := parse(t, tt.args...)
			o.namespaces("here")
			if !slices.Equal(o.selection.Namespaces, tt.want) {
				t.Errorf("namespaces are %q, want %q", o.selection.Namespaces, tt.want)
			}
			if got := o.showNamespace(); got != tt.show {
				t.Errorf("showNamespace is %t, want %t", got, tt.show)
			}
		})
	}
}

// Kubectl's connection flags work, and none of them is in the way of ours.
func TestConnectionFlags(t *testing.T) {
	o, _ := parse(t, "--context=prod", "--kubeconfig=/some/file", "--cluster=c", "--user=u", "--as=somebody", "--as-user-extra=a=1", "--as-user-extra=a=2=3",
		"--insecure-skip-tls-verify", "--server=https://example", "--token=secret", "-s", "5m", "-n", "shop")
	if got := o.overrides.CurrentContext; got != "prod" {
		t.Errorf("context is %q", got)
	}
	if got := o.loading.ExplicitPath; got != "/some/file" {
		t.Errorf("kubeconfig is %q", got)
	}
	if got := o.overrides.Context; got.Cluster != "c" || got.AuthInfo != "u" || got.Namespace != "" {
		t.Errorf("context overrides are %+v", got)
	}
	if got := o.overrides.AuthInfo; got.Impersonate != "somebody" || got.Token != "secret" {
		t.Errorf("user overrides are %+v", got)
	}
	if got := o.overrides.AuthInfo.ImpersonateUserExtra["a"]; !slices.Equal(got, []string{"1", "2=3"}) {
		t.Errorf("what else is known of the user is %q", got)
	}
	if got := o.overrides.ClusterInfo; !got.InsecureSkipTLSVerify || got.Server != "https://example" {
		t.Errorf("cluster overrides are %+v", got)
	}
	if o.log.Since != 5*time.Minute {
		t.Errorf("-s is not --since")
	}
}
