package metrics

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/pkg/internal/wire"
	"github.com/ktail/ktail/pkg/ktail"
)

// fakePositions counts the lines of each stream.
type fakePositions map[ktail.Key]int

func (p fakePositions) Settled(key ktail.Key, n int) { p[key] += n }

func (p fakePositions) AppendSnapshot(dst []byte) []byte {
	for _, n := range p {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return dst
}

// stateOptions are those of a run with this state file.
func stateOptions(path string) Options {
	return Options{State: path, Positions: fakePositions{}}
}

// resumed returns the sink of another run, which has found the pods.
func resumed(t *testing.T, o Options, rules []string, pods ...*ktail.Stream) *Sink {
	t.Helper()
	s := newSink(t, o, rules...)
	s.Streams(pods)
	return s
}

// stateRules make metrics of each type.
var stateRules = []string{codeRule, `took_seconds{code}:t=" (?P<code>\d{3}) t=(?P<t>\S+)`, `temperature:t= t=(?P<t>\S+)`}

func stateLine(k *ktail.Stream, code int) ktail.Line {
	return log(k, fmt.Sprintf(`"GET /" %d t=0.25`, code))
}

// filledState writes a state file with series of all types, and returns the samples
// that a server has seen.
func filledState(t *testing.T, path string) map[string]float64 {
	t.Helper()
	k := pod("web")
	s := resumed(t, stateOptions(path), stateRules, k)
	c := connect(s)
	c.scrape(t)
	write(t, s, stateLine(k, 200), stateLine(k, 500), stateLine(k, 500),
		ktail.Line{Stream: k, Kind: ktail.Gap, Since: time.Now().UnixNano() - 1e9, Time: time.Now().UnixNano()},
		ktail.Line{Stream: k, Kind: ktail.Exit, Time: time.Now().UnixNano(), Text: []byte("Error exit 1")})
	c.scrape(t)
	return counts(c.scrape(t))
}

// counts returns the samples that a run must continue.
func counts(all map[string]float64) map[string]float64 {
	found := map[string]float64{}
	for name, v := range all {
		for _, prefix := range []string{"http_", "took_", "temperature", "ktail_log_", "ktail_container_"} {
			if strings.HasPrefix(name, prefix) {
				found[name] = v
			}
		}
	}
	return found
}

func equal(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		if g, ok := got[name]; !ok || g != v {
			t.Errorf("%s is %v (%v), want %v", name, g, ok, v)
		}
	}
	for name, v := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is %v, and was not there", name, v)
		}
	}
}

// Another run shows at once exactly what the servers saw last.
func TestState_AnotherRunContinues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	want := filledState(t, path)
	if want[code("web", "500")] != 2 || len(want) < 20 {
		t.Fatalf("the first run shows %v", want)
	}
	k := pod("web")
	s := newSink(t, stateOptions(path), stateRules...)
	c := connect(s)
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil).WithContext(c.ctx))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("before the logs are known, the status is %d: series of pods that are gone would be shown", w.Code)
	}
	s.Streams([]*ktail.Stream{k})
	equal(t, counts(c.scrape(t)), want)
	write(t, s, stateLine(k, 500))
	if v := c.scrape(t)[code("web", "500")]; v != 3 {
		t.Errorf("the next line makes %v, want 3", v)
	}
}

// The series that counts what there was no room for belongs to no pod, so that the next run
// continues it, too.
func TestState_TheRestContinues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		pods := []*ktail.Stream{pod("a"), pod("b"), pod("c")}
		run := func() *Sink {
			o := stateOptions(path)
			o.MaxSeries = 2
			return resumed(t, o, []string{`x_total{u}=u=(?P<u>\w+)`}, pods...)
		}
		s := run()
		for _, k := range pods {
			write(t, s, log(k, "u=1"))
		}
		connect(s).scrape(t)
		s = run() // the first one was killed
		c := connect(s)
		for want := 1.0; want < 5; want++ {
			rest := `x_total{container="other",namespace="other",pod="other",u="other"}`
			if got, ok := c.scrape(t)[rest]; got != want || !ok {
				t.Errorf("the rest is %v (%v), want %v", got, ok, want)
			}
			time.Sleep(2 * goneMost)
			s.Streams(pods)
			write(t, s, log(pods[2], "u=1"))
		}
	})
}

