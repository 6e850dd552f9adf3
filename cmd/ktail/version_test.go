package main

import (
	"runtime/debug"
	"testing"
)

// The version of a program that was not built by a release.
func TestFromBuildInfo_WithoutRelease(t *testing.T) {
	for name, tt := range map[string]struct {
		info *debug.BuildInfo
		want [3]string
	}{
		"go install …@v1.2.3": {
			&debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}},
			[3]string{"v1.2.3", "", ""},
		},
		"go build in a checkout": {
			&debug.BuildInfo{
				Main:     debug.Module{Version: "v1.2.4-0.20260131100000-0123456789ab+dirty"},
				Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-01-31T10:00:00Z"}},
			},
			[3]string{"v1.2.4-0.20260131100000-0123456789ab+dirty", "0123456789abcdef", "2026-01-31T10:00:00Z"},
		},
		"nothing noted": {&debug.BuildInfo{}, [3]string{"(devel)", "", ""}},
	} {
		version, commit, date := fromBuildInfo(tt.info)
		if got := [3]string{version, commit, date}; got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
