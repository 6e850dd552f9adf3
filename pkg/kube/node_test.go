package kube_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
)

// systemReader reads the logs of nodes like the engine: from the position, again and
// again.
type systemReader struct {
	lines []string // node, unit, text
	gaps  int
	errs  []error

	start, last ktail.Position // where each log starts, and where one was left
}

func readNodes(t *testing.T, api *fakeapi.Server, w *kube.NodeWatcher) *systemReader {
	t.Helper()
	w.Client = connectNodes(t, api)
	r := &systemReader{}
	return r.run(t, w)
}

func connectNodes(t *testing.T, api *fakeapi.Server) *kube.Client {
	t.Helper()
	config := &rest.Config{Host: api.URL()}
	config.Wrap(func(http.RoundTripper) http.RoundTripper { return api.Transport() })
	client, err := kube.NewClient(config, "fake", "default", kube.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// run reads until the test ends.
func (r *systemReader) run(t *testing.T, w *kube.NodeWatcher) *systemReader {
	t.Helper()
	locked := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	started := map[ktail.Key]bool{}
	var running []chan struct{}
	read := func(src ktail.Source, ended chan struct{}) {
		defer close(ended)
		position := r.start.Clone()
		for ctx.Err() == nil {
			err := src.Read(ctx, position.Clone(), func(lines []ktail.Line) error {
				locked <- struct{}{}
				position.Advance(lines)
				r.last = position.Clone()
				for i := range lines {
					if l := &lines[i]; l.Kind == ktail.Gap {
						r.gaps++
					} else {
						r.lines = append(r.lines, l.Stream.Node+" "+l.Stream.Container+" "+string(l.Text))
					}
				}
				<-locked
				return nil
			})
			if err == nil {
				return
			}
			if ctx.Err() == nil {
				locked <- struct{}{}
				r.errs = append(r.errs, err)
				<-locked
			}
			select {
			case <-time.After(5 * time.Second):
			case <-ctx.Done():
			}
		}
	}
	go func() {
		defer close(done)
		err := w.Watch(ctx, func(set []ktail.Source) {
			for _, src := range set {
				if key := src.Stream().Key(); !started[key] {
					started[key] = true
					ended := make(chan struct{})
					running = append(running, ended)
					go read(src, ended)
				}
			}
		})
		if err != nil && ctx.Err() == nil {
			r.errs = append(r.errs, err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		for _, ended := range running {
			<-ended
		}
	})
	return r
}

func nodeQueries(t *testing.T, names ...string) []kube.NodeQuery {
	t.Helper()
	var queries []kube.NodeQuery
	for _, name := range names {
		q, err := kube.ParseNodeQuery(name)
		if err != nil {
			t.Fatal(err)
		}
		queries = append(queries, q)
	}
	return queries
}

func TestNodeWatcher_ShowsEachJournalEntryOnce(t *testing.T) {
	for _, rate := range []int{1, 200, 3000} { // entries between two steps
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := fakeapi.New(fakeapi.Options{})
				t.Cleanup(api.Close)
				node := api.AddNode("worker-1", nil)
				node.Journal("kubelet", time.Now(), "before")
				r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Units: []string{"kubelet"}, Options: kube.LogOptions{Follow: true, Tail: -1}})
				n := 0
				for step := range 20 {
					at := time.Now()
					if step == 10 {
						at = at.Add(-time.Hour) // the clock is set back
					}
					for range rate {
						n++
						node.Journal("kubelet", at.Add(time.Duration(n)*time.Microsecond), fmt.Sprintf("line %d", n))
					}
					time.Sleep(3 * time.Second)
				}
				time.Sleep(20 * time.Second)
				synctest.Wait()
				want := []string{"worker-1 kubelet before"}
				for i := range n {
					want = append(want, fmt.Sprintf("worker-1 kubelet line %d", i+1))
				}
				if !slices.Equal(r.lines, want) || r.gaps > 0 || len(r.errs) > 0 {
					t.Errorf("got %d lines, %d gaps, %v, want %d lines", len(r.lines), r.gaps, r.errs, len(want))
				}
			})
		})
	}
}

