package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestHelp(t *testing.T) {
	const columns = 80
	cmd := newCommand(streams{Out: io.Discard, ErrOut: io.Discard, Env: os.LookupEnv})
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	text := help(cmd, columns)
	for line := range strings.Lines(text) {
		if len(strings.TrimSuffix(line, "\n")) > columns {
			t.Errorf("longer than %d columns: %s", columns, line)
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		want := 1
		if f.Hidden {
			want = 0
		}
		if got := len(regexp.MustCompile(`(?m)^ +(-\w, )?--`+f.Name+`[ \[]`).FindAllString(text, -1)); got != want {
			t.Errorf("--%s is there %d times, want %d", f.Name, got, want)
		}
	})
}

// The examples of the help are command lines that ktail takes.
func TestExamples(t *testing.T) {
	cmd := newCommand(streams{Out: io.Discard, ErrOut: io.Discard, Env: os.LookupEnv})
	count := 0
	for line := range strings.Lines(cmd.Example) {
		example, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		words, ok := strings.CutPrefix(example, "ktail ")
		if !ok {
			continue // what goes with the line before
		}
		count++
		t.Run(example, func(t *testing.T) {
			words, _, _ := strings.Cut(words, " |")
			words, _, _ = strings.Cut(words, " >")
			words, _, _ = strings.Cut(words, " <")
			words = strings.ReplaceAll(words, "'", "")
			o, queries := parse(t, strings.Fields(words)...)
			c := &config{presets: []preset{{name: "payments", queries: []string{"deploy/payments"}}}}
			o.origins = map[string]string{}
			queries, err := o.applyPresets(c, pflag.NewFlagSet("", pflag.ContinueOnError), queries)
			if err == nil {
				err = o.complete(queries)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	if count < 12 {
		t.Errorf("there are %d examples, want a dozen", count)
	}
}
