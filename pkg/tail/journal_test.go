package tail

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ktail/ktail/pkg/ktail"
)

// ledger is a model of Positions: it keeps every position that each stream has
// ever had on disk.
type ledger struct {
	t       testing.TB
	p       *Positions
	streams []*ktail.Stream
	lines   int64
	history []map[string]bool // of each stream: encoded positions; "" is none
}

func newLedger(t testing.TB, path string, streams int) *ledger {
	p, err := LoadPositions(path)
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{t: t, p: p}
	for i := range streams {
		uid := fmt.Sprintf("6d4cf56d-b6fd-4f5a-9c3e-%012d", i)
		if i%3 == 2 {
			uid = "not a UUID " + uid
		}
		l.streams = append(l.streams, &ktail.Stream{PodUID: uid, Container: fmt.Sprint("app-", i)})
		l.history = append(l.history, map[string]bool{"": true})
	}
	return l
}

// settle records and settles n more lines of a stream.
func (l *ledger) settle(stream, n int) {
	s := l.streams[stream]
	batch := make([]ktail.Line, n)
	for i := range batch {
		l.lines++
		batch[i] = ktail.Line{Stream: s, Time: 1_800_000_000_000_000_000 + l.lines*300_000_000, Text: fmt.Append(nil, l.lines)}
	}
	l.p.record(s.Key(), batch, func(*ktail.Line) bool { return true })
	l.p.Settled(s.Key(), n)
}

// save saves the positions and records them.
func (l *ledger) save() {
	l.t.Helper()
	if err := l.p.Save(); err != nil {
		l.t.Fatal(err)
	}
	for i := range l.streams {
		l.history[i][l.position(l.p, i)] = true
	}
}

func (l *ledger) position(p *Positions, stream int) string {
	s := p.streams[l.streams[stream].Key()]
	if s == nil || s.settled.IsZero() {
		return ""
	}
	b, _ := s.settled.AppendBinary(nil)
	return string(b)
}

// check loads the file and reports positions that no stream has had.
func (l *ledger) check(path, what string) *Positions {
	l.t.Helper()
	p, err := LoadPositions(path)
	if err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
	if len(p.streams) > len(l.streams) {
		l.t.Errorf("%s: the file has %d streams, want at most %d", what, len(p.streams), len(l.streams))
	}
	for i := range l.streams {
		if !l.history[i][l.position(p, i)] {
			l.t.Errorf("%s: stream %d has a position that was never saved", what, i)
		}
	}
	return p
}

// checkSaved saves positions that were loaded, and loads them again.
func (l *ledger) checkSaved(p *Positions, path, what string) {
	l.t.Helper()
	if err := p.Save(); err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
	again, err := LoadPositions(path)
	if err != nil || again.Damaged() != 0 {
		l.t.Fatalf("%s, saved again: %v, %d bytes are damaged", what, err, again.Damaged())
	}
	for i := range l.streams {
		if l.position(p, i) != l.position(again, i) {
			l.t.Errorf("%s, saved again: stream %d has another position", what, i)
		}
	}
}

