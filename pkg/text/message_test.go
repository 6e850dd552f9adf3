package text

import "testing"

func TestOneLine_IsSafe(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		" a\r\n\tb  c\n":                 "a b c",
		"\x1b[2Jgone\u202e":              "^[[2Jgone<U+202E>",
		"bad \xff byte":                  "bad <FF> byte",
		"line\u2028separator\u0085other": "line separator other",
	} {
		if got := OneLine(in); got != want {
			t.Errorf("OneLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestRedact_AllFormsOfSecrets(t *testing.T) {
	const in = "user a b: p ss/word, p+ss%2Fword, p%20ss%2Fword; key k3y4"
	const want = "user a b: ***, ***, ***; key ***"
	if got := Redact(in, "p ss/word", "a b", "", "k3y4"); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
