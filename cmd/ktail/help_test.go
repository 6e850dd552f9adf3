package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func documented() *cobra.Command {
	return newCommand(streams{Out: io.Discard, ErrOut: io.Discard, Env: os.LookupEnv})
}

func wantColumns(t *testing.T, text string, columns int) {
	t.Helper()
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > columns {
			t.Errorf("longer than %d columns: %s", columns, line)
		}
	}
}

// A terminal of 80 × 47 shows all of it, with a prompt above and below.
func TestShortHelp_FitsOnOneScreen(t *testing.T) {
	for _, program := range []string{"ktail", "kubectl ktail"} {
		cmd := documented()
		setDisplayName(cmd, program)
		text := helpFor(cmd, []string{"-Ah"}, 200)
		wantColumns(t, text, 80)
		if !strings.HasSuffix(text, ".\n") {
			t.Errorf("the help ends with %q, want a newline", text[len(text)-10:])
		}
		if lines := strings.Count(text, "\n"); lines > 45 {
			t.Errorf("%d lines, want at most 45:\n%s", lines, text)
		}
	}
	if len(summaryFlags) != 20 {
		t.Errorf("the help has %d flags, want the twenty most used ones", len(summaryFlags))
	}
}

func TestFullHelp_DescribesEachVisibleFlagOnce(t *testing.T) {
	for _, columns := range []int{80, 120} {
		cmd := documented()
		text := helpFor(cmd, []string{"--help"}, columns)
		wantColumns(t, text, columns)
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			want := 1
			if f.Hidden {
				want = 0
			}
			if got := len(regexp.MustCompile(`(?m)^(  -\w, |      )--`+f.Name+`([ \[]|$)`).FindAllString(text, -1)); got != want {
				t.Errorf("--%s is described %d times, want %d", f.Name, got, want)
			}
		})
		if strings.Contains(text, "man ktail") {
			t.Error("the help refers to a man page that may not be installed")
		}
	}
}

// TestFlags_DescriptionsFollowTheToneGuide checks the rules of CONTRIBUTING.md
// that can be tested.
func TestFlags_DescriptionsFollowTheToneGuide(t *testing.T) {
	banned := regexp.MustCompile(`(?i)\b(somebody|nobody|whoever|anybody|folder|besides|colo[u]r\w*|is no|are no|may be repeated|string|strings|regexp|int)\b`)
	documented().Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return // kubectl's own texts
		}
		if name := valueName(f); name != strings.ToUpper(name) {
			t.Errorf("--%s: the value is named %s, want capitals", f.Name, name)
		}
		first, _, _ := strings.Cut(firstSentence(f.Usage), " (")
		if len(first) > 70 {
			t.Errorf("--%s: the first sentence has %d characters: %s", f.Name, len(first), first)
		}
		if strings.HasSuffix(f.Usage, ".") || strings.Contains(f.Usage, "`") {
			t.Errorf("--%s: ends with a period or contains back quotes: %s", f.Name, f.Usage)
		}
		if word := banned.FindString(f.Usage); word != "" {
			t.Errorf("--%s: the description contains %q: %s", f.Name, word, f.Usage)
		}
	})
}

func TestExamples_AreValidCommandLines(t *testing.T) {
	count := 0
	for line := range strings.Lines(documented().Example) {
		example := strings.TrimSpace(line)
		words, ok := strings.CutPrefix(example, "ktail ")
		if !ok {
			if !strings.HasPrefix(example, "# ") {
				t.Errorf("neither a command nor a comment: %s", example)
			}
			continue
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
				_, err = offlinePlan(o, queries)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	if count < 12 {
		t.Errorf("%d examples, want a dozen", count)
	}
}
