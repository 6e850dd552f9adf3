package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The CA certificates of the system are used if there are any; an empty file or directory
// does not count.
func TestHasRoots(t *testing.T) {
	t.Setenv("SSL_CERT_FILE", "")
	t.Setenv("SSL_CERT_DIR", "")
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("empty.crt", "")
	write("full.crt", "certificate")
	write("certs/a.crt", "certificate")
	if err := os.Mkdir(filepath.Join(dir, "none"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"missing": false, "empty.crt": false, "none": false, "full.crt": true, "certs": true} {
		if got := hasRoots([]string{filepath.Join(dir, name)}); got != want {
			t.Errorf("%s: CA certificates found: %t, want %t", name, got, want)
		}
	}
	t.Setenv("SSL_CERT_FILE", "elsewhere")
	if !hasRoots(nil) {
		t.Error("SSL_CERT_FILE is ignored")
	}
}
