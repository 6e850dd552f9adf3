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

// programFlags say what is done besides reading logs.
type programFlags struct {
	completion        string
	showHiddenOptions bool
	verbosity         int
}

func (f *programFlags) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.completion, "completion", "",
		"Print completions for a shell: "+strings.Join(shellNames(), ", ")+".")
	fs.BoolVar(&f.showHiddenOptions, "show-hidden-options", false,
		"Print kubectl's flags for reaching a cluster.")
	excludeSources([]string{environment, configFile}, fs, "completion", "show-hidden-options")
	fs.IntVar(&f.verbosity, "verbosity", 0,
		"What the Kubernetes client says on stderr; 6 is each request.")
}

// shells are those that a completion script can be made for.
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

// runInfoFlag does what takes the place of reading logs, and reports whether something
// did.
func (f *programFlags) runInfoFlag(cmd *cobra.Command, out io.Writer) (bool, error) {
	switch {
	case f.completion != "":
		for _, s := range shells {
			if s.name == f.completion {
				return true, s.generate(cmd, out)
			}
		}
		return true, fmt.Errorf("--completion is %q: it is one of %s", f.completion, strings.Join(shellNames(), ", "))
	case f.showHiddenOptions:
		_, err := io.WriteString(out, hiddenFlags(cmd))
		return true, err
	}
	return false, nil
}

// hiddenFlags returns the usage of the flags that the help leaves out.
func hiddenFlags(cmd *cobra.Command) string {
	hidden := pflag.NewFlagSet("hidden", pflag.ContinueOnError)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			shown := *f
			shown.Hidden = false
			hidden.AddFlag(&shown)
		}
	})
	return hidden.FlagUsages()
}

// setVerbosity lets through of the Kubernetes client's log what --verbosity says.
func (f *programFlags) setVerbosity(out io.Writer) error {
	if f.verbosity <= 0 {
		return nil
	}
	fs := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(fs)
	for name, value := range map[string]string{"v": strconv.Itoa(f.verbosity), "logtostderr": "false"} {
		if err := fs.Set(name, value); err != nil {
			return fmt.Errorf("--verbosity: %w", err)
		}
	}
	klog.ClearLogger()
	klog.SetOutput(out)
	return nil
}
