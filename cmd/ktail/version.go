package main

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// The version of ktail, its commit, and the commit's date. The Makefile and
// releases set them with -ldflags; otherwise they come from Go's build
// information.
var version, commit, date string

func init() {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		version, commit, date = fromBuildInfo(info)
	}
}

// versionString returns what --version prints.
func versionString() string {
	parts := []string{version}
	if commit != "" {
		parts = append(parts, "commit "+commit)
	}
	if date != "" {
		parts = append(parts, "committed "+date)
	}
	return strings.Join(append(parts, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH), ", ")
}

// fromBuildInfo returns the version, commit, and date that Go records in a
// program. `go install …@version` records only the version; a build in a
// checkout derives the version from the tags and also records the rest.
func fromBuildInfo(info *debug.BuildInfo) (version, commit, date string) {
	version = info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.time":
			date = s.Value
		}
	}
	return version, commit, date
}