func TestNodeQuery_ZeroSelectsAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		for _, name := range []string{"worker-1", "worker-2"} {
			api.AddNode(name, nil).Journal("kubelet", time.Now(), "line")
		}
		r := readNodes(t, api, &kube.NodeWatcher{Nodes: []kube.NodeQuery{{}}, Units: []string{"kubelet"}, Options: kube.LogOptions{Tail: -1}})
		time.Sleep(time.Minute)
		synctest.Wait()
		if slices.Sort(r.lines); !slices.Equal(r.lines, []string{"worker-1 kubelet line", "worker-2 kubelet line"}) {
			t.Errorf("got %q and the errors %v", r.lines, r.errs)
		}
	})
}

func TestNodeWatcher_ReportsAJournalThatWasRotatedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		node := api.AddNode("worker-1", nil)
		node.Journal("kubelet", time.Now(), "one", "two")
		r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Units: []string{"kubelet"}, Options: kube.LogOptions{Follow: true, Tail: -1}})
		time.Sleep(5 * time.Second)
		node.Journal("kubelet", time.Now(), "lost", "kept")
		node.Vacuum("kubelet", 1)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if want := []string{"worker-1 kubelet one", "worker-1 kubelet two", "worker-1 kubelet kept"}; !slices.Equal(r.lines, want) || r.gaps != 1 {
			t.Errorf("got %q and %d gaps", r.lines, r.gaps)
		}
	})
}

// A request may ask for at most 100,000 entries.
func TestNodeWatcher_FollowsALargeJournal(t *testing.T) {
	const most = 100_000
	for name, tt := range map[string]struct {
		entries int
		missing bool
	}{
		"with most of the entries of a request": {most - 1000, false},
		"with more entries than a request":      {most + 1000, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := fakeapi.New(fakeapi.Options{})
				t.Cleanup(api.Close)
				node := api.AddNode("worker-1", nil)
				texts := make([]string, tt.entries)
				for i := range texts {
					texts[i] = fmt.Sprint("old ", i)
				}
				node.Journal("kubelet", time.Now(), texts...)
				r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Units: []string{"kubelet"}, Options: kube.LogOptions{Follow: true, Tail: -1}})
				time.Sleep(time.Second)
				node.Journal("kubelet", time.Now(), "new")
				time.Sleep(20 * time.Second)
				synctest.Wait()
				if len(r.errs) > 0 || r.gaps > 0 || len(r.lines) == 0 {
					t.Fatalf("%d lines, %d gaps, %v", len(r.lines), r.gaps, r.errs)
				}
				lines := r.lines
				if missing := strings.Contains(lines[0], "may have earlier entries"); missing != tt.missing {
					t.Errorf("the first line is %q", lines[0])
				} else if missing {
					lines = lines[1:]
				}
				if n := min(tt.entries, most) + 1; len(lines) != n || lines[n-1] != "worker-1 kubelet new" {
					t.Errorf("got %d lines, the last is %q, want %d", len(lines), lines[len(lines)-1], n)
				}
			})
		})
	}
}

