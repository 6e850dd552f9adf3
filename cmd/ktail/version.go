package main

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// Which ktail this is, and of when its commit is. make and a release tell it the
// linker; otherwise it is what Go has noted.
var version, commit, date string

func init() {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		version, commit, date = fromBuildInfo(info)
	}
}

// build says which ktail this is.
func build() string {
	parts := []string{version}
	if commit != "" {
		parts = append(parts, "commit "+commit)
	}
	if date != "" {
		parts = append(parts, "of "+date)
	}
	return strings.Join(append(parts, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH), ", ")
}

// fromBuildInfo returns what Go writes into a program by itself: the version is that of
// `go install …@version` or, built in a checkout, made of its tags. The rest is
// known in a checkout only, but a version without a tag has both in it.
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
