package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/ktail"
)

// parse parses a command line as the command does.
func parse(t *testing.T, args ...string) (options, []string) {
	t.Helper()
	var o options
	fs := pflag.NewFlagSet("ktail", pflag.ContinueOnError)
	o.addFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return o, fs.Args()
}

func TestOfflinePlan_ChecksFlagsAndQueries(t *testing.T) {
	tests := []struct {
		name    string
		args    []string
		queries []string // nil: no queries
		wantErr string   // part of the error; empty: no error
	}{
		{name: "one query", args: []string{"web"}, queries: []string{"web"}},
		{name: "several", args: []string{"^web-\\d", "api"}, queries: []string{"^web-\\d", "api"}},
		{name: "a selector alone", args: []string{"-l", "app=web"}},
		{name: "a selector and a query", args: []string{"-l", "app=web", "x"}, queries: []string{"x"}},
		{name: "neither", wantErr: "--selector"},
		{name: "neither, but a namespace", args: []string{"-n", "shop"}, wantErr: "--selector"},
		{name: "an empty query selects any pod", args: []string{""}, queries: []string{""}},
		{name: "bad query", args: []string{"good", "b(d"}, wantErr: `invalid query "b(d": `},
		{name: "kind and name", args: []string{"deploy/web"}},
		{name: "kind and name and a selector", args: []string{"deploy/web", "-l", "app=web"}, wantErr: "--selector"},
		{name: "kind without a name", args: []string{"deploy/"}, wantErr: `invalid query "deploy/": `},
		{name: "name without a kind", args: []string{"/web"}, wantErr: `invalid query "/web": `},
		{name: "too many slashes", args: []string{"a/b/c"}, wantErr: `invalid query "a/b/c": `},
		{name: "fields alone", args: []string{"--field-selector", "spec.nodeName=x"}},
		{name: "a node alone", args: []string{"--node", "x"}},
		{name: "a condition while following", args: []string{"web", "--condition", "ready"}, wantErr: "--condition"},
		{name: "a condition without past lines", args: []string{"web", "--condition", "ready", "--tail=0"}, queries: []string{"web"}},
		{name: "a condition without following", args: []string{"web", "--condition", "ready", "--no-follow"}, queries: []string{"web"}},
		{name: "nothing to show", args: []string{"web", "--no-follow", "--tail=0"}, wantErr: "--tail"},
		{name: "only new lines", args: []string{"web", "--tail=0"}, queries: []string{"web"}},
		{name: "limit", args: []string{"web", "--max-log-requests=1"}, queries: []string{"web"}},
		{name: "no limit", args: []string{"web", "--max-log-requests=-1"}, queries: []string{"web"}},
		{name: "limit of zero", args: []string{"web", "--max-log-requests=0"}, wantErr: "invalid --max-log-requests 0"},
		{name: "limit below -1", args: []string{"web", "--max-log-requests=-2"}, wantErr: "invalid --max-log-requests -2"},
		{name: "a state that is not resumed", args: []string{"web", "--metrics-file", "-", "--metrics-state", "d"}, wantErr: "--metrics-state requires --resume"},
		{name: "nodes and log files", args: []string{"node/x", "--pod-logs-dir", "d"}, wantErr: "--pod-logs-dir"},
		{name: "nodes, pods, and log files", args: []string{"web", "node/x", "--pod-logs-dir", "d"}, wantErr: "--pod-logs-dir"},
		{name: "nodes, pods, and history", args: []string{"web", "node/x", "--history", "http://localhost:9200"}, wantErr: "--history"},
		{name: "any age", args: []string{"web", "--since=0"}, queries: []string{"web"}},
		{name: "no merging", args: []string{"web", "--merge-window=0"}, queries: []string{"web"}},
		{name: "an impossible window", args: []string{"web", "--merge-window=-1s"}, wantErr: "invalid --merge-window -1s"},
		{name: "since tomorrow", args: []string{"web", "--since=+24h"}, wantErr: "invalid --since +24h: must not be in the future (2"},
		{name: "kubectl's time in the future", args: []string{"web", "--since-time=2100-01-31T10:00:00Z"}, wantErr: "invalid --since-time 2100"},
		{name: "until before since", args: []string{"web", "--since=5m", "--until=10m"}, wantErr: "invalid --until 10m: must be later than --since 5m"},
		{name: "until with saved positions", args: []string{"web", "--until=5m", "--elasticsearch", "http://x", "--resume"}, wantErr: "--until cannot be combined with --resume"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, queries := parse(t, tt.args...)
			p, err := offlinePlan(o, queries)
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
			for _, re := range p.selection.Pods {
				got = append(got, re.String())
			}
			if !slices.Equal(got, tt.queries) {
				t.Errorf("queries are %q, want %q", got, tt.queries)
			}
		})
	}
}