// A response may end early: ktail reads a part of a large one, and the kubelet kills a slow
// journalctl. The newest entries, which are at its end, are read by another request.
func TestNodeWatcher_ReadsOnAfterAResponseThatWasCut(t *testing.T) {
	tests := map[string]struct{ entries, size, cut int }{
		"a large journal":              {40_000, 500, 0},
		"journalctl is killed":         {3000, 100, 50_001},
		"journalctl is killed at once": {300, 100, 20_003},
	}
	for name, tt := range tests {
		for _, follow := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, follow %t", name, follow), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := fakeapi.New(fakeapi.Options{})
					t.Cleanup(api.Close)
					node := api.AddNode("worker-1", nil)
					node.CutJournals(tt.cut)
					var want []string
					pad := strings.Repeat("x", tt.size)
					texts := make([]string, tt.entries)
					for i := range texts {
						texts[i] = fmt.Sprint(i, pad)
						want = append(want, "worker-1 kubelet "+texts[i])
					}
					node.Journal("kubelet", time.Now(), texts...)
					r := readNodes(t, api, &kube.NodeWatcher{
						Nodes: nodeQueries(t, "worker-1"), Units: []string{"kubelet"}, Options: kube.LogOptions{Follow: follow, Tail: -1, Since: time.Hour},
					})
					time.Sleep(time.Minute)
					if follow {
						node.Journal("kubelet", time.Now(), "new")
						want = append(want, "worker-1 kubelet new")
						time.Sleep(time.Minute)
					}
					synctest.Wait()
					if strings.Contains(r.lines[0], "may have earlier entries") {
						r.lines = r.lines[1:]
					}
					if !slices.Equal(r.lines, want) || r.gaps > 0 || len(r.errs) > 0 {
						t.Errorf("got %d lines, %d gaps, %v, want %d lines", len(r.lines), r.gaps, r.errs, len(want))
					}
				})
			})
		}
	}
}

// The kubelet may kill journalctl before it has written one entry: inside its first line, or
// before that. Such a journal is not empty.
func TestNodeWatcher_RepeatsARequestWithoutACompleteEntry(t *testing.T) {
	for name, fault := range map[string]fakeapi.Fault{
		"cut inside the first entry":       {Break: fakeapi.End, After: int64(len("Nov 28 21:34:1"))},
		"killed before it writes anything": {Break: fakeapi.End, Delay: 29500 * time.Millisecond},
	} {
		for _, tail := range []int64{-1, 1} {
			t.Run(fmt.Sprintf("%s, tail %d", name, tail), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					api := fakeapi.New(fakeapi.Options{})
					t.Cleanup(api.Close)
					node := api.AddNode("worker-1", nil)
					node.Journal("kubelet", time.Now(), "old", "last")
					api.SetFault(func(r *http.Request) *fakeapi.Fault {
						if r.URL.Query().Has("query") {
							return &fault
						}
						return nil
					})
					r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Units: []string{"kubelet"}, Options: kube.LogOptions{Follow: true, Tail: tail}})
					time.Sleep(40 * time.Second)
					api.SetFault(nil)
					time.Sleep(time.Minute)
					synctest.Wait()
					want := []string{"worker-1 kubelet old", "worker-1 kubelet last"}
					if tail == 1 {
						want = want[1:]
					}
					if !slices.Equal(r.lines, want) || r.gaps > 0 {
						t.Errorf("got %q and %d gaps, want %q", r.lines, r.gaps, want)
					}
					if len(r.errs) == 0 || !strings.Contains(r.errs[0].Error(), "ended before the new entries") {
						t.Errorf("the errors are %v, want one about the end of the response", r.errs)
					}
				})
			})
		}
	}
}

func TestNodeWatcher_QuietNodesCauseFewRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		const nodes = 100
		for i := range nodes {
			node := api.AddNode(fmt.Sprintf("worker-%d", i), nil)
			node.Journal("kubelet", time.Now(), "quiet")
			node.Journal("containerd", time.Now(), "quiet")
		}
		r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, ""), Units: []string{"kubelet", "containerd"}, Options: kube.LogOptions{Follow: true, Tail: -1}})
		asked := func() (n int) {
			for i := range nodes {
				n += api.Node(fmt.Sprintf("worker-%d", i)).Asked()
			}
			return n
		}
		time.Sleep(2 * time.Minute)
		before := asked()
		time.Sleep(time.Minute)
		if perSecond := float64(asked()-before) / 60; perSecond > 10 {
			t.Errorf("%.1f requests per second", perSecond)
		}
		if len(r.lines) != 2*nodes {
			t.Errorf("got %d lines", len(r.lines))
		}
	})
}