// sample returns the content of a file that several saves have written.
func sample(t testing.TB) (*ledger, []byte) {
	path := filepath.Join(t.TempDir(), "positions")
	l := newLedger(t, path, 4)
	l.settle(0, 3)
	l.save()
	for round := range 3 {
		l.settle(round, 2)
		l.settle(round+1, 5)
		l.save()
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return l, b
}

func write(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestJournal_IsReadableWhereverAWriteStops(t *testing.T) {
	l, b := sample(t)
	path := filepath.Join(t.TempDir(), "positions")
	for n := range len(b) + 1 {
		write(t, path, b[:n])
		p := l.check(path, fmt.Sprint("cut to ", n))
		if p.Damaged() != 0 {
			t.Fatalf("cut to %d bytes: %d bytes are reported as damaged", n, p.Damaged())
		}
		if n%50 == 0 {
			l.checkSaved(p, path, fmt.Sprint("cut to ", n))
		}
		zeroed := append(bytes.Clone(b[:n]), make([]byte, len(b)-n+4096)...)
		write(t, path, zeroed)
		l.check(path, fmt.Sprint("zeros from ", n))
	}
	write(t, path, b)
	for i := range l.streams {
		if p := l.check(path, "whole"); l.position(p, i) != l.position(l.p, i) {
			t.Errorf("stream %d does not have its last position", i)
		}
	}
}

func TestJournal_SkipsDamagedRecords(t *testing.T) {
	l, b := sample(t)
	path := filepath.Join(t.TempDir(), "positions")
	for i := range b {
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[i] ^= 1 << bit
			write(t, path, bad)
			if i < len(journalMagic) {
				if _, err := LoadPositions(path); err == nil || !strings.Contains(err.Error(), path) {
					t.Fatalf("with byte %d changed the error is %v, want one that names the file", i, err)
				}
				continue
			}
			what := fmt.Sprintf("bit %d of byte %d flipped", bit, i)
			p := l.check(path, what)
			if i%50 > 0 || bit > 0 {
				continue
			}
			_ = os.Remove(path + ".damaged")
			l.checkSaved(p, path, what)
			kept, err := os.ReadFile(path + ".damaged")
			if (p.Damaged() > 0) != (err == nil) || err == nil && !bytes.Equal(kept, bad) {
				t.Fatalf("byte %d: %d bytes are reported as damaged, and a copy: %v", i, p.Damaged(), err)
			}
		}
	}
}

func TestLoadPositions_RejectsOtherVersions(t *testing.T) {
	_, b := sample(t)
	record := appendRecord([]byte(journalMagic), []byte{recordPosition + 1, 1, 2, 3})
	for name, content := range map[string][]byte{
		"an older version": append([]byte("ktail positions 1\n"), 1, 2, 3),
		"a later version":  append([]byte("ktail positions 3\n"), b[len(journalMagic):]...),
		"another file":     []byte("hello"),
		"another record":   record,
	} {
		path := filepath.Join(t.TempDir(), "positions")
		write(t, path, content)
		if _, err := LoadPositions(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "another version") {
			t.Errorf("%s: error is %v, want one that names the other version", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
			t.Errorf("%s: the file was changed: %v", name, err)
		}
	}
}

func TestLoadPositions_RemovesTemporaryFiles(t *testing.T) {
	for _, base := range []string{"state", "k[t]ail", "k[tail", `a\b`, "*"} { // the name of a directory is no pattern
		dir := filepath.Join(t.TempDir(), base)
		if runtime.GOOS == "windows" && strings.ContainsAny(base, `*\`) {
			continue
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{"positions.tmp": false, "positions.123": false, "positions.damaged": true, "positions.old": true, "other.1": true} {
			write(t, filepath.Join(dir, name), []byte("x"))
			if _, err := LoadPositions(filepath.Join(dir, "positions")); err != nil {
				t.Errorf("%s: %v", base, err)
			}
			if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
				t.Errorf("%s: %s is still there: %v, want %v", base, name, err == nil, want)
			}
		}
	}
}

// When a save fails, the next one writes everything that the failed one did
// not.
func TestSave_RecoversFromFailure(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	for _, interfere := range []struct {
		name       string
		break_, ok func() error
	}{
		{"the directory is away", func() error { return os.Rename(dir, dir+".away") }, func() error { return os.Rename(dir+".away", dir) }},
		{"another process wrote to the file", func() error {
			return os.WriteFile(filepath.Join(dir, "positions"), []byte(journalMagic+"garbage"), 0o600)
		}, func() error { return nil }},
	} {
		t.Run(interfere.name, func(t *testing.T) {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir) //nolint:errcheck // t.TempDir removes it as well
			path := filepath.Join(dir, "positions")
			l := newLedger(t, path, 3)
			l.settle(0, 1)
			l.save()
			l.settle(1, 2)
			if err := interfere.break_(); err != nil {
				t.Fatal(err)
			}
			if err := l.p.Save(); err == nil {
				t.Error("the save did not fail")
			}
			l.settle(2, 3)
			if err := interfere.ok(); err != nil {
				t.Fatal(err)
			}
			l.save()
			p := l.check(path, "afterwards")
			for i := range l.streams {
				if l.position(p, i) == "" {
					t.Errorf("the position of stream %d is missing", i)
				}
			}
		})
	}
}

// The file stays small even if the positions change forever.
func TestSave_BoundsFileSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "positions")
	l := newLedger(t, path, 300)
	largest := int64(0)
	for range 60 {
		for i := range l.streams {
			l.settle(i, 1)
		}
		if err := l.p.Save(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if bound := int64(max(minRewrite, maxGarbage*l.p.size) + l.p.size); largest > bound {
		t.Errorf("the file of %d positions grew to %d bytes", len(l.streams), largest)
	}
	l.save()
	p := l.check(path, "at the end")
	for i := range l.streams {
		if l.position(p, i) != l.position(l.p, i) {
			t.Errorf("stream %d does not have its last position", i)
		}
	}
}

// FuzzJournal checks that, whatever is settled and saved, and wherever the
// machine stops during a save, every stream has the position of the last
// complete save or of the interrupted one.
func FuzzJournal(f *testing.F) {
	f.Add([]byte{0, 1, 2, 250, 3, 4, 251, 40, 5, 250})
	f.Add([]byte{250, 1, 251, 3, 251, 200, 252, 0, 1, 250})
	f.Fuzz(func(t *testing.T, ops []byte) {
		if len(ops) > 200 {
			return
		}
		path := filepath.Join(t.TempDir(), "positions")
		l := newLedger(t, path, 5)
		saved := make([]string, len(l.streams))
		l.save()
		for i := 0; i < len(ops); i++ {
			switch op := ops[i]; {
			case op < 250:
				l.settle(int(op)%len(l.streams), 1+int(op)/50)
			case op == 250:
				l.save()
				for s := range saved {
					saved[s] = l.position(l.p, s)
				}
			default: // the machine stops in the next save
				before, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				l.save()
				after, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				i++
				if bytes.HasPrefix(after, before) && i < len(ops) { // or else the file was replaced, at once
					n := len(before) + int(ops[i])*(len(after)-len(before))/255
					write(t, path, append(bytes.Clone(after[:n]), make([]byte, int(op-251)*100)...))
				}
				interrupted := l.p
				l.p = l.check(path, "after a crash")
				l.checkSaved(l.p, path, "after a crash")
				for s := range saved {
					got := l.position(l.p, s)
					if got != saved[s] && got != l.position(interrupted, s) {
						t.Fatalf("stream %d has neither the position before the crash nor the one after it", s)
					}
					saved[s] = got
				}
			}
		}
	})
}
