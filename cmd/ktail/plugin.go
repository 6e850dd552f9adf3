package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// Names under which the program is a plugin of kubectl: the one that `kubectl
// ktail` looks for, and the one that kubectl asks for completions of it.
const (
	pluginName    = "kubectl-ktail"
	completerName = "kubectl_complete-ktail"
)

// asPlugin returns the arguments of a program that was started by one of these
// names, and the name that its user knows it by.
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

// setDisplayName has the help of the command speak of it by that name.
func setDisplayName(cmd *cobra.Command, name string) {
	cmd.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: name}
	cmd.Example = strings.ReplaceAll(cmd.Example, "  ktail ", "  "+name+" ")
}