func TestNodeWatcher_FollowsFilesAcrossRotation(t *testing.T) {
	tests := []struct {
		name   string
		rotate func(n *fakeapi.Node)
		gaps   int
	}{
		{"rename", func(n *fakeapi.Node) { n.Rename("syslog", "syslog.1") }, 0},
		{"rename while the new file is longer", func(n *fakeapi.Node) {
			n.Rename("syslog", "syslog.1")
			n.Write("syslog", "")
		}, 0},
		{"removed", func(n *fakeapi.Node) { n.Rename("syslog", "") }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := fakeapi.New(fakeapi.Options{})
				t.Cleanup(api.Close)
				node := api.AddNode("worker-1", nil)
				node.Write("syslog", "one\ntwo\npart")
				r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Files: []string{"syslog"}, Options: kube.LogOptions{Follow: true, Tail: -1}})
				time.Sleep(3 * time.Second)
				node.Write("syslog", "ial\nthree\n")
				time.Sleep(20 * time.Second)
				node.Write("syslog", "last of the old\n")
				tt.rotate(node)
				node.Write("syslog", "first of the new\n"+strings.Repeat("more\n", 20))
				time.Sleep(20 * time.Second)
				synctest.Wait()
				want := []string{"one", "two", "partial", "three", "last of the old", "first of the new"}
				if tt.gaps > 0 {
					want = slices.Delete(want, 4, 5)
				}
				for range 20 {
					want = append(want, "more")
				}
				for i := range want {
					want[i] = "worker-1 syslog " + want[i]
				}
				if !slices.Equal(r.lines, want) || r.gaps != tt.gaps || len(r.errs) > 0 {
					t.Errorf("got %q, %d gaps, %v", r.lines, r.gaps, r.errs)
				}
			})
		})
	}
}

// A file may grow by more than one read while it is rotated.
func TestNodeWatcher_ReadsAllOfALargeRotatedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		node := api.AddNode("worker-1", nil)
		node.Write("syslog", "line 0\n")
		r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Files: []string{"syslog"}, Options: kube.LogOptions{Follow: true, Tail: -1}})
		time.Sleep(time.Second)
		const lines = 100_000
		pad := strings.Repeat("x", 100) // in all 10 MB
		var old strings.Builder
		for i := range lines {
			fmt.Fprintf(&old, "line %d %s\n", i+1, pad)
		}
		node.Write("syslog", old.String())
		node.Rename("syslog", "syslog.1")
		node.Write("syslog", "new\n")
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if n := len(r.lines); n != lines+2 || r.lines[n-1] != "worker-1 syslog new" || r.gaps > 0 || len(r.errs) > 0 {
			t.Errorf("got %d lines, the last is %.40q, %d gaps, %v, want %d lines", n, r.lines[n-1], r.gaps, r.errs, lines+2)
		}
	})
}

// A file that ends where a read ends is not polled without a pause.
func TestNodeWatcher_PausesAtTheEndOfALargeFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		const line = "a line of 16 B.\n"
		node := api.AddNode("worker-1", nil)
		node.Write("syslog", strings.Repeat(line, 4<<20/len(line)))
		r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Files: []string{"syslog"}, Options: kube.LogOptions{Follow: true, Tail: -1}})
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(r.lines); n != 4<<20/len(line) || len(r.errs) > 0 {
			t.Errorf("got %d lines, %v", n, r.errs)
		}
		if n := node.Asked(); n > 40 {
			t.Errorf("the node was asked %d times in a minute", n)
		}
	})
}

