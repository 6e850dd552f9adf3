package durable

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// names returns the files in the directory.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestReplace_WritesAllPartsAndLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	write(t, path, "a longer old content")
	write(t, path+suffix, "what a killed process has left")
	if err := Replace(path, 0o600, []byte("a"), nil, []byte("bc")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "abc" {
		t.Errorf("the file has %q, %v", b, err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"state"}) {
		t.Errorf("the directory has %q", got)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
}

func TestReplace_FailureLeavesTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	if err := os.MkdirAll(filepath.Join(path, "a directory"), 0o700); err != nil { // which no file can replace
		t.Fatal(err)
	}
	if err := Replace(path, 0o600, []byte("new")); err == nil {
		t.Error("a directory was replaced")
	}
	if got := names(t, dir); !slices.Equal(got, []string{"state"}) {
		t.Errorf("the directory has %q", got)
	}
	if err := Replace(filepath.Join(dir, "none", "state"), 0o600, nil); err == nil {
		t.Error("a file was written to a directory that does not exist")
	}
}

// The name of a directory is no pattern.
func TestRemoveTemporary_RemovesOnlyWhatReplaceLeaves(t *testing.T) {
	for _, base := range []string{"state", "k[t]ail", "k[tail", "*"} {
		if runtime.GOOS == "windows" && base == "*" {
			continue
		}
		dir := filepath.Join(t.TempDir(), base)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "a.", "a.1", "a.1.x", "a.123", "a.old", "a.tmp", "ab.tmp", "b.tmp"} {
			write(t, filepath.Join(dir, name), "x")
		}
		if err := RemoveTemporary(filepath.Join(dir, "a")); err != nil {
			t.Error(err)
		}
		if got, want := names(t, dir), []string{"a", "a.", "a.1.x", "a.old", "ab.tmp", "b.tmp"}; !slices.Equal(got, want) {
			t.Errorf("%s: left %q, want %q", base, got, want)
		}
	}
	if err := RemoveTemporary(filepath.Join(t.TempDir(), "none", "a")); err != nil {
		t.Errorf("without the directory: %v", err)
	}
}
