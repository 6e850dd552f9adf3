package promise_test

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// FuzzOnce checks a run that does not follow: whatever fails, no line is written twice or
// out of order, and if the run succeeds, all lines were written, in order of time.
//
// The fuzzer writes the options, how the logs end, and faults of requests, two bytes each.
func FuzzOnce(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x20\x02\x40"))
	f.Add([]byte("\x11\x03\x03\x20\x04\x40\x05\x05\x01\xff"))
	f.Add([]byte("\xc4\x00\xe5X10"))           // a kubelet's message in place of a log, twice
	f.Add([]byte("DD\x00\x00\x000\xdd;D00(0")) // cut at the end of a delivered line
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 60
		if len(data) < 2 || len(data) > most {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			o := &onceRun{api: newServer(t, fakeapi.Options{}), options: kube.LogOptions{Tail: -1, Previous: data[0]&1 != 0}, at: map[string]int64{}}
			if data[0]&2 != 0 {
				o.options.Tail = int64(data[0] >> 4)
			}
			for i := range 4 {
				o.write(i, data[1]>>i&1 != 0, data[1]>>(4+i)&1 != 0)
			}
			o.fail(data[2:])
			w := watchAll(connect(t, o.api), false)
			w.Options = o.options
			limit := int(data[0]>>2) % 4
			r := start(t, w, nil, limit)
			err := r.stop()
			o.check(t, r, err == nil, limit == 0)
		})
	})
}

// onceRun is one run of FuzzOnce.
type onceRun struct {
	api     *fakeapi.Server
	options kube.LogOptions
	want    []string
	at      map[string]int64 // times of the lines
}

// half is text that a running container has not terminated. It counts as a line for
// LogOptions.Tail and is not written.
const half = "half of a line"

// write runs a container. Every other one is restarted; lastWords says that its first
// instance did not terminate its last line.
func (o *onceRun) write(i int, lastWords, endsHalf bool) {
	name := fmt.Sprint("web-", i)
	c := o.api.RunPod("default", name, "app").Container("app")
	file := o.log(c, name+"a")
	if i%2 == 0 {
		if lastWords {
			file = append(file, o.append(c, fakeapi.Entry{Text: name + "a last", Partial: true}))
		}
		c.Exit(1, "")
		pass(time.Second)
		c.Start()
		if o.options.Previous {
			o.want = append(o.want, o.tail(file)...)
		}
		file = o.log(c, name+"b")
	}
	if endsHalf {
		file = append(file, o.append(c, fakeapi.Entry{Text: half, Partial: true}))
	}
	o.want = append(o.want, slices.DeleteFunc(o.tail(file), func(text string) bool { return text == half })...)
}

func (o *onceRun) log(c *fakeapi.Container, name string) (file []string) {
	for n := range 12 {
		file = append(file, o.append(c, fakeapi.Entry{Text: fmt.Sprintf("%s %d %s", name, n, strings.Repeat("x", n*n))}))
	}
	return file
}

func (o *onceRun) append(c *fakeapi.Container, e fakeapi.Entry) string {
	c.Append(e)
	o.at[e.Text] = time.Now().UnixNano()
	pass(time.Millisecond)
	return e.Text
}

// tail returns the lines of a log that the options select.
func (o *onceRun) tail(file []string) []string {
	if o.options.Tail < 0 {
		return file
	}
	return file[max(0, len(file)-int(o.options.Tail)):]
}

// fail injects faults into the requests for logs and pods.
func (o *onceRun) fail(faults []byte) {
	var mu sync.Mutex
	cuts := map[int64]bool{}
	o.api.SetFault(func(r *http.Request) *fakeapi.Fault {
		mu.Lock()
		defer mu.Unlock()
		if fakeapi.Parse(r).Name == "" || len(faults) < 2 {
			return nil
		}
		what, how := faults[0], int64(faults[1])
		faults = faults[2:]
		// Two responses that are cut at the same byte are how the end of a previous log is
		// recognized. It may also have been removed.
		for cuts[how] {
			how++
		}
		cuts[how] = true
		all := []*fakeapi.Fault{
			nil,
			{Break: fakeapi.End, After: how * 3},
			{Break: fakeapi.Reset, After: how * 3},
			{Break: fakeapi.Stall, After: how},
			{Status: 500},
			{Status: 503},
			{Status: 429, RetryAfter: time.Duration(how%4) * time.Second},
			{Delay: time.Duration(how) * 100 * time.Millisecond},
			{Break: fakeapi.End, After: how},
		}
		if r.URL.Query().Get("previous") == "" {
			all = append(all, &fakeapi.Fault{Body: "unable to retrieve container logs for containerd://0"})
		}
		return all[int(what)%len(all)]
	})
}

// check compares what was written with what the options select.
func (o *onceRun) check(t *testing.T, r *run, complete, ordered bool) {
	byTime := func(a, b string) int { return cmp.Compare(o.at[a], o.at[b]) }
	seen, last := map[string]bool{}, map[string]string{}
	for _, line := range r.lines {
		name, _, _ := strings.Cut(line, " ")
		name = name[:len(name)-1] // the last letter is that of the instance
		if seen[line] || o.at[line] == 0 || byTime(line, last[name]) < 0 {
			t.Fatalf("%.12q is written twice, partly, or out of order", line)
		}
		seen[line], last[name] = true, line
	}
	if !complete {
		return
	}
	if missing := slices.DeleteFunc(o.want, func(text string) bool { return seen[text] }); len(missing) > 0 {
		t.Errorf("no error, but missing are %.12q", missing)
	}
	if ordered && r.count(tail.Late) == 0 && !slices.IsSortedFunc(r.lines, byTime) {
		t.Errorf("out of order: %.12q", r.lines)
	}
	r.wantsNoGap(t)
}
