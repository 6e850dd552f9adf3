package text

import (
	"slices"
	"testing"
)

func TestSimilar_MostLikelyFirst(t *testing.T) {
	tests := []struct {
		word  string
		names []string
		want  []string
	}{
		{"wbe", []string{"api", "web", "cart"}, []string{"web"}},
		{"wbe", []string{"shop-web-blue"}, []string{"shop-web-blue"}},
		{"chekout", []string{"checkout-worker", "checkout", "cart"}, []string{"checkout", "checkout-worker"}},
		{"Prod", []string{"prod"}, []string{"prod"}},
		{"deplyo", []string{"deployment", "daemonset"}, []string{"deployment"}},
		{"x", []string{"y", "z"}, nil}, // any one-letter name has distance 1
		{"x", []string{"context", "max-log-requests"}, nil},
		{"something", []string{"web"}, nil},
		{"", []string{"web"}, nil},
		{"web", nil, nil},
		{"tali", []string{"align", "container", "tail"}, []string{"tail"}},
		{"exclud", []string{"exclude", "exclude-pod", "include"}, []string{"exclude", "exclude-pod"}},
		{"timestamp", []string{"timestamps", "timezone"}, []string{"timestamps"}},
		{"cont", []string{"container", "context"}, []string{"context", "container"}},
		{"wep", []string{"web-4", "web-3", "web-2", "web-1"}, []string{"web-1", "web-2", "web-3"}},
	}
	for _, tt := range tests {
		if got := Similar(tt.word, tt.names); !slices.Equal(got, tt.want) {
			t.Errorf("Similar(%q, %q) is %q, want %q", tt.word, tt.names, got, tt.want)
		}
	}
}

func TestDidYouMean_NamesMostLikely(t *testing.T) {
	for _, tt := range []struct {
		word  string
		names []string
		want  string
	}{
		{"exclud", []string{"exclude", "exclude-pod"}, "; did you mean exclude?"},
		{"qqq", []string{"web", "api"}, ""},
		{"qqq", nil, ""},
	} {
		if got := DidYouMean(tt.word, tt.names); got != tt.want {
			t.Errorf("DidYouMean(%q, %q) is %q, want %q", tt.word, tt.names, got, tt.want)
		}
	}
}
