package spool_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
)

// segmentOf returns the bytes of a segment with the entries that was not sealed, as
// after a crash, or that was.
func segmentOf(t testing.TB, sealed bool, texts ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	s := mustOpen(t, dir, 64<<20, nil)
	mustPut(t, s, texts...)
	name := files(t, dir, "*.spool")[0]
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if sealed {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if b, err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// withSegment returns a directory with the segment.
func withSegment(t testing.TB, b []byte) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	path = filepath.Join(dir, "000000000007.spool")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, path
}

func TestSpool_TornWriteLosesOnlyItself(t *testing.T) {
	one := len(segmentOf(t, false, "one"))
	whole := segmentOf(t, false, "one", "two")
	for cut := range whole {
		for _, tail := range [][]byte{nil, make([]byte, len(whole)-cut)} { // the size may be written before the content
			dir, _ := withSegment(t, slices.Concat(whole[:cut], tail))
			s := mustOpen(t, dir, 64<<20, nil)
			mustPut(t, s, "three")
			want := []string{"three"}
			if cut >= one {
				want = []string{"one", "three"}
			}
			got, _ := drain(t, s)
			if bytes.Equal(slices.Concat(whole[:cut], tail), whole) {
				continue
			}
			if !slices.Equal(got, want) {
				t.Fatalf("cut at %d, %d zeros: got %q, want %q", cut, len(tail), got, want)
			}
		}
	}
}

func TestSpool_FlippedByteLosesOneEntry(t *testing.T) {
	texts := []string{"one", "two", "three", "four", "five"}
	for _, sealed := range []bool{false, true} {
		whole := segmentOf(t, sealed, texts...)
		for at := range whole {
			b := bytes.Clone(whole)
			b[at] ^= 0x10
			dir, path := withSegment(t, b)
			s := mustOpen(t, dir, 64<<20, nil)
			got, errs := drain(t, s)
			if len(got) < len(texts)-1 || !isSubsequence(got, texts) {
				t.Fatalf("sealed %v, byte %d: got %q", sealed, at, got)
			}
			if len(got) == len(texts) {
				continue
			}
			var damage *spool.DamageError
			if len(errs) != 1 || !errors.As(errs[0], &damage) || damage.Bytes == 0 || sealed && damage.Docs != 2 {
				t.Fatalf("sealed %v, byte %d: reported as %v", sealed, at, errs)
			}
			kept, err := os.ReadFile(damage.Path)
			if err != nil || !bytes.Equal(kept, b) || damage.Path != path+".damaged" {
				t.Fatalf("sealed %v, byte %d: the damaged file is not kept: %v", sealed, at, err)
			}
			if docs, size := s.Usage(); docs != 0 || size != 0 {
				t.Fatalf("sealed %v, byte %d: %d documents and %d bytes are left", sealed, at, docs, size)
			}
		}
	}
}

func isSubsequence(some, all []string) bool {
	for _, s := range all {
		if len(some) > 0 && some[0] == s {
			some = some[1:]
		}
	}
	return len(some) == 0
}

func TestSpool_RefusesUnknownVersions(t *testing.T) {
	newer := segmentOf(t, true, "one")
	copy(newer, "ktailspm")
	copy(newer[16:], "\x89KF\x03")
	for name, b := range map[string][]byte{
		"frames of another kind":        newer,
		"version 1 with another number": append([]byte("KTL2"), make([]byte, 200)...),
		"text":                          []byte("some notes that happen to be here"),
		"short text":                    []byte("x"),
	} {
		t.Run(name, func(t *testing.T) {
			dir, path := withSegment(t, b)
			if s, err := spool.Open(dir, 64<<20, nil); !errors.Is(err, spool.ErrVersion) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, %v; want an error that names the file", s, err)
			}
			if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, b) {
				t.Errorf("the file has changed: %v", err)
			}
		})
	}
}

func TestSpool_LeavesPreviousVersionAlone(t *testing.T) {
	b := append([]byte("KTL1"), make([]byte, 200)...)
	dir, path := withSegment(t, b)
	s := mustOpen(t, dir, 64<<20, nil)
	if got := s.Previous(); !slices.Equal(got, []string{path}) {
		t.Errorf("reported are %q", got)
	}
	mustPut(t, s, "new")
	if got, errs := drain(t, s); !slices.Equal(got, []string{"new"}) || errs != nil {
		t.Errorf("got %q, %v", got, errs)
	}
	if kept, err := os.ReadFile(path); err != nil || !bytes.Equal(kept, b) {
		t.Errorf("the file has changed: %v", err)
	}
}
