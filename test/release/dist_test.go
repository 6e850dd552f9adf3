//go:build release

package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// dist is the directory with the release.
var dist = filepath.Join("..", "..", "dist")

// platforms are the platforms for which a release has an archive.
var platforms = []platform{
	{"linux", "amd64"}, {"linux", "arm64"},
	{"darwin", "amd64"}, {"darwin", "arm64"},
	{"windows", "amd64"}, {"windows", "arm64"},
}

// here is the platform that runs the tests.
var here = platform{runtime.GOOS, runtime.GOARCH}

type platform struct{ os, arch string }

func (p platform) String() string { return p.os + "_" + p.arch }

// binary returns the name of the program.
func (p platform) binary() string {
	if p.os == "windows" {
		return "ktail.exe"
	}
	return "ktail"
}

// archive returns the name of the archive.
func (p platform) archive(t *testing.T) string {
	name := fmt.Sprintf("ktail_%s_%s", released(t).Version, p)
	if p.os == "windows" {
		return name + ".zip"
	}
	return name + ".tar.gz"
}

// metadata is the metadata of the release.
type metadata struct {
	Version, Commit, Date string
}

func released(t *testing.T) metadata {
	t.Helper()
	var m metadata
	if err := json.Unmarshal(read(t, "metadata.json"), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// read returns a file of the release.
func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dist, filepath.FromSlash(name)))
	if err != nil {
		t.Fatalf("%v: run `make release-snapshot`", err)
	}
	return content
}

// checksums returns the SHA-256 of each file in checksums.txt.
func checksums(t *testing.T) map[string]string {
	t.Helper()
	sums := map[string]string{}
	for line := range strings.Lines(string(read(t, "checksums.txt"))) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("checksums.txt has the line %q", line)
		}
		sums[name] = sum
	}
	return sums
}

func sha(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