// Lines of a file that have no time may be recent.
func TestNodeWatcher_LeavesOutOldLinesOfAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		at := func(age time.Duration) string { return time.Now().Add(-age).Format(time.RFC3339Nano) }
		text := strings.Repeat(at(time.Hour)+" old\n  continued\n", 50_000) + "untimed\n" + at(time.Second) + " recent\n"
		api.AddNode("worker-1", nil).Write("syslog", text)
		r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Files: []string{"syslog"}, Options: kube.LogOptions{Tail: -1, Since: time.Minute}})
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []string{"worker-1 syslog untimed", "worker-1 syslog " + at(2*time.Second) + " recent"}; !slices.Equal(r.lines, want) || len(r.errs) > 0 {
			t.Errorf("got %d lines, %q, %v, want %q", len(r.lines), r.lines[:min(5, len(r.lines))], r.errs, want)
		}
	})
}

func TestNodeWatcher_ReadsCompressedFiles(t *testing.T) {
	at := func(hour int) string { return time.Date(2000, 1, 1, hour, 0, 0, 0, time.UTC).Format(time.RFC3339) } // synctest begins then
	old, pad := at(-30)+" old", strings.Repeat("x", 1000)
	texts := []string{old, "  continued"}
	for i := range 3000 {
		texts = append(texts, fmt.Sprint(at(-1), " ", i, pad))
	}
	var content bytes.Buffer
	z := gzip.NewWriter(&content)
	_, err := io.WriteString(z, strings.Join(texts, "\n")) // without a newline at the end
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		options kube.LogOptions
		cut     int // bytes of the file that are there
		want    []string
	}{
		"all":                    {kube.LogOptions{Tail: -1}, 0, texts},
		"followed":               {kube.LogOptions{Tail: -1, Follow: true}, 0, texts},
		"since":                  {kube.LogOptions{Tail: -1, Since: 24 * time.Hour}, 0, texts[2:]},
		"the last two":           {kube.LogOptions{Tail: 2}, 0, texts[len(texts)-2:]},
		"the last ones":          {kube.LogOptions{Tail: 3000}, 0, texts[2:]},
		"the last ones, since":   {kube.LogOptions{Tail: 3001, Since: 24 * time.Hour}, 0, texts[2:]},
		"more than there are":    {kube.LogOptions{Tail: 1 << 40}, 0, texts},
		"the last ones, damaged": {kube.LogOptions{Tail: 3, Follow: true}, content.Len() - 20, nil},
		"damaged":                {kube.LogOptions{Tail: -1, Follow: true}, content.Len() - 20, texts},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := fakeapi.New(fakeapi.Options{})
				t.Cleanup(api.Close)
				body := content.String()
				if tt.cut > 0 {
					body = body[:tt.cut]
				}
				api.AddNode("worker-1", nil).Write("syslog.2.gz", body)
				r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Files: []string{"syslog.2.gz"}, Options: tt.options})
				time.Sleep(time.Minute)
				synctest.Wait()
				want := make([]string, len(tt.want))
				for i := range want {
					want[i] = "worker-1 syslog.2.gz " + tt.want[i]
				}
				if tt.cut > 0 {
					want = want[:min(len(want), len(r.lines))] // once, although it is read again
				}
				if !slices.Equal(r.lines, want) || len(r.lines) == 0 && len(tt.want) > 0 || (tt.cut > 0) != (len(r.errs) > 0) {
					t.Errorf("got %d lines, %v, want %d lines", len(r.lines), r.errs, len(want))
				}
			})
		})
	}
}

