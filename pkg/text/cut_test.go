package text

import "testing"

func TestCut_KeepsWholeCharacters(t *testing.T) {
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{
		{"abc", 5, "abc"}, {"abc", 3, "abc"}, {"abc", 2, "ab"}, {"abc", 0, ""}, {"", 0, ""},
		{"a€b", 4, "a€"}, {"a€b", 3, "a"}, {"a€b", 2, "a"}, {"a€b", 1, "a"},
		{"😀😀", 7, "😀"}, {"😀😀", 4, "😀"}, {"😀", 3, ""}, {"€", 1, ""},
		{"\x80\x80\x80\x80\x80\x80", 5, "\x80\x80\x80\x80\x80"}, {"\x80\x80", 1, "\x80"},
	} {
		if got := string(Cut([]byte(tt.text), tt.n)); got != tt.want {
			t.Errorf("%q cut to %d bytes is %q, want %q", tt.text, tt.n, got, tt.want)
		}
		want := tt.want
		if want != tt.text {
			want += "…"
		}
		if got := Shorten(tt.text, tt.n); got != want {
			t.Errorf("%q shortened to %d bytes is %q, want %q", tt.text, tt.n, got, want)
		}
	}
}
