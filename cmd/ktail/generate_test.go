package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write the generated files")

// generated are the files that are made of the command's flags.
var generated = []struct {
	path string // from the top of the repository
	make func(cmd *cobra.Command, old []byte) ([]byte, error)
}{
	{"completions/ktail.bash", completion("bash")},
	{"completions/_ktail", completion("zsh")},
	{"completions/ktail.fish", completion("fish")},
	{"completions/ktail.ps1", completion("powershell")},
	{"docs/man/ktail.1", manPage},
	{"README.md", withFlagTable},
}

// TestGenerated fails if a generated file is stale. With -update it writes them.
func TestGenerated(t *testing.T) {
	for _, file := range generated {
		t.Run(filepath.Base(file.path), func(t *testing.T) {
			path := filepath.Join("..", "..", filepath.FromSlash(file.path))
			old, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			cmd := newCommand(streams{Out: io.Discard, ErrOut: io.Discard, Env: os.LookupEnv})
			content, err := file.make(cmd, old)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case bytes.Equal(content, old):
			case !*update:
				t.Errorf("%s is stale: run `make generate`", file.path)
			default:
				if err := os.WriteFile(path, content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// completion makes the script that --completion prints.
func completion(shell string) func(*cobra.Command, []byte) ([]byte, error) {
	return func(cmd *cobra.Command, _ []byte) ([]byte, error) {
		var b bytes.Buffer
		_, err := (&programFlags{completion: shell}).runInfoFlag(cmd, &b)
		return b.Bytes(), err
	}
}

// withFlagTable puts the flags between the two markers of the text.
func withFlagTable(cmd *cobra.Command, old []byte) ([]byte, error) {
	const begin, end = "<!-- flags:begin -->\n", "<!-- flags:end -->\n"
	before, rest, ok := bytes.Cut(old, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, fmt.Errorf("there is no place for the flags: it is between the lines %q and %q",
			strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return slices.Concat(before, []byte(begin), []byte(flagTable(cmd)), []byte(end), after), nil
}

// flagTable returns the flags that the help shows, as a table in Markdown.
func flagTable(cmd *cobra.Command) string {
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	var b strings.Builder
	b.WriteString("| flag | default | meaning |\n|---|---|---|\n")
	cmd.Flags().SortFlags = true
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		meaning := strings.ReplaceAll(f.Usage, "|", `\|`)
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, defaultOf(f), meaning)
	})
	return b.String()
}

// defaultOf returns the default of a flag as somebody would type it; that a
// flag is off or says nothing needs no words.
func defaultOf(f *pflag.Flag) string {
	text := f.DefValue
	if d, err := time.ParseDuration(text); err == nil && f.Value.Type() == "duration" {
		text = d.String()
		for _, zero := range []string{"m0s", "h0m"} {
			if strings.HasSuffix(text, zero) {
				text = text[:len(text)-2]
			}
		}
	}
	switch text {
	case "", "false", "[]":
		return ""
	}
	return "`" + text + "`"
}

// The scripts are correct as far as the shells that are there can tell.
func TestCompletionLoads(t *testing.T) {
	for shell, file := range map[string]string{"bash": "ktail.bash", "zsh": "_ktail", "fish": "ktail.fish"} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil && os.Getenv("CI") != "" {
				t.Fatal(err) // .ci/run has installed it
			} else if err != nil {
				t.Skip("there is no " + shell + "; CI has it")
			}
			out, err := exec.CommandContext(t.Context(), path, "-n", filepath.Join("..", "..", "completions", file)).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestFlagTable(t *testing.T) {
	cmd := &cobra.Command{Use: "x", Version: "1"}
	fs := cmd.Flags()
	fs.DurationP("since", "s", 48*time.Hour, "An age.")
	fs.Duration("wait", 90*time.Minute, "Another.")
	fs.Bool("all", false, "This | that.")
	fs.StringSlice("names", nil, "Names.")
	fs.String("secret", "", "Nothing.")
	if err := fs.MarkHidden("secret"); err != nil {
		t.Fatal(err)
	}
	got, err := withFlagTable(cmd, []byte("a\n<!-- flags:begin -->\nold\n<!-- flags:end -->\nb\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "a\n<!-- flags:begin -->\n" +
		"| flag | default | meaning |\n|---|---|---|\n" +
		"| `--all` |  | This \\| that. |\n" +
		"| `-h`, `--help` |  | help for x |\n" +
		"| `--names` |  | Names. |\n" +
		"| `-s`, `--since` | `48h` | An age. |\n" +
		"| `-v`, `--version` |  | version for x |\n" +
		"| `--wait` | `1h30m` | Another. |\n" +
		"<!-- flags:end -->\nb\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := withFlagTable(cmd, []byte("no markers")); err == nil {
		t.Error("no error without markers")
	}
}
