package output

import "testing"

func TestText_HighlightHidesLevel(t *testing.T) {
	tests := []struct{ expr, want string }{
		{"disk", "\x1b[31mERROR\x1b[0m: " + on + "disk" + off + " full"},
		{"RO", "ER" + on + "RO" + off + "R: disk full"},
		{"absent", "\x1b[31mERROR\x1b[0m: disk full"},
	}
	for _, tt := range tests {
		text := &Text{Levels: true, Highlight: NewHighlighter(compile(tt.expr)...)}
		if got := string(text.paint(nil, []byte("ERROR: disk full"))); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.expr, got, tt.want)
		}
	}
}