// The last lines of a compressed file may be long, and many are wanted.
func TestNodeWatcher_HoldsFewLinesOfACompressedFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lines, tail, size = 300, 200, 100 << 10
		var content bytes.Buffer
		z := gzip.NewWriter(&content)
		pad := strings.Repeat("x", size)
		for i := range lines {
			fmt.Fprintln(z, i, pad) //nolint:errcheck // Close returns it
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		api.AddNode("worker-1", nil).Write("syslog.2.gz", content.String())
		w := &kube.NodeWatcher{Client: connectNodes(t, api), Nodes: nodeQueries(t, "worker-1"), Files: []string{"syslog.2.gz"}, Options: kube.LogOptions{Tail: tail}}
		got, most := 0, 0
		err := w.Watch(t.Context(), func(set []ktail.Source) {
			for _, src := range set {
				err := src.Read(t.Context(), ktail.Position{}, func(lines []ktail.Line) error {
					got += len(lines)
					held := 0
					for i := range lines {
						held += len(lines[i].Text)
					}
					most = max(most, held)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		if err != nil || got != tail {
			t.Errorf("got %d lines, %v, want %d", got, err, tail)
		}
		if most > 4*size {
			t.Errorf("%d KiB are emitted at once", most>>10)
		}
	})
}

// Another run recognizes the lines of a file if all of them begin with a time.
func TestNodeWatcher_ResumesAFileWhoseLinesHaveTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		node := api.AddNode("worker-1", nil)
		line := func(i int) string {
			return fmt.Sprintf("%s line %d", time.Now().Add(time.Duration(i)*time.Millisecond).Format(time.RFC3339Nano), i)
		}
		var want []string
		write := func(from, to int) {
			for i := from; i < to; i++ {
				node.Write("syslog", line(i)+"\n")
				want = append(want, "worker-1 syslog "+line(i))
			}
		}
		w := kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Files: []string{"syslog"}, Options: kube.LogOptions{Tail: -1, Since: time.Hour}}
		write(0, 200)
		first := w
		r := readNodes(t, api, &first)
		time.Sleep(time.Second)
		synctest.Wait()
		write(200, 300)
		second := w
		second.Client, r.start = first.Client, r.last
		r.run(t, &second)
		time.Sleep(time.Second)
		synctest.Wait()
		if !slices.Equal(r.lines, want) || len(r.errs) > 0 {
			t.Errorf("got %d lines, %v, want %d", len(r.lines), r.errs, len(want))
		}
	})
}

// Without following, the last line is shown although it may not be complete.
func TestNodeWatcher_ShowsTheLastLineOfAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		api.AddNode("worker-1", nil).Write("syslog", "first\nlast")
		r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker-1"), Files: []string{"syslog"}, Options: kube.LogOptions{Tail: -1}})
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []string{"worker-1 syslog first", "worker-1 syslog last"}; !slices.Equal(r.lines, want) || len(r.errs) > 0 {
			t.Errorf("got %q, %v, want %q", r.lines, r.errs, want)
		}
	})
}

func TestNodeWatcher_FallsBackToFilesAndSaysWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		node := api.AddNode("worker-1", nil)
		node.NoJournals()
		node.Write("kubelet.log", "from the file\n")
		r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker"), Units: []string{"kubelet", "containerd"}, Options: kube.LogOptions{Tail: -1}})
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if len(r.lines) != 1 || !strings.HasSuffix(r.lines[0], "from the file") {
			t.Errorf("got %q", r.lines)
		}
		if len(r.errs) == 0 || !strings.Contains(r.errs[0].Error(), "read log of node worker-1, containerd:") || !strings.Contains(r.errs[0].Error(), "enableSystemLogQuery") {
			t.Errorf("errors are %v", r.errs)
		}
	})
}

func TestNodeWatcher_NeedsThePermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := fakeapi.New(fakeapi.Options{})
		t.Cleanup(api.Close)
		api.AddNode("worker-1", nil)
		api.Deny(func(r fakeapi.Request) bool { return r.Resource == "nodes" && r.Subresource == "proxy" })
		r := readNodes(t, api, &kube.NodeWatcher{Nodes: nodeQueries(t, "worker"), Units: []string{"kubelet"}, Options: kube.LogOptions{Follow: true, Tail: -1}})
		time.Sleep(time.Second)
		synctest.Wait()
		if len(r.errs) != 1 || !strings.Contains(r.errs[0].Error(), "nodes/proxy") || !strings.Contains(r.errs[0].Error(), "running commands in every pod") {
			t.Errorf("errors are %v", r.errs)
		}
		if api.Node("worker-1").Asked() > 0 {
			t.Error("the node was asked")
		}
	})
}
