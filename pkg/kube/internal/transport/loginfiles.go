package transport

import (
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd/api"
)

// loginDirs are directories, relative to the home directory, in which the tools behind
// credential plugins keep what a login returns.
var loginDirs = []string{
	".aws", ".aws/sso/cache", ".aws/cli/cache", ".azure", ".config/gcloud",
	".kube", ".kube/cache/kubelogin", ".kube/cache/oidc-login", ".tsh",
}

// maxLoginEntries bounds how many entries of a directory are examined.
const maxLoginEntries = 200

// loginFiles are files and directories that usually change when a failing credential
// plugin is repaired: the user logs in, or edits what the plugin reads. Nil loginFiles
// never change.
type loginFiles []string

// newLoginFiles returns the files that the command of the plugin refers to, the
// directories that contain them, and those of loginDirs.
func newLoginFiles(plugin *api.ExecConfig, home string) loginFiles {
	if plugin == nil {
		return nil
	}
	var files loginFiles
	add := func(name string) {
		if filepath.Base(name) == name {
			return // a word rather than a path
		}
		if _, err := os.Stat(name); err != nil {
			return
		}
		files = append(files, name)
		// Unrelated programs write to a directory such as /tmp.
		dir := filepath.Dir(name)
		if info, err := os.Stat(dir); err == nil && info.Mode()&fs.ModeSticky == 0 {
			files = append(files, dir)
		}
	}
	if path, err := exec.LookPath(plugin.Command); err == nil {
		add(path)
	}
	for _, arg := range plugin.Args {
		add(arg)
	}
	for _, env := range plugin.Env {
		add(env.Value)
	}
	if home != "" {
		for _, dir := range loginDirs {
			files = append(files, filepath.Join(home, dir))
		}
	}
	return files
}

// state returns a digest of the names, sizes, and modification times.
func (f loginFiles) state() uint64 {
	sum := fnv.New64a()
	record := func(info fs.FileInfo, err error) {
		if err == nil {
			_, _ = fmt.Fprintln(sum, info.Name(), info.Size(), info.ModTime().UnixNano()) // a hash does not fail
		}
	}
	for _, name := range f {
		info, err := os.Stat(name)
		record(info, err)
		if err != nil || !info.IsDir() {
			continue
		}
		entries, _ := os.ReadDir(name) // without permission, the directory's own time decides
		for _, e := range entries[:min(len(entries), maxLoginEntries)] {
			record(e.Info())
		}
	}
	return sum.Sum64()
}