// A run that is killed shows what it showed last; lines that no scrape has shown are
// read again from the position in the same file.
func TestState_AKilledRunShowsWhatWasScraped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	k := pod("web")
	o := stateOptions(path)
	s := resumed(t, o, stateRules, k)
	c := connect(s)
	c.scrape(t)
	for range 3 {
		write(t, s, stateLine(k, 500))
	}
	c.scrape(t)
	shown := counts(c.scrape(t))
	write(t, s, stateLine(k, 500), stateLine(k, 404)) // the run is killed before a scrape
	positions, err := LoadPositions(path)
	if err != nil || !bytes.Equal(positions, binary.AppendUvarint(nil, 3)) {
		t.Errorf("the position is %v, %v; want the one after 3 lines", positions, err)
	}
	s = resumed(t, stateOptions(path), stateRules, k)
	equal(t, counts(connect(s).scrape(t)), shown)
}

// Whatever part of a new state has reached the disk when a run is killed, the next one
// has the complete state from before.
func TestState_KilledWhileSaving_HasTheOldState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	want := filledState(t, path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(b) + 1 {
		writeTo(t, path+".tmp", string(b[:n]))
		s := newSink(t, stateOptions(path), stateRules...)
		if n%97 == 0 { // a scrape takes longer than all of this
			s.Streams([]*ktail.Stream{pod("web")})
			equal(t, counts(connect(s).scrape(t)), want)
			writeTo(t, path, string(b))
		}
	}
}

// A state file that is cut off or damaged is refused, and is not touched: half of the
// counts would be wrong without anybody noticing.
func TestState_DamagedAtAnyByte_IsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	filledState(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, b []byte) {
		t.Helper()
		writeTo(t, path, string(b))
		_, err := New(stateOptions(path))
		_, positionsErr := LoadPositions(path)
		if err == nil || positionsErr == nil {
			t.Fatalf("%s: the file is read: %v, %v", what, err, positionsErr)
		}
		if !errors.Is(err, errDamagedState) && !errors.Is(err, errOtherState) || !strings.Contains(err.Error(), path) {
			t.Fatalf("%s: the error is %v", what, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, b) {
			t.Fatalf("%s: the file was changed (%v)", what, err)
		}
	}
	for n := range whole {
		refused(fmt.Sprintf("cut off at %d", n), whole[:n])
		flipped := slices.Clone(whole)
		flipped[n] ^= 0x10
		refused(fmt.Sprintf("a bit of byte %d", n), flipped)
	}
	refused("with more at its end", append(slices.Clone(whole), 0))
}

func TestState_OtherFilesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for text, want := range map[string]error{
		"ktail metrics 2\nsomething": errOtherState,
		"# HELP a_total A.\n":        errOtherState,
		"{}":                         errOtherState,
		"ktail metr":                 errDamagedState,
		"":                           errDamagedState,
		stateMagic:                   errDamagedState,
	} {
		writeTo(t, path, text)
		_, err := New(stateOptions(path))
		_, positionsErr := LoadPositions(path) // it is called first
		for _, err := range []error{err, positionsErr} {
			if !errors.Is(err, want) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away to count from 0") {
				t.Errorf("%q: error is %v, want %v with the path", text, err, want)
			}
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("%q: the file was changed to %q (%v)", text, b, err)
		}
	}
}

// withContent writes a state file with this content and the right checksum.
func withContent(t testing.TB, path string, content []byte) {
	b := binary.LittleEndian.AppendUint64([]byte(stateMagic), uint64(len(content)))
	b = append(b, content...)
	b = binary.LittleEndian.AppendUint32(b, wire.Checksum(content))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzState reads files whose checksum is right and whose content is not what ktail
// writes: they are refused, or read, and nothing else.
func FuzzState(f *testing.F) {
	path := filepath.Join(f.TempDir(), "state")
	s, err := New(stateOptions(path))
	if err != nil {
		f.Fatal(err)
	}
	s.Streams([]*ktail.Stream{pod("web")})
	f.Add(s.encode(nil))
	write(f, s, stateLine(pod("web"), 200))
	f.Add(s.encode(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "state")
		withContent(t, path, content)
		s, err := New(stateOptions(path))
		if err != nil {
			return
		}
		s.Streams([]*ktail.Stream{pod("web")})
		if err := s.Save(); err != nil {
			t.Fatal(err)
		}
		if _, err := New(stateOptions(path)); err != nil {
			t.Errorf("the state cannot be read again: %v", err)
		}
	})
}

