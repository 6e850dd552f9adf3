package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Names of the program as a kubectl plugin: the one that `kubectl ktail` runs,
// and the one that kubectl runs to complete its arguments.
const (
	pluginName    = "kubectl-ktail"
	completerName = "kubectl_complete-ktail"
)

// asPlugin returns the name that the user typed, and the arguments, depending
// on the name under which the program was started.
func asPlugin(argv []string) (name string, args []string) {
	args = argv[1:]
	switch strings.TrimSuffix(filepath.Base(argv[0]), ".exe") {
	case pluginName:
		return "kubectl ktail", args
	case completerName:
		return "kubectl ktail", append([]string{cobra.ShellCompRequestCmd}, args...)
	default:
		return "ktail", args
	}
}

// setDisplayName sets the name of the command in its help.
func setDisplayName(cmd *cobra.Command, name string) {
	cmd.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: name}
	cmd.Example = strings.ReplaceAll(cmd.Example, "  ktail ", "  "+name+" ")
}
