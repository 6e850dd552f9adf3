package main

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestKibanaQuery_ExpressesWhatLuceneCan(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{".", "-A"}, ``},
		{[]string{"web", "-n", "shop"}, `kubernetes.namespace:"shop" AND kubernetes.pod.name:*web*`},
		{[]string{"^web-1$", "-n", "shop,bank"}, `(kubernetes.namespace:"bank" OR kubernetes.namespace:"shop") AND kubernetes.pod.name:"web-1"`},
		{[]string{"^web", "api", "-A"}, `(kubernetes.pod.name:web* OR kubernetes.pod.name:*api*)`},
		{[]string{"deploy/web", "cj/backup", "-A"}, `(kubernetes.deployment.name:"web" OR kubernetes.cronjob.name:"backup" OR kubernetes.job.name:backup-*)`},
		{[]string{"rs/web-5d4f", "-A"}, `(kubernetes.replicaset.name:"web-5d4f" OR kubernetes.pod.name:web-5d4f-*)`},
		{[]string{"rs/" + strings.Repeat("x", 70), "-A"},
			`(kubernetes.replicaset.name:"` + strings.Repeat("x", 70) + `" OR kubernetes.pod.name:` + strings.Repeat("x", 58) + `*)`},
		{[]string{"-l", "app=web,app.kubernetes.io/part-of in (b,a),!x", "-A"},
			`kubernetes.labels.app:"web" AND (kubernetes.labels.app_kubernetes_io\/part-of:"a" OR kubernetes.labels.app_kubernetes_io\/part-of:"b")`},
		{[]string{`web-\d+`, "api", "-A", "-c", "nginx"}, `kubernetes.container.name:*nginx*`}, // the link may show more, never less
		{[]string{"svc/web", "-A"}, ``},
	} {
		var o options
		fs := pflag.NewFlagSet("ktail", pflag.ContinueOnError)
		o.addFlags(fs)
		if err := fs.Parse(tt.args); err != nil {
			t.Fatal(err)
		}
		p, err := offlinePlan(o, fs.Args())
		if err != nil {
			t.Fatal(err)
		}
		p.selection.Namespaces = o.inContext("default")
		if got := kibanaQuery(p.selection); got != tt.want {
			t.Errorf("%q:\ngot  %s\nwant %s", tt.args, got, tt.want)
		}
	}
}