// Rules that have changed between two runs: a series continues if it still means the
// same, and starts from 0 otherwise.
func TestState_RulesMayChange(t *testing.T) {
	const other = `other_total=x`
	for _, tt := range []struct {
		name   string
		rules  []string
		want   float64 // of the series with the code 500
		warned bool
	}{
		{"the same", []string{codeRule}, 2, false},
		{"another order", []string{other, codeRule}, 2, false},
		{"another expression", []string{`http_responses_total{code}=HTTP (?P<code>\d+)`}, 2, false},
		{"another label", []string{`http_responses_total{code,a}=(?P<code>\d)(?P<a>\d)`}, 0, true},
		{"a renamed label", []string{`http_responses_total{status}=(?P<status>\d)`}, 0, true},
		{"with a value", []string{`http_responses_total{code}:n=(?P<code>\d)(?P<n>\d)`}, 2, false},
		{"removed", []string{other}, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state")
			filledState(t, path)
			warnings := []string{}
			o := stateOptions(path)
			o.Warn = func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
			s := resumed(t, o, tt.rules, pod("web"))
			all := connect(s).scrape(t)
			if v := all[code("web", "500")]; v != tt.want {
				t.Errorf("the series is %v, want %v", v, tt.want)
			}
			if v := all[`ktail_log_lines_total{container="c",namespace="ns",pod="web"}`]; v != 3 {
				t.Errorf("ktail's own count is %v, want 3", v)
			}
			if got := len(warnings) > 0; got != tt.warned || tt.warned && !strings.Contains(warnings[0], "http_responses_total starts from 0") {
				t.Errorf("warnings are %q", warnings)
			}
			// What was saved can be loaded by the next run.
			resumed(t, stateOptions(path), tt.rules, pod("web"))
		})
	}
	t.Run("other buckets", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		rule := Rule{Name: "took_seconds", Match: `t=(?P<t>\S+)`, Value: "t", By: []string{}}
		for _, buckets := range [][]float64{nil, {1, 2}, {1, 2, 3}} {
			o := stateOptions(path)
			rule.Buckets = buckets
			o.Rules = []Rule{rule}
			s := resumed(t, o, nil, pod("web"))
			write(t, s, log(pod("web"), "t=1.5"))
			c := connect(s)
			c.scrape(t)
			if v := c.scrape(t)["took_seconds_count"]; v != 1 {
				t.Errorf("with the buckets %v, %v lines are counted, want 1", buckets, v)
			}
		}
	})
}

// The state of a run that looked at other logs: their series leave, and the logs of
// this run count from the time when the state was saved.
func TestState_OfOtherLogs_CountsFromTheSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		filledState(t, path)
		time.Sleep(time.Hour)
		o := stateOptions(path)
		o.Since = time.Now()
		other := pod("other")
		s := resumed(t, o, stateRules, other)
		old := stateLine(other, 500)
		old.Time = time.Now().Add(-2 * time.Hour).UnixNano() // older than the state
		away := stateLine(other, 500)
		away.Time = time.Now().Add(-30 * time.Minute).UnixNano() // while no ktail was running
		write(t, s, old, away, stateLine(other, 500))
		c := connect(s)
		c.scrape(t)
		all := c.scrape(t)
		if v := all[code("other", "500")]; v != 2 {
			t.Errorf("%v lines of the other log count, want 2", v)
		}
		if left := names(all, code("web", "500")); len(left) > 0 {
			t.Errorf("series of logs that are gone are left: %q", left)
		}
	})
}

func BenchmarkSave(b *testing.B) {
	o := stateOptions(filepath.Join(b.TempDir(), "state"))
	o.Rules = []Rule{{Name: "a_total", Match: `(?P<x>\d+)`, Labels: []Label{{"x", "x"}}, Limit: 10_000}}
	s, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	s.Streams([]*ktail.Stream{pod("web")})
	for i := range 10_000 {
		write(b, s, log(pod("web"), fmt.Sprint(i)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Save(); err != nil {
			b.Fatal(err)
		}
	}
}
