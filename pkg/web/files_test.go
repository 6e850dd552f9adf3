package web

import (
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestWithoutComments_RemovesWholeLinesAndTypes(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"a.js", "// one\n  // two\ncode(); // kept\n", "\n\ncode(); // kept\n"},
		{"a.js", "/**\n * Text.\n * @param {string} a\n */\nf();\n", "\n\n\n\nf();\n"},
		{"a.js", "/** @type {x} */\nlet a = /** @type {y} */ (b);\n", "\nlet a = (b);\n"},
		{"a.js", "  /** @type {x} */ a: 1,\n\n/** Text. */\nf();\n", "  a: 1,\n\n\nf();\n"},
		{"a.js", "/** a ** b / c **/\nf();\n", "\nf();\n"},
		{"a.js", "const s = \"https://x\";\nlet r = /^https?:\\/\\//;\n", "const s = \"https://x\";\nlet r = /^https?:\\/\\//;\n"},
		{"a.css", "/* one\n   two */\na { b: c } /* kept */\n", "\n\na { b: c } /* kept */\n"},
		{"a.html", "<!-- a -->\n// b\n", "<!-- a -->\n// b\n"},
	} {
		if got := string(withoutComments(c.name, []byte(c.in))); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.in, got, c.want)
		}
	}
}

var types = regexp.MustCompile(`/\*\* @type \{.*?\*/ ?`)

// Of the files of the page, only lines that are comments change, and types.
func TestWithoutComments_KeepsTheCode(t *testing.T) {
	entries, err := os.ReadDir("ui")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		body, err := os.ReadFile("ui/" + e.Name())
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(string(withoutComments(e.Name(), body)), "\n")
		comment := false
		for i, line := range strings.Split(string(body), "\n") {
			text := strings.TrimSpace(line)
			comment = comment || strings.HasPrefix(text, "/*")
			isComment := strings.HasPrefix(text, "//") || comment && (!strings.Contains(text, "*/") || strings.HasSuffix(text, "*/"))
			line = types.ReplaceAllString(line, "")
			if i >= len(got) || types.ReplaceAllString(got[i], "") != line && (got[i] != "" || !isComment) {
				t.Fatalf("%s:%d: %q is lost", e.Name(), i+1, line)
			}
			comment = comment && !strings.Contains(text, "*/")
		}
	}
}

// The page requests the modules that the first rows need, and no others, at once.
func TestFiles_PreloadsTheModulesOfTheFirstRows(t *testing.T) {
	read := func(name string) string {
		body, err := os.ReadFile("ui/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	var needed []string
	imports := regexp.MustCompile(`(?m)^import .* from "\./(.*)";$`)
	for todo := []string{"main.js"}; len(todo) > 0; todo = todo[1:] {
		for _, m := range imports.FindAllStringSubmatch(read(todo[0]), -1) {
			if !slices.Contains(needed, m[1]) {
				needed = append(needed, m[1])
				todo = append(todo, m[1])
			}
		}
	}
	var preloaded []string
	for _, m := range regexp.MustCompile(`<link rel="modulepreload" href="/(.*)">`).FindAllStringSubmatch(read("index.html"), -1) {
		preloaded = append(preloaded, m[1])
	}
	slices.Sort(needed)
	slices.Sort(preloaded)
	if len(needed) == 0 || !slices.Equal(preloaded, needed) {
		t.Errorf("preloaded: %v\nneeded: %v", preloaded, needed)
	}
}

// Every file of the page has a type, without which a browser does not use it.
func TestFiles_HaveTheirTypes(t *testing.T) {
	entries, err := os.ReadDir("ui")
	if err != nil {
		t.Fatal(err)
	}
	files := newFiles()
	for _, e := range entries {
		w := httptest.NewRecorder()
		files.ServeHTTP(w, httptest.NewRequest("GET", "/"+e.Name(), nil))
		if w.Header().Get("Content-Type") == "" {
			t.Errorf("%s has no type", e.Name())
		}
	}
}
