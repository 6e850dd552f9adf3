package main

import (
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/metrics"
)

// documents returns the Markdown files of the repository by their path relative
// to its root, with slashes.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := textFiles(t, ".md")
	if texts["README.md"] == "" {
		t.Fatal("README.md not found")
	}
	return texts
}

// manifests returns the YAML files below deploy.
func manifests(t *testing.T) map[string]string {
	t.Helper()
	texts := textFiles(t, ".yaml")
	maps.DeleteFunc(texts, func(path, _ string) bool { return !strings.HasPrefix(path, "deploy/") })
	if texts["deploy/ktail/config.yaml"] == "" {
		t.Fatal("deploy/ktail/config.yaml not found")
	}
	return texts
}

// textFiles returns the files of the repository with this extension by their path
// relative to its root, with slashes.
func textFiles(t *testing.T, extension string) map[string]string {
	t.Helper()
	root := filepath.Join("..", "..")
	texts := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "dist"):
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != extension:
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		texts[filepath.ToSlash(relative)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	notAnchor  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	headingRow = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

func TestDocs_RelativeLinksResolve(t *testing.T) {
	all := documents(t)
	for path, text := range all {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			target, err := url.Parse(match[1])
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if target.IsAbs() {
				continue
			}
			file := path
			if target.Path != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(path), target.Path))
			}
			if _, err := os.Stat(filepath.Join("..", "..", file)); err != nil {
				t.Errorf("%s: broken link %s", path, match[1])
			}
			if target.Fragment != "" && !hasAnchor(all[file], target.Fragment) {
				t.Errorf("%s: no heading for %s", path, match[1])
			}
		}
	}
}

