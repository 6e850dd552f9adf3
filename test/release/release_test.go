//go:build release

package release

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// sizeLimit is the maximum size of the program in bytes.
const sizeLimit = 22_000_000

// shippedFiles returns the names of the files that are shipped with the program
// and are identical to those in the repository.
func shippedFiles(t *testing.T) []string {
	return append(manPages(t), "LICENSE", "README.md", "CHANGELOG.md",
		"completions/ktail.bash", "completions/_ktail", "completions/ktail.fish", "completions/ktail.ps1")
}

func manPages(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(os.DirFS(filepath.Join("..", "..")), "docs/man/*.1")
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Each platform has an archive that contains all files and no others.
func TestArchives_AreComplete(t *testing.T) {
	for _, p := range platforms {
		t.Run(p.String(), func(t *testing.T) {
			files := unpack(t, p.archive(t))
			program := files[p.binary()]
			if size := len(program.content); size == 0 || size > sizeLimit {
				t.Errorf("the program has %d bytes, the limit is %d", size, sizeLimit)
			}
			if program.mode.Perm() != 0o755 {
				t.Errorf("the program has the mode %v", program.mode)
			}
			t.Logf("%s: %d bytes", p.binary(), len(program.content))
			delete(files, p.binary())
			for _, name := range shippedFiles(t) {
				want, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
				if err != nil {
					t.Fatal(err)
				}
				if got, ok := files[name]; !ok || !bytes.Equal(got.content, want) {
					t.Errorf("%s is missing or differs", name)
				}
				delete(files, name)
			}
			for name := range files {
				t.Errorf("unexpected file %s", name)
			}
		})
	}
}

// The program in this platform's archive works.
func TestBinary_Runs(t *testing.T) {
	files := unpack(t, here.archive(t))
	program := filepath.Join(extract(t, files), here.binary())
	wantVersion(t, "ktail", output(t, "", program, "--version"))
	if got := output(t, "", program, "--completion", "bash"); got != string(files["completions/ktail.bash"].content) {
		t.Error("the output of --completion differs from the file in the archive")
	}
	if got := output(t, "GET /cart 200\n", program, "--stdin", "-o", "raw"); got != "GET /cart 200\n" {
		t.Errorf("--stdin prints %q", got)
	}
}

// The packages install each file where its system looks for it.
func TestPackages_AreComplete(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		deb := fmt.Sprintf("ktail_%s_linux_%s.deb", released(t).Version, arch)
		files := unpack(t, deb)
		installed := map[string]string{
			"usr/share/bash-completion/completions/ktail":    "completions/ktail.bash",
			"usr/share/zsh/vendor-completions/_ktail":        "completions/_ktail",
			"usr/share/fish/vendor_completions.d/ktail.fish": "completions/ktail.fish",
			"usr/share/doc/ktail/copyright":                  "LICENSE",
			"usr/bin/ktail":                                  "ktail",
		}
		for _, name := range manPages(t) {
			installed["usr/share/man/man1/"+path.Base(name)] = name
		}
		archived := unpack(t, platform{"linux", arch}.archive(t))
		for at, name := range installed {
			if got, ok := files[at]; !ok || !bytes.Equal(got.content, archived[name].content) {
				t.Errorf("%s: %s differs from %s in the archive", deb, at, name)
			}
		}
		for _, name := range []string{"usr/bin/kubectl-ktail", "usr/bin/kubectl_complete-ktail"} {
			if got := files[name].link; got != "ktail" {
				t.Errorf("%s: %s links to %q", deb, name, got)
			}
		}
		if here == (platform{"linux", arch}) {
			plugin := filepath.Join(extract(t, files), "usr", "bin", "kubectl-ktail")
			wantVersion(t, "kubectl ktail", output(t, "", plugin, "--version"))
		}

		// The header of an rpm is not compressed, so it contains the names of
		// the files.
		rpm := strings.TrimSuffix(deb, ".deb") + ".rpm"
		content := read(t, rpm)
		if !bytes.HasPrefix(content, []byte{0xed, 0xab, 0xee, 0xdb}) {
			t.Errorf("%s is not an rpm", rpm)
		}
		for _, name := range []string{
			"ktail", "kubectl-ktail", "kubectl_complete-ktail", "ktail.fish", "_ktail", "LICENSE",
			"/usr/bin/", "/usr/share/bash-completion/completions/", "/usr/share/zsh/site-functions/",
		} {
			if !bytes.Contains(content, []byte("\x00"+name+"\x00")) {
				t.Errorf("%s does not name %s", rpm, name)
			}
		}
	}
}