func TestOfflinePlan_Defaults(t *testing.T) {
	o, queries := parse(t, "web")
	p, err := offlinePlan(o, queries)
	if err != nil {
		t.Fatal(err)
	}
	if !p.log.Follow || p.log.Tail != -1 || p.log.Since != 48*time.Hour {
		t.Errorf("log options are %+v, want to follow all lines of two days", p.log)
	}
	if p.selection.Containers != nil || p.selection.LabelSelector != "" {
		t.Errorf("selection is %+v, want all containers of all pods", p.selection)
	}
	if p.mergeWindow <= 0 {
		t.Errorf("merge window is %s, want a short one", p.mergeWindow)
	}
	if p.maxLogRequests != noLimit {
		t.Errorf("limit is %d, want none", p.maxLogRequests)
	}
}

func TestOfflinePlan_NoFollowWaitsForAllStreams(t *testing.T) {
	o, queries := parse(t, "web", "--no-follow")
	p, err := offlinePlan(o, queries)
	if err != nil {
		t.Fatal(err)
	}
	if p.log.Follow {
		t.Error("logs are followed")
	}
	if p.mergeWindow >= 0 {
		t.Errorf("merge window is %s, want no limit", p.mergeWindow)
	}
}

// A plan is computed from the options and does not change them.
func TestOfflinePlan_LeavesOptionsUnchanged(t *testing.T) {
	o, queries := parse(t, "web", "api", "deploy/x", "--no-follow", "--node", "n", "--field-selector", "a=b", "-i", "x", "-i", "", "-n", "b,a", "--pod-colors", "91")
	before := fmt.Sprintf("%+v", o)
	for range 2 {
		p, err := offlinePlan(o, queries)
		if err != nil {
			t.Fatal(err)
		}
		if len(p.selection.Pods) != 2 || len(p.selection.Owners) != 1 || p.selection.FieldSelector != "spec.nodeName=n,a=b" {
			t.Errorf("selection is %+v", p.selection)
		}
		o.inContext("here")
	}
	if after := fmt.Sprintf("%+v", o); after != before {
		t.Errorf("options were\n%s\nand are\n%s", before, after)
	}
}

func TestSelectFlags_NamespacesOverrideTheContext(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want []string // nil: all namespaces
	}{
		{"the context's", nil, []string{"here"}},
		{"another", []string{"-n", "there"}, []string{"there"}},
		{"the context's by name", []string{"-n", "here"}, []string{"here"}},
		{"by commas", []string{"-n", "b,a"}, []string{"a", "b"}},
		{"by repeating", []string{"-n", "a", "--namespace", "b"}, []string{"a", "b"}},
		{"one twice", []string{"-n", "a,a"}, []string{"a"}},
		{"all", []string{"-A"}, nil},
		{"-A takes precedence", []string{"-A", "-n", "a"}, nil},
		{"trailing comma", []string{"-n", "a,"}, []string{"a"}},
		{"leading comma", []string{"-n", ",a"}, []string{"a"}},
		{"empty value in the middle", []string{"-n", "a,,b"}, []string{"a", "b"}},
		{"blank value", []string{"-n", "a, "}, []string{"a"}},
		{"blanks around values", []string{"-n", " a, b "}, []string{"a", "b"}},
		{"empty", []string{"-n", ""}, []string{"here"}},
		{"blank", []string{"-n", " "}, []string{"here"}},
		{"empty and another", []string{"-n", "", "-n", "a"}, []string{"a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, _ := parse(t, tt.args...)
			if got := o.inContext("here"); !slices.Equal(got, tt.want) {
				t.Errorf("namespaces are %q, want %q", got, tt.want)
			}
		})
	}
}

