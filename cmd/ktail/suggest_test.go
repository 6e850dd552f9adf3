package main

import "testing"

func TestDidYouMean_NamesSimilarOrAll(t *testing.T) {
	for _, tt := range []struct {
		word  string
		names []string
		want  string
	}{
		{"wbe", []string{"web", "api"}, "; did you mean web?"},
		{"qqq", []string{"web", "api"}, "; available: api, web"},
		{"qqq", []string{"l", "k", "j", "i", "h", "g", "f", "e", "d", "c", "b", "a"}, "; available: a, b, c, d, e, f, g, h, i, j, …"},
		{"qqq", nil, ""},
	} {
		if got := didYouMean(tt.word, tt.names); got != tt.want {
			t.Errorf("didYouMean(%q, %q) is %q, want %q", tt.word, tt.names, got, tt.want)
		}
	}
}