// Every published file has a correct checksum.
func TestChecksums_Match(t *testing.T) {
	sums := checksums(t)
	for name, sum := range sums {
		if got := sha(read(t, name)); got != sum {
			t.Errorf("%s has the checksum %s, want %s", name, got, sum)
		}
	}
	for _, p := range platforms {
		stem := fmt.Sprintf("ktail_%s_%s", released(t).Version, p)
		names := []string{p.archive(t), stem + ".sbom.json"}
		if p.os == "linux" {
			names = append(names, stem+".deb", stem+".rpm")
		}
		for _, name := range names {
			if sums[name] == "" {
				t.Errorf("%s has no checksum", name)
			}
		}
	}
}

// krew finds an archive for each platform, with the program in it.
func TestKrew_ManifestInstalls(t *testing.T) {
	var manifest struct {
		Metadata struct{ Name string }
		Spec     struct {
			Version   string
			Platforms []struct {
				URI, SHA256, Bin string
				Selector         struct{ MatchLabels struct{ OS, Arch string } }
			}
		}
	}
	if err := yaml.Unmarshal(read(t, "krew/ktail.yaml"), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Metadata.Name != "ktail" || manifest.Spec.Version != "v"+released(t).Version {
		t.Errorf("the manifest is for %s %s", manifest.Metadata.Name, manifest.Spec.Version)
	}
	missing := map[platform]bool{}
	for _, p := range platforms {
		missing[p] = true
	}
	for _, offer := range manifest.Spec.Platforms {
		p := platform{offer.Selector.MatchLabels.OS, offer.Selector.MatchLabels.Arch}
		delete(missing, p)
		if path.Base(offer.URI) != p.archive(t) || offer.SHA256 != sha(read(t, p.archive(t))) {
			t.Errorf("%s: %s with the checksum %s is not the archive", p, offer.URI, offer.SHA256)
		}
		if _, ok := unpack(t, p.archive(t))[offer.Bin]; !ok {
			t.Errorf("%s: the archive has no %s", p, offer.Bin)
		}
	}
	for p := range missing {
		t.Errorf("%s is missing", p)
	}
}

// Homebrew finds its archives, and in them the files that it installs.
func TestHomebrew_CaskIsValid(t *testing.T) {
	cask := string(read(t, "homebrew/Casks/ktail.rb"))
	for _, p := range platforms {
		if p.os == "windows" {
			continue
		}
		if !strings.Contains(cask, `sha256 "`+sha(read(t, p.archive(t)))+`"`) {
			t.Errorf("the checksum of %s is missing", p.archive(t))
		}
		files := unpack(t, p.archive(t))
		named := regexp.MustCompile(`(?m)^\s+(?:binary|manpage|\w+_completion) "([^"]+)"`).FindAllStringSubmatch(cask, -1)
		if want := 3 + 3 + len(manPages(t)); len(named) != want {
			t.Errorf("%d files are installed, want %d: names of the program, completions, man pages", len(named), want)
		}
		for _, m := range named {
			if _, ok := files[m[1]]; !ok {
				t.Errorf("%s has no %s", p.archive(t), m[1])
			}
		}
	}
}

// The bill of materials names the linked modules with their versions.
func TestSBOM_ListsModules(t *testing.T) {
	type component struct{ Name, Version string }
	for _, p := range platforms {
		name := fmt.Sprintf("ktail_%s_%s.sbom.json", released(t).Version, p)
		var bom struct {
			BOMFormat  string
			Metadata   struct{ Component component }
			Components []component
		}
		if err := json.Unmarshal(read(t, name), &bom); err != nil {
			t.Fatal(err)
		}
		if bom.BOMFormat != "CycloneDX" || bom.Metadata.Component.Version != "v"+released(t).Version {
			t.Errorf("%s has format %s and component %v", name, bom.BOMFormat, bom.Metadata.Component)
		}
		linked := map[string]string{}
		for _, c := range bom.Components {
			linked[c.Name] = c.Version
		}
		for _, module := range []string{"k8s.io/client-go", "github.com/spf13/cobra"} {
			want := strings.TrimSpace(output(t, "", "go", "list", "-m", "-f", "{{.Version}}", module))
			if linked[module] != want {
				t.Errorf("%s: %s has the version %q, want %q", name, module, linked[module], want)
			}
		}
		if linked["std"] == "" {
			t.Errorf("%s: no standard library", name)
		}
	}
}

// wantVersion checks the output of --version.
func wantVersion(t *testing.T, program, got string) {
	t.Helper()
	m := released(t)
	want := fmt.Sprintf("%s version v%s, commit %s, committed ", program, m.Version, m.Commit)
	if !strings.HasPrefix(got, want) {
		t.Errorf("--version prints %q, want a text that starts with %q", got, want)
	}
}

// output runs a program and returns its stdout.
func output(t *testing.T, stdin, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", filepath.Base(program), strings.Join(args, " "), err)
	}
	return string(out)
}
