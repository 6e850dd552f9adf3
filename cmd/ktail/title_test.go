package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
)

// A link to a line is for colleagues: the title beside it is the command that shows the same
// lines, wherever its flags come from.
func TestTitle_SelectsTheSameLines(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(config, []byte("exclude: [health, it's]\npresets:\n  shop: {queries: 'web|api', selector: app!=x}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		`. -n shop`:            {"."},
		`deploy/web . -n shop`: {"deploy/web", ".", "--color=never", "--highlight=x"},
		`-n shop -l app=web -c '^app' --tail=5 -s 1h --previous --events=all -i 'a b' -i c`: {
			"-l", "app=web", "-c", "^app", "-i", "a b", "-i", "c", "--tail", "5", "--since", "1h", "--previous", "--events=all", "-n", "shop"},
		`'web|api' -n shop -l 'app!=x' --init-containers=false --no-follow -e health -e 'it'\''s'`: {
			"--config", config, "@shop", "--init-containers=false", "--no-follow"},
	} {
		if args[0] != "--config" {
			args = append([]string{"--config", os.DevNull}, args...)
		}
		var o options
		fs := pflag.NewFlagSet("ktail", pflag.ContinueOnError)
		fs.SortFlags = false
		o.addFlags(fs)
		if err := fs.Parse(args); err != nil {
			t.Fatal(err)
		}
		queries, err := o.configure(fs, fs.Args(), func(string) (string, bool) { return "", false })
		if err != nil {
			t.Fatal(err)
		}
		p := plan{options: o, queries: queries}
		p.selection.Namespaces = []string{"shop"}
		if got := p.title(); got != want {
			t.Errorf("%q has the title\n%s, want\n%s", args, got, want)
		}
	}
}
