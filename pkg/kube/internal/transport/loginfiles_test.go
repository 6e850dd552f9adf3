package transport

import (
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd/api"
)

// The files of a plugin are those that its command names, and what is next to them, but not
// what other programs write to /tmp.
func TestLoginFiles_ChangeWithThePluginsFiles(t *testing.T) {
	tests := []struct {
		name   string
		change string // a file that is written
		want   bool
	}{
		{"a file that an argument names", "bin/plugin.sh", true},
		{"a file next to it", "bin/loggedin", true},
		{"a file that the environment names", "etc/token", true},
		{"a login of a known tool", "home/.aws/sso/cache/1.json", true},
		{"a new file in a shared directory", "tmp/other", false},
		{"another file", "other/file", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, sub := range []string{"bin", "etc", "home/.aws/sso/cache", "tmp", "other"} {
				if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"bin/plugin.sh", "etc/token", "tmp/config"} {
				grow(t, filepath.Join(dir, name))
			}
			files := newLoginFiles(&api.ExecConfig{
				Command: "sh", Args: []string{filepath.Join(dir, "bin/plugin.sh"), "login", "--config", filepath.Join(dir, "tmp/config")},
				Env: []api.ExecEnvVar{{Name: "TOKEN_FILE", Value: filepath.Join(dir, "etc/token")}},
			}, filepath.Join(dir, "home"))
			before := files.state()
			grow(t, filepath.Join(dir, tt.change))
			if got := files.state() != before; got != tt.want {
				t.Errorf("changed: %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLoginFiles_NoPlugin(t *testing.T) {
	if files := newLoginFiles(nil, "/home/me"); len(files) > 0 {
		t.Errorf("%q, want none", files)
	}
}
