package output

import (
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
)

func TestCache_IsBounded(t *testing.T) {
	annotations := map[string]string{"a": strings.Repeat("x", 100_000)}
	tests := []struct {
		name        string
		text        int
		annotations map[string]string
	}{
		{"long texts", 100_000, nil},
		{"short texts of streams with much metadata", 10, annotations},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c cache
			for range 1000 {
				s := &ktail.Stream{Annotations: tt.annotations}
				c.put(s, make([]byte, tt.text))
				if c.get(s) == nil {
					t.Fatal("the entry added last is missing")
				}
				if limit := maxCached / 100_000; len(c.texts) > limit {
					t.Fatalf("%d entries, want at most %d", len(c.texts), limit)
				}
			}
		})
	}
}

func TestCache_DistinguishesStreams(t *testing.T) {
	var c cache
	a, b := &ktail.Stream{Pod: "a"}, &ktail.Stream{Pod: "b"}
	c.put(a, []byte("a"))
	if got := c.get(b); got != nil {
		t.Errorf("get of an unknown stream = %q", got)
	}
	c.put(b, []byte("b"))
	for _, s := range []*ktail.Stream{b, a, a, b, a} {
		if got := string(c.get(s)); got != s.Pod {
			t.Errorf("get(%s) = %q", s.Pod, got)
		}
	}
}
