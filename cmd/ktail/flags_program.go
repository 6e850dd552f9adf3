package main

import (
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
)

// programFlags are the flags about ktail itself.
type programFlags struct {
	completion        string
	showHiddenOptions bool
	verbosity         int
}

func (f *programFlags) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.completion, "completion", "",
		"Print the completion script for a shell: "+strings.Join(shellNames(), ", ")+" `SHELL`")
	fs.BoolVar(&f.showHiddenOptions, "show-hidden-options", false,
		"Print the connection flags that ktail shares with kubectl")
	excludeSources([]string{environment, configFile}, fs, "completion", "show-hidden-options")
	fs.IntVar(&f.verbosity, "verbosity", 0,
		"Log the Kubernetes client to stderr, at this level (6: each request) `LEVEL`")
}

// shells are the shells with completion scripts.
var shells = []struct {
	name     string
	generate func(*cobra.Command, io.Writer) error
}{
	{"bash", func(cmd *cobra.Command, w io.Writer) error { return cmd.GenBashCompletionV2(w, true) }},
	{"zsh", (*cobra.Command).GenZshCompletion},
	{"fish", func(cmd *cobra.Command, w io.Writer) error { return cmd.GenFishCompletion(w, true) }},
	{"powershell", (*cobra.Command).GenPowerShellCompletionWithDesc},
}

func shellNames() []string {
	names := make([]string, len(shells))
	for i, s := range shells {
		names[i] = s.name
	}
	return names
}

// runInfoFlag prints the information that the user requested instead of logs,
// and reports whether it did.
func (f *programFlags) runInfoFlag(cmd *cobra.Command, out io.Writer) (bool, error) {
	switch {
	case f.completion != "":
		for _, s := range shells {
			if s.name == f.completion {
				return true, s.generate(cmd, out)
			}
		}
		return true, usageError{fmt.Errorf("invalid --completion %s: must be one of %s", quoted(f.completion), strings.Join(shellNames(), ", "))}
	case f.showHiddenOptions:
		_, err := io.WriteString(out, hiddenFlags(cmd))
		return true, err
	}
	return false, nil
}

// hiddenFlags describes kubectl's connection flags, which the help omits.
func hiddenFlags(cmd *cobra.Command) string {
	var b strings.Builder
	writeFlags(&b, sectionFlags(cmd.Flags(), sectionCluster, true), defaultWidth)
	return b.String()
}

// setVerbosity turns on the log of the Kubernetes client.
func (f *programFlags) setVerbosity(out io.Writer) error {
	if f.verbosity <= 0 {
		return nil
	}
	fs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(fs)
	for name, value := range map[string]string{"v": strconv.Itoa(f.verbosity), "logtostderr": "false"} {
		if err := fs.Set(name, value); err != nil {
			return fmt.Errorf("invalid --verbosity: %w", err)
		}
	}
	klog.ClearLogger()
	klog.SetOutput(sanitizingWriter{out})
	return nil
}
