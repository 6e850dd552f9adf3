//go:build release

package release

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// file is one file of an archive.
type file struct {
	content []byte
	mode    fs.FileMode
	link    string // target of a symbolic link
}

// unpack returns the files of an archive or a Debian package by name, without
// directories.
func unpack(t *testing.T, name string) map[string]file {
	t.Helper()
	content := read(t, name)
	var files map[string]file
	var err error
	switch path.Ext(name) {
	case ".gz":
		files, err = untar(content)
	case ".zip":
		files, err = unzip(content)
	case ".deb":
		files, err = undeb(content)
	default:
		err = fmt.Errorf("unknown archive type %s", path.Ext(name))
	}
	if err != nil {
		t.Fatalf("unpack %s: %v", name, err)
	}
	return files
}

func untar(content []byte) (map[string]file, error) {
	plain, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	files := map[string]file{}
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		files[path.Clean(h.Name)] = file{text, h.FileInfo().Mode(), h.Linkname}
	}
}

func unzip(content []byte) (map[string]file, error) {
	r, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	files := map[string]file{}
	for _, f := range r.File {
		text, err := fs.ReadFile(r, f.Name)
		if err != nil {
			return nil, err
		}
		files[f.Name] = file{content: text, mode: f.Mode()}
	}
	return files, nil
}

// undeb returns the files that a Debian package installs, which are in its
// data.tar.gz. The package is an ar archive: after the first line, each member
// has a header of 60 bytes, with its name at the start and its size at byte 48,
// and starts at an even offset.
func undeb(content []byte) (map[string]file, error) {
	const headerSize = 60
	rest, ok := bytes.CutPrefix(content, []byte("!<arch>\n"))
	for ok && len(rest) >= headerSize {
		name := strings.TrimRight(string(rest[:16]), " /")
		size, err := strconv.Atoi(strings.TrimSpace(string(rest[48:58])))
		if err != nil {
			return nil, err
		}
		rest = rest[headerSize:]
		if name == "data.tar.gz" {
			return untar(rest[:size])
		}
		rest = rest[size+size%2:]
	}
	return nil, errors.New("the package has no data.tar.gz")
}

// extract writes the files into a new directory and returns the directory.
func extract(t *testing.T, files map[string]file) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range files {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if f.link != "" {
			err = os.Symlink(f.link, to)
		} else {
			err = os.WriteFile(to, f.content, f.mode.Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
