package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// importWords are the words for imports in the table of ARCHITECTURE.md, by the prefix of
// the path.
var importWords = map[string]string{
	"github.com/cespare/xxhash":                          "a hash",
	"github.com/DataDog/datadog-agent/pkg/template/text": "a fork of text/template",
	"github.com/fatih/color":                             "fatih/color",
	"github.com/klauspost/compress":                      "a compressor",
	"github.com/mattn/go-isatty":                         "go-isatty",
	"github.com/prometheus":                              "Prometheus",
	"go.yaml.in/yaml":                                    "YAML",
	"golang.org/x/crypto/bcrypt":                         "bcrypt",
	"golang.org/x/crypto/x509roots":                      "root certificates",
	"golang.org/x/sys":                                   "x/sys",
	"google.golang.org/protobuf":                         "Prometheus", // the types of its metrics
	"k8s.io":                                             "k8s.io",
}

// TestArchitecture_TableOfLayersNamesImports compares the table with the imports of the
// packages, except those of pkg/ktail, which all may import.
func TestArchitecture_TableOfLayersNamesImports(t *testing.T) {
	rows := regexp.MustCompile(`(?m)^((?:cmd|pkg)/[a-z-]+) .* imports (.*)$`).FindAllStringSubmatch(documents(t)["ARCHITECTURE.md"], -1)
	if len(rows) < 15 {
		t.Fatalf("%d rows found, want the packages of ktail", len(rows))
	}
	for _, row := range rows {
		if row[2] == "everything" {
			continue
		}
		var want []string
		for word := range strings.SplitSeq(row[2], ", ") {
			if word != "nothing" && word != "pkg/ktail" {
				want = append(want, word)
			}
		}
		slices.Sort(want)
		if got := importsOf(t, row[1]); !slices.Equal(got, want) {
			t.Errorf("%s imports %q, ARCHITECTURE.md says %q", row[1], got, want)
		}
	}
}

// importsOf returns what the packages in a directory of the repository import, in the
// words of the table.
func importsOf(t *testing.T, dir string) []string {
	t.Helper()
	const module = "github.com/ktail/ktail/"
	var words []string
	err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			own, isOwn := strings.CutPrefix(imported, module)
			first, _, _ := strings.Cut(imported, "/")
			switch {
			case !strings.Contains(first, "."): // the standard library
			case isOwn && (own == "pkg/ktail" || strings.HasPrefix(own+"/", dir+"/")):
			case isOwn && strings.HasPrefix(own, "internal/"):
				words = append(words, "internal")
			case isOwn:
				words = append(words, strings.Join(strings.SplitN(own, "/", 3)[:2], "/"))
			default:
				word := imported
				for prefix, w := range importWords {
					if strings.HasPrefix(imported, prefix+"/") || imported == prefix {
						word = w
					}
				}
				words = append(words, word)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(words)
	return slices.Compact(words)
}
