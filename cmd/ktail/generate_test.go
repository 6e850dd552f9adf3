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

// generated are the files that are generated from the command's flags.
var generated = []struct {
	path string // path relative to the root of the repository
	make func(cmd *cobra.Command, old []byte) ([]byte, error)
}{
	{"completions/ktail.bash", completion("bash")},
	{"completions/_ktail", completion("zsh")},
	{"completions/ktail.fish", completion("fish")},
	{"completions/ktail.ps1", completion("powershell")},
	{"docs/man/ktail.1", manPage},
	{"README.md", withFlagTable},
}

// TestGenerated_FilesAreCurrent fails if a generated file is stale. With -update it writes them.
func TestGenerated_FilesAreCurrent(t *testing.T) {
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

// completion returns a function that generates the script that --completion
// prints.
func completion(shell string) func(*cobra.Command, []byte) ([]byte, error) {
	return func(cmd *cobra.Command, _ []byte) ([]byte, error) {
		var b bytes.Buffer
		_, err := (&programFlags{completion: shell}).runInfoFlag(cmd, &b)
		return b.Bytes(), err
	}
}

// withFlagTable puts the flag table between the two markers in the text.
func withFlagTable(cmd *cobra.Command, old []byte) ([]byte, error) {
	const begin, end = "<!-- flags:begin -->\n", "<!-- flags:end -->\n"
	before, rest, ok := bytes.Cut(old, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, fmt.Errorf("no place for the flag table: it must be between the lines %q and %q",
			strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return slices.Concat(before, []byte(begin), []byte(flagTable(cmd)), []byte(end), after), nil
}

// flagTable returns the visible flags as a Markdown table.
func flagTable(cmd *cobra.Command) string {
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
		if value := valueName(f); value != "" {
			name += " " + value
		}
		preset := defaultOf(f)
		if preset != "" {
			preset = "`" + preset + "`"
		}
		meaning := strings.ReplaceAll(f.Usage, "|", `\|`)
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, preset, meaning)
	})
	return b.String()
}

// Shells that are not installed are skipped, except for bash. .ci/run installs
// all of them.
func TestCompletion_ScriptHasNoSyntaxErrors(t *testing.T) {
	for shell, file := range map[string]string{"bash": "ktail.bash", "zsh": "_ktail", "fish": "ktail.fish"} {
		path, err := exec.LookPath(shell)
		if err != nil && shell != "bash" && os.Getenv("CI") == "" {
			t.Logf("%s is not installed", shell)
			continue
		}
		t.Run(shell, func(t *testing.T) {
			if err != nil {
				t.Fatal(err)
			}
			out, err := exec.CommandContext(t.Context(), path, "-n", filepath.Join("..", "..", "completions", file)).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func TestFlagTable_ListsVisibleFlags(t *testing.T) {
	cmd := &cobra.Command{Use: "x"}
	fs := cmd.Flags()
	since, wait := durationValue(48*time.Hour), durationValue(90*time.Minute)
	fs.VarP(&since, "since", "s", "An age")
	fs.Var(&wait, "wait", "Another")
	fs.Bool("all", false, "This | that")
	fs.StringSlice("names", nil, "Names")
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
		"| `--all` |  | This \\| that |\n" +
		"| `--names` VALUE |  | Names |\n" +
		"| `-s`, `--since` DURATION | `48h` | An age |\n" +
		"| `--wait` DURATION | `1h30m` | Another |\n" +
		"<!-- flags:end -->\nb\n"
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := withFlagTable(cmd, []byte("no markers")); err == nil {
		t.Error("no error without markers")
	}
}
