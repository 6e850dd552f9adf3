package web

import "testing"

func TestWithoutComments(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"a.js", "// one\n  // two\ncode(); // kept\n", "\n\ncode(); // kept\n"},
		{"a.js", "/**\n * Text.\n * @param {string} a\n */\nf();\n", "\n\n\n\nf();\n"},
		{"a.js", "/** @type {x} */\nlet a = /** @type {y} */ (b);\n", "\nlet a = /** @type {y} */ (b);\n"},
		{"a.js", "  /** @type {x} */ a: 1,\n  /** @type {z} */ b: 2,\n", "  /** @type {x} */ a: 1,\n  /** @type {z} */ b: 2,\n"},
		{"a.js", "const s = \"https://x\";\nlet r = /^https?:\\/\\//;\n", "const s = \"https://x\";\nlet r = /^https?:\\/\\//;\n"},
		{"a.css", "/* one\n   two */\na { b: c } /* kept */\n", "\n\na { b: c } /* kept */\n"},
		{"a.html", "<!-- a -->\n// b\n", "<!-- a -->\n// b\n"},
	} {
		if got := string(withoutComments(c.name, []byte(c.in))); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.in, got, c.want)
		}
	}
}
