package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/internal/ktailproc"
)

// BenchmarkForward makes the program forward 200,000 lines of 50 pods: to a
// server that responds at once, to one that is slower than the logs, and again
// to the first one, where all lines are already indexed. It reports the CPU
// time and the peak memory of one process.
func BenchmarkForward(b *testing.B) {
	const pods, each = 50, 4000
	api, err := fakeapi.Start(fakeapi.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(api.Close)
	begin := time.Now().Add(-time.Hour).UnixNano()
	for i := range pods {
		entries := make([]fakeapi.Entry, each)
		for n := range entries {
			entries[n] = fakeapi.Entry{
				Time: begin + int64(n)*1_000_003 + int64(i),
				Text: fmt.Sprintf(`10.0.%d.%d - - [02/Jan/2026:15:04:05 +0000] "GET /index.html?id=%d HTTP/1.1" 200 612 "-" "Mozilla/5.0 (X11; Linux x86_64)"`, i, n%256, n*7919),
			}
		}
		api.RunPod("shop", fmt.Sprintf("web-6d4cf56db6-%05d", i), "nginx").Container("nginx").Append(entries...)
	}
	config := filepath.Join(b.TempDir(), "kubeconfig")
	if err := api.WriteKubeconfig(config); err != nil {
		b.Fatal(err)
	}
	for _, server := range []string{"quick", "slow", "again"} {
		b.Run(server, func(b *testing.B) {
			var cpu time.Duration
			var memory int64
			for b.Loop() {
				search, err := fakesearch.Start(fakesearch.Options{})
				if err != nil {
					b.Fatal(err)
				}
				runs := 1
				switch server {
				case "slow":
					search.SetFault(func(r *http.Request) *fakesearch.Fault {
						if !strings.HasSuffix(r.URL.Path, "/_bulk") {
							return nil
						}
						return &fakesearch.Fault{Delay: time.Second}
					})
				case "again":
					runs = 2
				}
				var used time.Duration
				for range runs {
					var most int64
					used, most = forwardAll(b, config, search.URL(), pods*each)
					memory = max(memory, most)
				}
				search.Close()
				cpu += used
			}
			b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(memory)/1e6, "MB-max")
		})
	}
}

// forwardAll runs the program, which must deliver the given number of lines. It
// returns the CPU time and the peak memory.
func forwardAll(b *testing.B, kubeconfig, url string, lines int) (cpu time.Duration, memory int64) {
	b.Helper()
	p, err := ktailproc.Start(b.Context(), ktailproc.Options{
		Path: "/proc/self/exe", Name: "ktail",
		Args: []string{".", "-A", "--no-follow", "--quiet", "--elasticsearch", url},
		Env:  append(os.Environ(), "KUBECONFIG="+kubeconfig, "XDG_STATE_HOME="+b.TempDir()),
	})
	if err != nil {
		b.Fatal(err)
	}
	<-p.Done()
	if want := fmt.Sprintf("%d lines delivered", lines); p.Err() != nil || !strings.Contains(p.Stderr.String(), want) {
		b.Fatalf("%v, want %s: %s", p.Err(), want, &p.Stderr)
	}
	return p.CPU(), p.PeakRSS()
}
