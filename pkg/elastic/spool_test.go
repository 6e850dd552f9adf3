package elastic

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// packed returns a bulk of one document for each text.
func packed(texts ...string) *bulk {
	var p packer
	e := &encoder{}
	s := testStream()
	for i, text := range texts {
		l := ktail.Line{Stream: s, Time: testTime.UnixNano() + int64(i), Text: []byte(text)}
		p.add(&l, readTime, func(dst []byte) []byte { return e.append(dst, &l, readTime) })
	}
	b, _ := p.take()
	return b
}

func mustOpen(t testing.TB, dir string, limit int64) *spool {
	t.Helper()
	s, err := openSpool(dir, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

func mustTake(t *testing.T, s *spool) *bulk {
	t.Helper()
	b, err := s.take()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// documents returns what is left in the spool, in order, and acknowledges it.
func documents(t *testing.T, s *spool) []string {
	t.Helper()
	var all []string
	for b := mustTake(t, s); b != nil; b = mustTake(t, s) {
		if err := b.visit(allOf(len(b.ends)), func(_ int, pair []byte) { all = append(all, string(pair)) }); err != nil {
			t.Fatal(err)
		}
		s.ack(b.frame)
	}
	return all
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// What is not acknowledged is there when the spool is opened again, in order;
// what is, makes room.
func TestSpoolSurvives(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, 64<<20)
	for i := range 5 {
		if err := s.put(packed(fmt.Sprint("a", i), fmt.Sprint("b", i))); err != nil {
			t.Fatal(err)
		}
	}
	first := mustTake(t, s)
	s.ack(first.frame)
	if docs, _ := s.usage(); docs != 8 {
		t.Errorf("%d documents wait, want 8", docs)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, dir, 64<<20)
	if got := documents(t, s); len(got) != 10 || !strings.Contains(got[0], "a0") || !strings.Contains(got[9], "b4") {
		t.Errorf("got %d documents: %.300q", len(got), got)
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("all was acknowledged, and %q are left", left)
	}
	if docs, size := s.usage(); docs != 0 || size != 0 {
		t.Errorf("%d documents, %d bytes are left", docs, size)
	}
}

func TestSpoolIsBounded(t *testing.T) {
	dir := t.TempDir()
	const limit = 64 << 10
	s := mustOpen(t, dir, limit)
	n := 0
	var err error
	for ; err == nil && n < 1000; n++ {
		err = s.put(packed(strings.Repeat(fmt.Sprintf("%08x", n*2654435761), 200)))
	}
	if !errors.Is(err, errSpoolFull) {
		t.Fatalf("after %d bulks: %v", n, err)
	}
	taken := mustTake(t, s) // its segment cannot be dropped
	lost := s.dropOldest()
	if lost == 0 {
		t.Fatal("nothing could be dropped")
	}
	if err := s.put(packed("more")); err != nil {
		t.Errorf("after the oldest were dropped: %v", err)
	}
	size := int64(0)
	for _, f := range files(t, dir) {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > limit {
		t.Errorf("the files hold %d bytes, more than %d", size, limit)
	}
	s.ack(taken.frame)
	if got := len(documents(t, s)); got != n-1-1-lost+1 {
		t.Errorf("%d documents are left, of %d, one delivered, %d dropped, one more", got, n-1, lost)
	}
}

// A segment that ends in the middle of a frame, or in rubbish, gives what is
// whole, and the spool goes on.
func TestSpoolTorn(t *testing.T) {
	whole := appendFrame(appendFrame(nil, packed("one")), packed("two"))
	oneLen := len(appendFrame(nil, packed("one")))
	for cut := 0; cut < len(whole); cut += 5 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "000000000007"+segmentSuffix), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, dir, 64<<20)
		if err := s.put(packed("three")); err != nil {
			t.Fatal(err)
		}
		want := 1
		if cut >= oneLen {
			want = 2
		}
		if got := documents(t, s); len(got) != want || !strings.Contains(got[len(got)-1], "three") {
			t.Fatalf("cut at %d: got %q", cut, got)
		}
		if torn := int64(cut) - int64(want-1)*int64(oneLen); s.torn != torn {
			t.Errorf("cut at %d: %d bytes are told as torn, want %d", cut, s.torn, torn)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLockDir(t *testing.T) {
	dir := t.TempDir()
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockDir(dir); !errors.Is(err, errLocked) || !strings.Contains(err.Error(), dir) {
		t.Errorf("error is %v, want one that says that %s is used", err, dir)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

// Whatever happens to the bytes of a segment, nothing is read that was not
// written.
func FuzzFrames(f *testing.F) {
	one, two := packed("one", "two"), packed("three")
	segment := appendFrame(appendFrame(nil, one), two)
	f.Add(0, byte(0), 0)
	f.Add(5, byte(1), 3)
	f.Add(30, byte(0x80), 0)
	f.Add(len(segment)-1, byte(4), 1)
	f.Fuzz(func(t *testing.T, at int, flip byte, cut int) {
		b := bytes.Clone(segment)
		if at >= 0 && at < len(b) {
			b[at] ^= flip
		}
		if cut > 0 && cut < len(b) {
			b = b[:len(b)-cut]
		}
		r := bytes.NewReader(b)
		for _, want := range []*bulk{one, two} {
			got, _, err := readFrame(r)
			if errors.Is(err, io.EOF) || errors.Is(err, errFrame) {
				return
			}
			if err != nil || !bytes.Equal(got.body, want.body) || fmt.Sprint(got.ends) != fmt.Sprint(want.ends) || got.day != want.day {
				t.Fatalf("got %+v, %v", got, err)
			}
		}
	})
}

// FuzzFrameBytes reads what is no segment at all.
func FuzzFrameBytes(f *testing.F) {
	f.Add(appendFrame(nil, packed("one")))
	f.Add([]byte("KTL1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		frames, docs, size, err := scanFrames(bytes.NewReader(b))
		if err != nil || size > int64(len(b)) || frames > docs {
			t.Errorf("%d frames, %d documents, %d of %d bytes: %v", frames, docs, size, len(b), err)
		}
		if bulk, ok := parseFrame(b); ok {
			_ = bulk.visit(allOf(len(bulk.ends)), func(int, []byte) {})
		}
	})
}

func BenchmarkSpool(b *testing.B) {
	s := mustOpen(b, b.TempDir(), 1<<30)
	ls := loadLines(10_000)
	var p packer
	e := &encoder{}
	for i := range ls {
		p.add(&ls[i], time.Time{}, func(dst []byte) []byte { return e.append(dst, &ls[i], readTime) })
	}
	bulk, _ := p.take()
	for b.Loop() {
		if err := s.put(bulk); err != nil {
			b.Fatal(err)
		}
		taken, err := s.take()
		if err != nil {
			b.Fatal(err)
		}
		s.ack(taken.frame)
	}
	b.ReportMetric(float64(b.N*len(ls))/b.Elapsed().Seconds(), "docs/s")
}

// A write that fails, as on a full disk, loses nothing that was written before,
// and the next one is tried in a new segment.
func TestSpoolWriteFails(t *testing.T) {
	dir := t.TempDir()
	s := mustOpen(t, dir, 64<<20)
	if err := s.put(packed("one")); err != nil {
		t.Fatal(err)
	}
	g := s.segments[0]
	readOnly, err := os.Open(g.path)
	if err != nil {
		t.Fatal(err)
	}
	g.file, readOnly = readOnly, g.file
	if err := readOnly.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.put(packed("two")); err == nil || !strings.Contains(err.Error(), g.path) {
		t.Errorf("error is %v, want one that names the file", err)
	}
	if err := s.put(packed("three")); err != nil {
		t.Fatal(err)
	}
	if got := documents(t, s); len(got) != 2 || !strings.Contains(got[0], "one") || !strings.Contains(got[1], "three") {
		t.Errorf("got %q", got)
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}

func TestSpoolCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "deeper")} {
		if s, err := openSpool(dir, 64<<20); err == nil || !strings.Contains(err.Error(), "open spool: ") || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, %v", dir, s, err)
		}
	}
}
