package web_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"
)

// TestPerformance_OfThePage measures the page at a rate of lines (WEB_PERF=5000,50000).
// It logs the figures, and fails only on limits that do not depend on other programs.
func TestPerformance_OfThePage(t *testing.T) {
	rates := os.Getenv("WEB_PERF")
	if rates == "" {
		t.Skip("set WEB_PERF to rates such as [5000,50000]")
	}
	var all []int
	if err := json.Unmarshal([]byte(rates), &all); err != nil {
		t.Fatal(err)
	}
	for _, rate := range all {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			s := newSite(t, 64<<20)
			s.shop(5000, time.Millisecond)
			b := s.open(1400, 900, "light")
			stop := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						return
					case <-tick.C:
						s.shop(rate/50, time.Second/time.Duration(rate))
					}
				}
			}()
			got := eval[string](b, `(async () => {
				const frames = []; let last = performance.now(), on = true;
				const tick = (t) => { frames.push(t - last); last = t; if (on) requestAnimationFrame(tick); };
				requestAnimationFrame(tick);
				await new Promise((r) => setTimeout(r, 20000));
				on = false; frames.sort((a, b) => a - b);
				gc();
				const at = (q) => frames[Math.floor(q * (frames.length - 1))].toFixed(1);
				return 'frames ' + frames.length + ', p50 ' + at(0.5) + ' p95 ' + at(0.95) + ' p99 ' + at(0.99) + ' max ' + at(1) + ' ms; heap ' + (performance.memory.usedJSHeapSize / 1e6).toFixed(1) + ' MB';
			})()`)
			close(stop)
			<-done
			t.Log(got)
			heap := eval[float64](b, `performance.memory.usedJSHeapSize / 1e6`)
			if heap > 10 {
				t.Errorf("the heap has %.1f MB", heap)
			}
		})
	}
	t.Run("a million lines", func(t *testing.T) {
		s := newSite(t, 256<<20)
		s.shop(1_000_000, 2*time.Millisecond)
		start := time.Now()
		b := s.open(1400, 900, "light")
		t.Logf("open to first rows: %v", time.Since(start))
		t.Log(eval[string](b, `(async () => {
			const { goTo } = await import('/list.js'), { store } = await import('/store.js'), times = [];
			for (let i = 0; i < 100; i++) {
				const n = 1 + Math.floor(Math.random() * (store.end - 100)), start = performance.now();
				goTo(n, true, 0);
				while (!document.querySelector('.row[data-n="' + n + '"]:not(.wait)')) await new Promise((r) => setTimeout(r, 2));
				times.push(performance.now() - start);
			}
			times.sort((a, b) => a - b);
			return 'random jump p50 ' + times[50].toFixed(0) + ' p95 ' + times[95].toFixed(0) + ' ms';
		})()`))
		for _, expression := range []string{"timed out", "nowhere to be found", "took"} {
			t.Log(eval[string](b, `(async () => {
				const { api } = await import('/api.js'), start = performance.now();
				let a, n = 0;
				do { a = await api('where', new URLSearchParams({ find: %q, dir: '0', after: '1' })); n++; } while (a.more);
				return %q + ': ' + a.total + ' matches in ' + (performance.now() - start).toFixed(0) + ' ms, ' + n + ' requests';
			})()`, expression, expression))
		}
	})
}