// hasAnchor reports whether a heading gets this anchor on GitHub.
func hasAnchor(text, anchor string) bool {
	for _, heading := range headingRow.FindAllStringSubmatch(text, -1) {
		plain := notAnchor.ReplaceAllString(strings.ToLower(heading[1]), "")
		if strings.ReplaceAll(plain, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// TestDocs_WrappedAt100Columns checks prose. Tables, code, and links cannot be
// wrapped. BENCHMARKS.md is generated.
func TestDocs_WrappedAt100Columns(t *testing.T) {
	const columns = 100
	for path, text := range documents(t) {
		if path == "BENCHMARKS.md" {
			continue
		}
		code := false
		for i, row := range strings.Split(text, "\n") {
			if strings.HasPrefix(strings.TrimSpace(row), "```") {
				code = !code
			}
			if code || strings.HasPrefix(row, "|") || !strings.Contains(strings.TrimSpace(row), " ") {
				continue
			}
			if n := utf8.RuneCountInString(row); n > columns {
				t.Errorf("%s:%d: %d columns, want at most %d", path, i+1, n, columns)
			}
		}
	}
}

// TestDocs_ReadmeFiguresAreMeasured looks up the times in the paragraph of README.md that
// cites BENCHMARKS.md: each must be a figure of a table there, rounded.
func TestDocs_ReadmeFiguresAreMeasured(t *testing.T) {
	all := documents(t)
	measured := map[string]bool{}
	for _, cell := range regexp.MustCompile(`\| *([0-9.]+) `).FindAllStringSubmatch(all["BENCHMARKS.md"], -1) {
		if figure, err := strconv.ParseFloat(cell[1], 64); err == nil {
			measured[strconv.FormatFloat(figure, 'f', 1, 64)] = true
		}
	}
	found := 0
	for paragraph := range strings.SplitSeq(all["README.md"], "\n\n") {
		if !strings.Contains(paragraph, "](BENCHMARKS.md)") {
			continue
		}
		for _, figure := range regexp.MustCompile(`([0-9]+\.[0-9]) s\b`).FindAllStringSubmatch(paragraph, -1) {
			found++
			if !measured[figure[1]] {
				t.Errorf("README.md says %s, which is in no table of BENCHMARKS.md", figure[0])
			}
		}
	}
	if found == 0 {
		t.Error("README.md has no figures of BENCHMARKS.md")
	}
}

// commandFlags returns the flags of ktail with their default values.
func commandFlags() *pflag.FlagSet {
	return newCommand(streams{Out: io.Discard, ErrOut: io.Discard, Env: os.LookupEnv}).Flags()
}

// TestDocs_FlagsExist parses every ktail command in a code block with the real
// flags, and looks up every flag that the text mentions.
func TestDocs_FlagsExist(t *testing.T) {
	named := regexp.MustCompile("`(?:-[a-zA-Z]`?, `)?--([a-z][a-z-]*)[ =`]")
	commands := 0
	for path, text := range documents(t) {
		if path != "README.md" && !strings.HasPrefix(path, "docs/") {
			continue
		}
		for _, match := range named.FindAllStringSubmatch(text, -1) {
			if commandFlags().Lookup(match[1]) == nil && !foreignFlags[match[1]] {
				t.Errorf("%s: unknown flag --%s", path, match[1])
			}
		}
		for _, command := range commandsIn(text) {
			commands++
			if err := commandFlags().Parse(command); err != nil {
				t.Errorf("%s: ktail %s: %v", path, strings.Join(command, " "), err)
			}
		}
	}
	if commands < 40 {
		t.Errorf("%d commands found, want the examples of README.md", commands)
	}
}

// TestDocs_VariablesExist looks up the environment variables of ktail that the documents
// and the manifests mention. deploy/search configures other programs.
func TestDocs_VariablesExist(t *testing.T) {
	known := map[string]bool{noReadCoalescing: true, "KTAILCONFIG": true}
	for _, name := range secretVariables {
		known[name] = true
	}
	commandFlags().VisitAll(func(f *pflag.Flag) {
		known[variable(f.Name)] = canComeFrom(environment, f)
	})
	texts := documents(t)
	maps.Copy(texts, manifests(t))
	named := regexp.MustCompile(`\b(?:KTAIL|ELASTICSEARCH)(?:_[A-Z]+)+\b|\bKTAILCONFIG\b`)
	found := 0
	for path, text := range texts {
		if strings.HasPrefix(path, "test/") || strings.HasPrefix(path, "deploy/search") {
			continue
		}
		for _, name := range named.FindAllString(text, -1) {
			found++
			if !known[name] {
				t.Errorf("%s: ktail does not read the variable %s", path, name)
			}
		}
	}
	if found < 10 {
		t.Errorf("%d variables found, want those of README.md, docs, and deploy", found)
	}
}

// TestDocs_ConfigExamplesAreValid reads the examples of config files, and checks their
// rules for metrics and those of the commands.
func TestDocs_ConfigExamplesAreValid(t *testing.T) {
	yaml := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	files, rules := 0, 0
	for path, text := range documents(t) {
		if path != "README.md" && !strings.HasPrefix(path, "docs/") {
			continue
		}
		for _, match := range yaml.FindAllStringSubmatch(text, -1) {
			files++
			c := &config{path: path, templates: map[string]string{}}
			if err := c.load(strings.NewReader(match[1]), commandFlags()); err != nil {
				t.Error(err)
			}
			if err := metrics.CheckRules(c.metrics); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		for _, command := range commandsIn(text) {
			flags := commandFlags()
			if flags.Parse(command) != nil { // TestDocs_FlagsExist reports it
				continue
			}
			for _, text := range *flags.Lookup("metric").Value.(*metricRules) {
				rules++
				r, err := metrics.ParseRule(text)
				if err == nil {
					err = metrics.CheckRules([]metrics.Rule{r})
				}
				if err != nil {
					t.Errorf("%s: --metric %s: %v", path, text, err)
				}
			}
		}
	}
	if files < 2 || rules < 3 {
		t.Errorf("%d config files and %d rules found, want the examples", files, rules)
	}
}

// foreignFlags are flags of kubectl that the documents mention.
var foreignFlags = map[string]bool{"limit-bytes": true, "prefix": true}

// commandsIn returns the arguments of the ktail commands in code blocks.
func commandsIn(text string) [][]string {
	word := regexp.MustCompile(`'[^']*'|[^\s']+`)
	var commands [][]string
	for i, block := range strings.Split(text, "```") {
		if i%2 == 0 {
			continue
		}
		for row := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
			if _, piped, ok := strings.Cut(row, " | ktail "); ok {
				row = "ktail " + piped
			}
			rest, ok := strings.CutPrefix(row, "ktail ")
			if !ok {
				continue
			}
			rest, _, _ = strings.Cut(rest, " # ")
			rest, _, _ = strings.Cut(rest, " | ")
			var args []string
			for _, w := range word.FindAllString(rest, -1) {
				args = append(args, strings.Trim(w, "'"))
			}
			commands = append(commands, args)
		}
	}
	return commands
}
