package logfiles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ktail/ktail/pkg/ktail"
)

// kubelet makes the files of a directory change as a kubelet and a runtime do, one step
// before each request, as a script says.
type kubelet struct {
	dir
	t        *testing.T
	script   []byte
	instance int
	clock    int      // for names and times
	steps    []func() // the rest of a rotation
	plain    string   // time of the file to compress next; empty: none
	lines    int      // written so far
	removed  bool     // a file was removed
	requests int      // since the script has ended
}

func (k *kubelet) live() string { return fmt.Sprintf("%d.log", k.instance) }

// write writes lines to the newest file, whatever its name is.
func (k *kubelet) write(n int) {
	name := k.live()
	if _, ok := k.files[name]; !ok {
		name += "." + k.plain
	}
	for range n {
		k.lines++
		k.clock++
		k.files[name] += records(k.lines)
	}
}

// rotate prepares the steps of a rotation: the oldest file is removed, the plain one is
// compressed, and the live one is renamed until the runtime opens a new one. A request can
// come between two steps where the kubelet works for a while; a removal by itself takes
// no time. If the runtime does not open a new file, the renaming is undone; isWhole says
// why not after a removal.
func (k *kubelet) rotate(undone bool) {
	live, removed := k.live(), false
	remove := func() {
		rotated := slices.DeleteFunc(slices.Sorted(maps.Keys(k.files)), func(name string) bool {
			return !strings.HasPrefix(name, live+".")
		})
		for len(rotated) > k.max-2 {
			delete(k.files, rotated[0])
			rotated, k.removed, removed = rotated[1:], true, true
		}
	}
	plain := live + "." + k.plain
	compressed := func() {
		delete(k.files, plain+".tmp")
		k.files[plain+".gz"] = k.files[plain]
	}
	before := k.plain
	rename := func() {
		delete(k.files, plain)
		k.clock++
		k.plain = fmt.Sprintf("20260131-10%02d%02d", k.clock/60, k.clock%60)
		k.rename(live, live+"."+k.plain)
	}
	reopen := func() {
		if undone && !removed {
			k.rename(live+"."+k.plain, live)
			k.plain = before
			return
		}
		k.files[live] = ""
	}
	k.steps = []func(){func() {
		remove()
		if _, ok := k.files[plain]; ok {
			k.files[plain+".tmp"] = ""
			k.steps = append(k.steps, compressed, rename, reopen)
			return
		}
		rename()
		k.steps = append(k.steps, reopen)
	}}
}

func (k *kubelet) restart() {
	prefix := fmt.Sprintf("%d.log", k.instance-1)
	maps.DeleteFunc(k.files, func(name, _ string) bool { return strings.HasPrefix(name, prefix) })
	k.instance++
	k.plain = ""
	k.files[k.live()] = ""
}

// step does what the script says next. It returns an error for the request.
func (k *kubelet) step() (byte, error) {
	if len(k.script) == 0 {
		k.requests++
		return 0, nil
	}
	n := k.script[0]
	k.script = k.script[1:]
	switch {
	case len(k.steps) > 0 && n%4 > 0:
		f := k.steps[0]
		k.steps = k.steps[1:]
		f()
	case n%16 < 5:
		k.write(1 + int(n>>4)%3)
	case n%16 < 9 && len(k.steps) == 0 && k.files[k.live()] != "":
		k.rotate(n%16 == 8)
	case n%16 == 9 && len(k.steps) == 0 && k.instance < 2:
		k.restart()
		k.removed = k.removed || k.instance == 2
	case n%16 == 10:
		return n, errGateway
	}
	return n, nil
}

func (k *kubelet) List(ctx context.Context) ([]string, error) {
	if _, err := k.step(); err != nil {
		return nil, err
	}
	k.t.Logf("list %v", slices.Sorted(maps.Keys(k.files)))
	return k.dir.List(ctx)
}

func (k *kubelet) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	n, err := k.step()
	if err != nil {
		return nil, err
	}
	body, err := k.dir.Open(ctx, name, offset)
	k.t.Logf("open %s at %d of %d: %v", name, offset, len(k.files[name]), err)
	if err == nil && n%16 == 11 {
		// A compressed file shows that it was cut; it would seem to be damaged.
		cut := io.LimitReader(body, int64(n>>4)*9)
		if n>>4%2 == 0 || strings.HasSuffix(name, ".gz") {
			cut = io.MultiReader(cut, failing{})
		}
		body = prefixed{cut, body}
	}
	return body, err
}

var (
	errGateway = errors.New("bad gateway")
	errReset   = io.ErrUnexpectedEOF // that of net/http for a body that is cut
)

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errReset }

// Whatever the kubelet does between two requests, and however they fail, no line is read
// twice or out of order, none is missing without a reason, and there is a reason only if
// a file was removed.
func FuzzRead(f *testing.F) {
	f.Add([]byte("\x03\x11\x05\x01\x01\x01\x01\x01\x10\x05"))
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) < 3 {
			return
		}
		synctest.Test(t, func(t *testing.T) { readsAll(t, script) })
	})
}

func readsAll(t *testing.T, script []byte) {
	const most = 60 // steps
	script = script[:min(len(script), most)]
	k := &kubelet{t: t, dir: dir{files: map[string]string{"0.log": ""}, max: 2 + int(script[0])%4}}
	for range script[1] % 8 { // before
		k.write(1 + int(script[2])%3)
		for k.rotate(false); len(k.steps) > 0; {
			f := k.steps[0]
			k.steps = k.steps[1:]
			f()
		}
	}
	k.write(int(script[1]>>4) % 3)
	k.removed = false
	k.script = script[3:]
	var got []string
	r := NewReader(k, &ktail.Stream{}, 0)
	last, instance := 0, 0
	err := r.List(t.Context())
	if err == nil {
		err = r.Read(t.Context(), func(b Batch) error {
			if b.Missing != "" {
				got = append(got, b.Missing)
				// A full instance may have lost files before it was listed.
				if b.Missing == MaybeRemoved != (b.Instance > instance) && !k.removed {
					t.Errorf("lines seem to be missing before instance %d: %s", b.Instance, b.Missing)
				}
			}
			instance = b.Instance
			for _, l := range b.Lines {
				got = append(got, string(l.Text))
				n := 0
				if _, err := fmt.Sscan(string(l.Text), &n); err != nil || n <= last || last > 0 && n > last+1 && b.Missing == "" {
					t.Errorf("line %q follows %d", l.Text, last)
				}
				last, b.Missing = n, ""
			}
			return nil
		})
	}
	if err != nil {
		if !slices.ContainsFunc([]error{errGateway, errReset, errRenamed, errBroken}, func(e error) bool { return errors.Is(err, e) }) {
			t.Error(err)
		}
		return
	}
	const after = 8 // requests after which the reader has seen the last step
	exists := strings.Contains(strings.Join(slices.Collect(maps.Values(k.files)), ""), records(k.lines))
	if len(k.script) == 0 && k.requests >= after && last != k.lines && exists {
		t.Errorf("ended at line %d of %d", last, k.lines)
	}
	if t.Failed() {
		t.Logf("read %q", got)
	}
}
