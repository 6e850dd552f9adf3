package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// manPage makes the manual page of the command and of the text that is no flag's.
// It has no date, or it would be stale tomorrow.
func manPage(cmd *cobra.Command, _ []byte) ([]byte, error) {
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	var m man
	m.line(`.\" Made by make generate.`)
	m.line(`.TH KTAIL 1 "" "" "ktail"`)
	m.section("Name")
	m.line(roff("ktail - "+strings.ToLower(cmd.Short[:1])) + roff(cmd.Short[1:]))
	m.section("Synopsis")
	m.line(`.B ktail`)
	m.line(`[\fIquery\fR|\fI@preset\fR]... [\fIflag\fR]...`)
	m.section("Description")
	m.paragraphs(cmd.Long)
	m.section("Options")
	for _, group := range flagSections(cmd.Flags()) {
		m.line(".SS " + roff(group.heading))
		for _, f := range group.flags {
			m.flag(f)
		}
	}
	m.line(".SS As kubectl's")
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			m.flag(f)
		}
	})
	m.paragraphs(manText)
	m.section("Examples")
	m.line(".EX")
	for line := range strings.Lines(cmd.Example) {
		m.line(roff(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "  ")))
	}
	m.line(".EE")
	m.section("See also")
	m.line(".BR kubectl (1)")
	return []byte(m.String()), nil
}

// manText is what the manual page says of things that are no flags. A line in
// capitals is a heading; one before an indented line is what that explains.
const manText = `
EXIT STATUS

0
  With --no-follow: all logs were shown.

1
  An error: bad usage, the cluster cannot be used, the output cannot be written, or with --no-follow a log could not be read.

130, 143
  Ended by SIGINT or SIGTERM, after writing what was held. A second signal leaves at once.

141
  Whatever read the output has gone.

ENVIRONMENT

KTAILCONFIG
  The config file.

KTAIL_FLAG
  The value of --flag, as in KTAIL_MAX_LOG_REQUESTS=100. The command line and presets go before it, and it goes before the config file. What is secret, and what is above as kubectl's, cannot be set so.

KUBECONFIG
  The kubeconfig files, as for kubectl.

NO_COLOR, CLICOLOR_FORCE
  Not empty: no colors; colors even if the output is no terminal. --color goes before them.

FILES

$XDG_CONFIG_HOME/ktail/config.yaml, ~/.config/ktail/config.yaml
  The config file. It is YAML and holds flags by their long names; below the key templates, Go templates for --output by their names; below the key presets, by its name, each with queries, a description and flags. ktail @name is the same as those queries and flags.
`

// man is a manual page that is being written.
type man struct{ strings.Builder }

func (m *man) line(s string) { m.WriteString(s + "\n") }

func (m *man) section(heading string) { m.line(".SH " + strings.ToUpper(heading)) }

var capitals = regexp.MustCompile(`^[A-Z ]+$`)

// paragraphs writes text whose paragraphs empty lines separate.
func (m *man) paragraphs(text string) {
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		term, explained, isTerm := strings.Cut(paragraph, "\n  ")
		switch {
		case capitals.MatchString(paragraph):
			m.section(paragraph)
		case isTerm:
			m.line(".TP\n.B " + roff(term) + "\n" + roff(explained))
		default:
			m.line(".PP\n" + roff(paragraph))
		}
	}
}

func (m *man) flag(f *pflag.Flag) {
	name := "\\fB" + roff("--"+f.Name) + "\\fR"
	if f.Shorthand != "" {
		name = "\\fB" + roff("-"+f.Shorthand) + "\\fR, " + name
	}
	kind, usage := pflag.UnquoteUsage(f)
	switch {
	case f.NoOptDefVal != "" && f.Value.Type() != "bool":
		name += "[=\\fI" + roff(kind) + "\\fR]"
	case kind != "":
		name += " \\fI" + roff(kind) + "\\fR"
	}
	m.line(".TP\n" + name + "\n" + roff(usage))
	if def := strings.Trim(defaultOf(f), "`"); def != "" {
		m.line(roff("Default: " + def + "."))
	}
}

// roff quotes text for troff.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, "`", `\(ga`).Replace(s)
	lines := strings.Split(s, "\n")
	for i := range lines {
		if strings.HasPrefix(lines[i], ".") {
			lines[i] = `\&` + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

func TestManPage(t *testing.T) {
	cmd := &cobra.Command{Use: "x", Short: "Do things", Long: "One.\n\nTwo.", Example: `  x 'a\b'`}
	cmd.Flags().IntP("tail", "t", 5, "Lines.")
	cmd.Flags().String("token", "", "A secret.")
	if err := cmd.Flags().MarkHidden("token"); err != nil {
		t.Fatal(err)
	}
	page, err := manPage(cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"ktail \\- do things\n",
		".PP\nOne.\n.PP\nTwo.\n",
		".TP\n\\fB\\-t\\fR, \\fB\\-\\-tail\\fR \\fIint\\fR\nLines.\nDefault: 5.\n",
		".SS As kubectl's\n.TP\n\\fB\\-\\-token\\fR \\fIstring\\fR\nA secret.\n",
		".SH EXIT STATUS\n.TP\n.B 0\nWith \\-\\-no\\-follow",
		".EX\nx \\(aqa\\eb\\(aq\n.EE\n",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("%q is not in\n%s", want, page)
		}
	}
	if got, want := roff(".a\n-b"), "\\&.a\n\\-b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