// Blank values come from unset variables. They must never select more.
func TestLists_BlankValuesNeverSelectMore(t *testing.T) {
	pods := func(p *plan) string {
		var all []string
		for _, re := range p.selection.Pods {
			all = append(all, re.String())
		}
		return strings.Join(all, " ")
	}
	show := func(p *plan) string {
		return fmt.Sprintf("namespaces %q pods %q states %v labels %q fields %q colors %q nodes %v", p.inContext("here"), pods(p), p.selection.States,
			p.selection.LabelSelector, p.selection.FieldSelector, p.podColors.values, p.elastic.nodes)
	}
	for _, tt := range []struct{ with, without string }{
		{"web -n a,", "web -n a"},
		{"web -n a -n ␠", "web -n a"},
		{"web ␀", "web"},
		{"web ␠ api", "web api"},
		{"web --container-state running,", "web --container-state running"},
		{"web --container-state ␠running,␠waiting", "web --container-state running,waiting"},
		{"-l app=web␠", "-l app=web"},
		{"web --node ␠", "web"},
		{"--node ␠n --field-selector ␠", "--node n"},
		{"web --pod-colors 91,,92,", "web --pod-colors 91,92"},
		{"web --elasticsearch http://a:1,␠http://b:1,", "web --elasticsearch http://a:1,http://b:1"},
	} {
		var got [2]string
		for i, line := range []string{tt.with, tt.without} {
			args := strings.Fields(line)
			for i := range args {
				args[i] = strings.NewReplacer("␠", " ", "␀", "").Replace(args[i])
			}
			o, queries := parse(t, args...)
			p, err := offlinePlan(o, queries)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			got[i] = show(&p)
		}
		if got[0] != got[1] {
			t.Errorf("%s selects\n%s\nand %s\n%s", tt.with, got[0], tt.without, got[1])
		}
	}
	for _, args := range [][]string{{"-l", " "}, {"--node", " "}, {"--field-selector", " "}, {}} {
		o, queries := parse(t, args...)
		if _, err := offlinePlan(o, queries); err == nil {
			t.Errorf("%q selects pods, want an error", args)
		}
	}
	for _, flag := range []string{"namespace", "container-state", "pod-colors", "container-colors", "elasticsearch"} {
		for _, list := range []string{",", " , ", ",,,"} {
			if err := documented().Flags().Set(flag, list); err == nil {
				t.Errorf("--%s %q is accepted, want an error", flag, list)
			}
		}
	}
}

func TestInclude_EmptyExpressionNeverSelectsMore(t *testing.T) {
	o, _ := parse(t, "web", "-i", "error", "-i", "")
	filters := o.filters()
	if len(filters) != 1 || filters[0](&ktail.Line{Text: []byte("fine")}) || !filters[0](&ktail.Line{Text: []byte("an error")}) {
		t.Error("-i error with an empty -i does not select the same lines as -i error")
	}
}

// Kubectl's connection flags work, and none of them conflicts with ktail's
// flags.
func TestConnectionFlags_WorkAsInKubectl(t *testing.T) {
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
		t.Errorf("the extra attributes of the user are %q", got)
	}
	if got := o.overrides.ClusterInfo; !got.InsecureSkipTLSVerify || got.Server != "https://example" {
		t.Errorf("cluster overrides are %+v", got)
	}
	if o.since.text != "5m" {
		t.Errorf("-s is not --since")
	}
}

// Logs that were not read before the time of --until, for example because of
// --max-log-requests, start then where they would have started at first.
func TestUntil_UnreadLogsKeepTheirStart(t *testing.T) {
	for _, args := range [][]string{
		{"web", "--since", "5m", "--until", "+8h"},
		{"web", "--since", "0", "--until", "+8h"},
	} {
		o, queries := parse(t, args...)
		p, err := offlinePlan(o, queries)
		if err != nil {
			t.Fatal(err)
		}
		want := p.log.Since
		if want > 0 {
			want += 8 * time.Hour
		}
		if got := p.afterUntil(p.period.now.Add(8 * time.Hour)).log.Since; got != want {
			t.Errorf("%v: lines not older than %v, want %v", args, got, want)
		}
	}
}
