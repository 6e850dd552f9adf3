package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// configured parses a command line with a config file and an environment, and
// returns the flags and the queries.
func configured(t *testing.T, file string, env map[string]string, args ...string) (*pflag.FlagSet, []string, error) {
	t.Helper()
	var o options
	fs := pflag.NewFlagSet("ktail", pflag.ContinueOnError)
	o.addFlags(fs)
	if file != "" {
		path := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"--config", path}, args...)
	}
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	queries, err := o.configure(fs, fs.Args(), func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	})
	return fs, queries, err
}

func TestPrecedence_SourcesOverrideEachOther(t *testing.T) {
	tests := []struct {
		name string
		file string
		env  map[string]string
		args string
		want string // flags that differ from their defaults, followed by queries
	}{
		{name: "nothing"},
		{name: "file", file: "tail: 1", want: "tail=1"},
		{name: "keys without values", file: "templates:\npresets:\ntail: 1", want: "tail=1"},
		{name: "no home", env: map[string]string{"HOME": os.DevNull}},
		{name: "environment", env: map[string]string{"KTAIL_TAIL": "2"}, want: "tail=2"},
		{name: "environment before file", file: "tail: 1", env: map[string]string{"KTAIL_TAIL": "2"}, want: "tail=2"},
		{name: "empty environment", file: "tail: 1", env: map[string]string{"KTAIL_TAIL": ""}, want: "tail=1"},
		{name: "flag before both", file: "tail: 1", env: map[string]string{"KTAIL_TAIL": "2"}, args: "--tail 3", want: "tail=3"},
		{name: "a default value on the command line takes precedence", file: "tail: 1", args: "--tail -1", want: "tail=-1"},
		{name: "lists replace those of lower precedence", file: "include: [a, b]", args: "-i c", want: "include=c"},
		{name: "comma in a regular expression", file: "exclude: 'a,b'", want: "exclude=a,b"},
		{name: "a text is split as on the command line", file: "namespace: a,b", want: "namespace=a,b"},
		{name: "the elements of a list are not split", file: "exclude: ['a,b', c]", want: "exclude=a,b c"},
		{name: "states", file: "container-state: [running, waiting]", want: "container-state=running,waiting"},
		{name: "states typed", file: "container-state: [running, waiting]", args: "--container-state terminated", want: "container-state=terminated"},
		{name: "switches", file: "no-follow: true\ninit-containers: false", want: "init-containers=false no-follow=true"},
		{name: "YAML's other booleans", file: "no-follow: yes\ninit-containers: OFF\nalign: No\nall-namespaces: on", want: "align=false all-namespaces=true init-containers=false no-follow=true"},
		{name: "booleans in the environment", env: map[string]string{"KTAIL_NO_FOLLOW": "yes"}, want: "no-follow=true"},
		{name: "timestamps with a boolean", file: "timestamps: yes", want: "timestamps=default"},
		{name: "days", file: "since: 7d", want: "since=7d"},
		{name: "blank values of a list", file: "namespace: [a, '', ' b ']", want: "namespace=a,b"},
		{name: "blank values in the environment", env: map[string]string{"KTAIL_NAMESPACE": "a, ,b,"}, want: "namespace=a,b"},
		{name: "--follow overrides no-follow in the file", file: "no-follow: true", args: "-f", want: "follow=true"},
		{name: "since typed, since-time below", file: "since-time: 2026-01-31T10:00:00Z", args: "-s 5m", want: "since=5m"},
		{name: "merge key", file: "presets:\n  a: &a {tail: 1, output: raw}\n  b: {<<: *a, tail: 2}", args: "@b", want: "output=raw tail=2"},
		{name: "timestamps on", file: "timestamps: true", want: "timestamps=default"},
		{name: "timestamps short", file: "timestamps: short", want: "timestamps=short"},
		{name: "numbers as stern writes them", file: "pod-colors: 91\nqps: 1e1\nsince: 0", want: "pod-colors=91 qps=10 since=0"},
		{name: "hidden flags", file: "as: somebody", want: "as=somebody"},
		{name: "excluded variables are ignored", env: map[string]string{"KTAIL_AS": "somebody", "KTAIL_TOKEN": "x", "KTAIL_CONFIG": "x"}},

		{name: "-A typed, namespace below", file: "namespace: a", args: "-A", want: "all-namespaces=true"},
		{name: "namespace typed, -A below", file: "all-namespaces: true", args: "-n a", want: "namespace=a"},
		{name: "template below", file: "template: x", args: "-o raw", want: "output=raw"},
		{name: "output below", file: "output: raw", env: map[string]string{"KTAIL_TEMPLATE_FILE": "x"}, want: "template-file=x"},
		{name: "both in one source", file: "output: raw\ntemplate: x", want: "output=raw template=x"},

		{name: "preset", file: presets, args: "x @shop y", want: "exclude=a,b namespace=shop tail=5 | x ^cart deploy/web y"},
		{name: "preset before the environment", file: presets, env: map[string]string{"KTAIL_TAIL": "2"}, args: "@shop", want: "exclude=a,b namespace=shop tail=5 | ^cart deploy/web"},
		{name: "command line before the preset", file: presets, args: "@shop --tail 6 -n b", want: "exclude=a,b namespace=b tail=6 | ^cart deploy/web"},
		{name: "expressions of a preset are added", file: presets, args: "@shop -e c", want: "exclude=c a,b namespace=shop tail=5 | ^cart deploy/web"},
		{name: "two presets", file: presets, args: "@shop @pay", want: "exclude=a,b d namespace=shop,pay,bank tail=5 | ^cart deploy/web pay"},
		{name: "two presets in the other order", file: presets, args: "@pay @shop", want: "exclude=d a,b namespace=pay,bank,shop tail=5 | pay ^cart deploy/web"},
		{name: "a preset twice", file: presets, args: "@pay @pay", want: "exclude=d namespace=pay,bank tail=5 | pay"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs, queries, err := configured(t, tt.file, tt.env, strings.Fields(tt.args)...)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			fs.VisitAll(func(f *pflag.Flag) {
				if f.Changed && f.Name != "config" {
					got = append(got, f.Name+"="+f.Value.String())
				}
			})
			slices.Sort(got)
			if len(queries) > 0 {
				got = append(append(got, "|"), queries...)
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

const presets = `
presets:
  shop:
    queries: [^cart, deploy/web]
    namespace: shop
    exclude: a,b
    tail: 5
  pay:
    queries: pay
    namespace: [pay, bank]
    exclude: [d]
    tail: 5
`

func TestConfig_ErrorsNameLineAndKey(t *testing.T) {
	tests := []struct{ name, file, args, want string }{
		{"unknown key", "a: 1", "", `line 1: unknown key "a"`},
		{"misspelled key", "max-log-request: 1", "", `line 1: unknown key "max-log-request"; did you mean max-log-requests?`},
		{"misspelled presets", "tail: 1\npresests: {}", "", `line 2: unknown key "presests"; did you mean presets?`},
		{"value", "\nsince: 5", "", `line 2: since: invalid value "5": must be a duration such as`},
		{"a boolean", "no-follow: maybe", "", `line 1: no-follow: invalid value "maybe": must be true or false`},
		{"a number", "tail: 10k", "", `line 1: tail: invalid value "10k": must be a number of lines such as 100, or -1 for all`},
		{"a list of blanks", "namespace: ','", "", `line 1: namespace: invalid value ",": the list has no values`},
		{"kubectl's flags", "follow: true", "", "line 1: follow: can only be set on the command line"},
		{"merge of a text", "presets:\n  a: {<<: x}", "", "line 2: <<: must be a mapping"},
		{"regular expression", "include: [a, (]", "", "line 1: include: error parsing regexp"},
		{"no value", "tail:", "", "line 1: tail: must have a value"},
		{"a mapping", "tail: {a: 1}", "", "line 1: tail: must be a single value, not a mapping"},
		{"a list", "tail: [1]", "", "line 1: tail: must be a single value, not a list"},
		{"an unknown format", "output: x\ntemplates: {y: z}", "", `line 1: output: invalid value "x": must be one of default, raw, json, extjson, ppextjson, y`},
		{"the config file itself", "config: x", "", "line 1: config: can only be set on the command line"},
		{"templates", "templates: x", "", "line 1: templates: "},
		{"a template", "templates:\n  x: [a]", "", "line 2: template x: must be a string"},
		{"a template named like a format", "templates:\n  raw: a", "", "line 2: template raw: is the name of a built-in format of --output"},
		{"presets", "presets: [a]", "", "line 1: presets: "},
		{"a preset that is a string", "presets:\n  a: b", "", "line 2: preset a: "},
		{"an empty preset", "presets:\n  a:", "", "line 2: preset a: "},
		{"a key of a preset", "presets:\n  a:\n    tial: 1", "", `line 3: preset a: unknown key "tial"; did you mean tail?`},
		{"queries", "presets:\n  a:\n    queries: {b: c}", "", "line 3: preset a: queries: "},
		{"a description", "presets:\n  a:\n    description: []", "", "line 3: preset a: description: "},
		{"a value of a preset", "presets:\n  a:\n    tail: x", "@a", `line 3: preset a: tail: invalid value "x"`},
		{"conflicting presets", "presets:\n  a: {tail: 1}\n  b: {tail: 2}", "@a @b", "presets @a and @b set --tail to different values: set it on the command line"},
		{"an unknown preset", "presets: {shop: {tail: 1}}", "@shpo", "unknown preset @shpo in "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := configured(t, tt.file, nil, strings.Fields(tt.args)...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error is %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestConfigPath_FollowsXDG(t *testing.T) {
	home, xdg := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "xdg")
	inHome := filepath.Join(home, ".config", "ktail", "config.yaml")
	tests := []struct {
		name, flag string
		env        map[string]string
		want       string
		explicit   bool
	}{
		{name: "home", env: map[string]string{"HOME": home}, want: inHome},
		{name: "home on Windows", env: map[string]string{"USERPROFILE": home}, want: inHome},
		{name: "XDG", env: map[string]string{"HOME": home, "XDG_CONFIG_HOME": xdg}, want: filepath.Join(xdg, "ktail", "config.yaml")},
		{name: "relative XDG directory", env: map[string]string{"HOME": home, "XDG_CONFIG_HOME": "x"}, want: inHome},
		{name: "environment", env: map[string]string{"HOME": home, "KTAILCONFIG": "x"}, want: "x", explicit: true},
		{name: "flag", flag: "y", env: map[string]string{"KTAILCONFIG": "x"}, want: "y", explicit: true},
		{name: "no home directory"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, explicit := configPath(tt.flag, func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok })
			if got != tt.want || explicit != tt.explicit {
				t.Errorf("got %q, set by the user: %t; want %q, %t", got, explicit, tt.want, tt.explicit)
			}
		})
	}
}

// The flag names in the code that sets flags from other sources exist.
func TestPrecedence_NamesOnlyExistingFlags(t *testing.T) {
	flags := newCommand(streams{Out: io.Discard, ErrOut: io.Discard, Env: os.LookupEnv}).Flags()
	for _, group := range exclusiveFlags {
		for _, name := range group {
			if flags.Lookup(name) == nil {
				t.Errorf("flag --%s does not exist", name)
			}
		}
	}
	for _, key := range []string{keyTemplates, keyPresets, keyQueries, keyDescription} {
		if flags.Lookup(key) != nil {
			t.Errorf("--%s is also a different key of the config file", key)
		}
	}
	// For a Service named ktail, Kubernetes sets KTAIL_PORT and other variables
	// in pods.
	for _, name := range []string{"port", "service-host", "service-port"} {
		if f := flags.Lookup(name); f != nil && canComeFrom(environment, f) {
			t.Errorf("%s may be set by Kubernetes", variable(name))
		}
	}
	// Neither secrets nor destinations may come from the environment.
	never := regexp.MustCompile(`^(elasticsearch.*|.*(token|password|secret|key).*|server|config|completion)$`)
	flags.VisitAll(func(f *pflag.Flag) {
		if never.MatchString(f.Name) && canComeFrom(environment, f) {
			t.Errorf("--%s can be set by the environment; see excludeSources", f.Name)
		}
	})
}

func TestWithFlagOrigin_AddsWhereTheFlagWasSet(t *testing.T) {
	f := configFlags{origins: map[string]string{"template": "here", "tail": "there"}}
	for text, want := range map[string]string{
		"--template-file: missing": "--template-file: missing",
		"--template: bad":          "--template: bad (--template is set by here)",
		"--no-follow with --tail":  "--no-follow with --tail (--tail is set by there)",
	} {
		if got := f.withFlagOrigin(errors.New(text)).Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if err := f.withFlagOrigin(nil); err != nil {
		t.Error(err)
	}
}

// FuzzConfig checks that every config file is either applied or rejected with an error
// that names the file and the line.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		"", "tail: 1", presets, bomb, "a: [", "? [a]\n: b", "~: x", "a: &a [*a]", "a: !!binary x", "<<: {tail: 1}", "%YAML 1.1\n---\n- a\n...\n",
		"templates: {x: '{{'}", "presets: {a: }", "presets: {a: {queries: [~]}}", "tail: 1\n---\ntail: 2", "\xff\xfe\x00", "namespace: [[a]]", "container-state: []",
		"presets: {a: &a {tail: 1}, b: {<<: [*a, {since: 1d}]}}", "&a <<: *a", "no-follow: yes", "namespace: ','", "a: *b", "\t", "- ", "since: x", "<<: x",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "c.yaml")
	place := regexp.MustCompile("^" + regexp.QuoteMeta(path) + `: line \d+: `)
	f.Fuzz(func(t *testing.T, data []byte) {
		check := func(err error) {
			if err != nil && !place.MatchString(err.Error()) {
				t.Errorf("the error does not name file and line: %v", err)
			}
		}
		var o options
		fs := pflag.NewFlagSet("ktail", pflag.ContinueOnError)
		o.addFlags(fs)
		o.origins = map[string]string{}
		c := &config{path: path, templates: map[string]string{}}
		if err := c.load(strings.NewReader(string(data)), fs); err != nil {
			check(err)
			return
		}
		for _, p := range c.presets {
			_, err := o.applyPresets(c, fs, []string{presetPrefix + p.name})
			check(err)
		}
		check(o.applyFile(c, fs))
	})
}
