//go:build e2e

package e2esearch

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ktail/ktail/test/search"
)

var (
	measureThroughput = flag.Bool("throughput", false, "measure how fast history is read, which requires an idle machine")
	documents         = flag.Int("documents", 1_000_000, "number of lines that are read to measure the throughput")
)

// onEachInTurn runs a measurement on all servers, one after the other.
func onEachInTurn(t *testing.T, scenario func(*testing.T, *search.Server)) {
	t.Helper()
	if !*measureThroughput {
		t.Skip("requires -throughput and an idle machine")
	}
	for _, s := range servers {
		t.Run(s.Name, func(t *testing.T) {
			s.Prepare(t)
			scenario(t, s)
			if err := s.Stop(t.Context(), "wipe"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A million lines are read back byte for byte.
func TestHistory_MillionLinesEqualTheLiveLogs(t *testing.T) {
	const pods, each = 50, 20_000
	onEachInTurn(t, func(t *testing.T, s *search.Server) {
		w := newWorld(t, pods)
		w.fill(each)
		if code := w.forward(s, "--no-follow").wait(10 * time.Minute); code != 0 {
			t.Fatalf("exit code %d", code)
		}
		s.Must(t, "POST", "/"+s.Index()+"/_refresh", "", nil)
		args := []string{".", "-n", namespace, "--kubeconfig", w.kubeconfig, "--only-log-lines", "--color", "never", "--no-follow", "-t"}
		live := printed(t, args...)
		if history := printed(t, append(args, "--history", s.URL())...); !bytes.Equal(live, history) {
			t.Fatalf("the live logs and history differ: %s", firstDifference(live, history))
		}
	})
}

// However many lines there are, they are read completely and in order, in bounded memory,
// at the rate that one machine with two processors allows for both the server and ktail.
func TestHistory_Throughput(t *testing.T) {
	const (
		pods       = 50
		rounds     = 3
		perSecond  = 40_000
		perMillion = 4.0 // seconds of CPU time
	)
	onEachInTurn(t, func(t *testing.T, s *search.Server) {
		c := newCorpus(t, s, pods, *documents)
		u := c.read(t, s.URL(), pods, ".")
		summary.Add(t.Name(), nil, fmt.Sprintf("%d lines, all checked: %s", c.lines, u))
		for range rounds {
			u := measure(t, nil, ".", "-A", "--history", s.URL(), "--since", "0", "--no-follow", "-t")
			rate, cpu := float64(c.lines)/u.wall.Seconds(), u.cpu.Seconds()*1e6/float64(c.lines)
			note := fmt.Sprintf("%.0f lines/s, %.2f s of CPU time per million, %.0f MB", rate, cpu, u.peak)
			summary.Add(t.Name(), nil, note)
			if rate < perSecond || cpu > perMillion || u.peak > memoryBound/1e6 {
				t.Error(note)
			}
		}
	})
}

// If few of many pods are selected, only their lines are transferred, and the others cost
// little.
func TestHistory_TransfersOnlySelectedPods(t *testing.T) {
	const (
		pods, selected, each = 10_000, 100, 100
		bytesPerDocument     = 1500
	)
	onEachInTurn(t, func(t *testing.T, s *search.Server) {
		c := newCorpus(t, s, pods, pods*each)
		counted := newCountingProxy(t, s)
		u := c.read(t, counted.URL, 0, "no-such-pod")
		list, listed := counted.take()
		summary.Add(t.Name(), nil, fmt.Sprintf("list %d pods: %s, %d documents, %.1f MB transferred", pods, u, list, float64(listed)/1e6))
		if list != pods {
			t.Errorf("to list the pods, %d documents are transferred, want %d", list, pods)
		}
		u = c.read(t, counted.URL, selected, "web-000[0-9][0-9]")
		documents, transferred := counted.take()
		summary.Add(t.Name(), nil, fmt.Sprintf("%d of %d pods: %s, %d documents, %.1f MB transferred", selected, pods, u, documents, float64(transferred)/1e6))
		if want := list + selected*each; documents != want {
			t.Errorf("%d documents are transferred, want %d of the list and %d lines", documents, list, selected*each)
		}
		if transferred-listed > selected*each*bytesPerDocument {
			t.Errorf("%d bytes are transferred, %d of them to list the pods", transferred, listed)
		}
		if u.peak > memoryBound/1e6 {
			t.Errorf("%.0f MB resident", u.peak)
		}
	})
}

// countingProxy counts the bytes and documents in responses.
type countingProxy struct {
	*httptest.Server
	bytes, documents atomic.Int64
}

func newCountingProxy(t *testing.T, s *search.Server) *countingProxy {
	t.Helper()
	target, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	p := &countingProxy{}
	pass := httputil.NewSingleHostReverseProxy(target)
	pass.ModifyResponse = func(resp *http.Response) error {
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		p.bytes.Add(int64(len(body)))
		p.documents.Add(int64(bytes.Count(body, []byte(`"_id"`))))
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return nil
	}
	p.Server = httptest.NewServer(pass)
	t.Cleanup(p.Close)
	return p
}

// take returns the counts since the last call.
func (p *countingProxy) take() (documents, transferred int) {
	return int(p.documents.Swap(0)), int(p.bytes.Swap(0))
}
