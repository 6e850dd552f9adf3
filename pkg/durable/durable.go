// Package durable replaces small files so that the old or the new content survives when
// the process or the machine stops at any moment.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// suffix is that of the file that Replace writes first.
const suffix = ".tmp"

// Replace puts a file with these parts in the place of the file. When it returns nil, the
// new content survives a power failure; otherwise the file is unchanged. Callers must not
// replace the same file at the same time.
func Replace(path string, mode fs.FileMode, parts ...[]byte) error {
	temporary := path + suffix
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if err == nil {
			_, err = f.Write(part)
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	// The new name has to survive a power failure, too. Not all systems can sync a
	// directory.
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = errors.Join(d.Sync(), d.Close())
	}
	return nil
}

// RemoveTemporary removes files that a process left behind when it was killed while it
// replaced the file. Earlier versions of ktail gave them numbers.
func RemoveTemporary(path string) error {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), base+".")
		isNumber := rest != "" && strings.Trim(rest, "0123456789") == ""
		if !ok || "."+rest != suffix && !isNumber {
			continue
		}
		if err := os.Remove(dir + e.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
