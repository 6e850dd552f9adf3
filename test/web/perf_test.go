package web_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"github.com/ktail/ktail/pkg/ktail"
)

// watchFrames measures frames, keys, and lines until it is stopped: how long frames
// take, how long a key waits for the page and for the next frame, and how old the newest line is in
// the first frame that shows it.
const watchFrames = `(async () => {
	const { store, row } = await import('/store.js'), { list } = await import('/list.js');
	const w = window.watch = { frames: [], waits: [], keys: [], delays: [], waiting: 0, on: true };
	let last = performance.now(), shown = row(list.bottom - 1)?.[0];
	const tick = (t) => {
		w.frames.push(t - last);
		last = t;
		const newest = list.follow && document.querySelector('.row[data-n="' + (list.bottom - 1) + '"]:not(.wait)') && row(list.bottom - 1);
		if (newest && newest[0] !== shown) { shown = newest[0]; w.delays.push(Date.now() - newest[1]); }
		if (document.querySelector('.row.wait:not([hidden])')) w.waiting++;
		if (w.on) requestAnimationFrame(tick);
	};
	requestAnimationFrame(tick);
	document.addEventListener('keydown', (e) => w.waits.push(performance.now() - e.timeStamp), true);
	document.addEventListener('keydown', (e) => requestAnimationFrame(() => w.keys.push(performance.now() - e.timeStamp)), true);
	return true;
})()`

// frames are the figures of watchFrames, in milliseconds.
type frames struct {
	Count              int
	P50, P95, P99, Max float64
	Wait, Key          float64 // 95th percentiles of keys: until the page handles them, and until the next frame
	Delay, MaxDelay    float64 // 95th percentile of lines; the oldest line
	Waiting            float64 // share of frames with a row whose line was not there yet
}

// stopFrames ends watchFrames.
func stopFrames(b *tab) frames {
	b.t.Helper()
	eval[bool](b, `(() => {
		const w = window.watch, at = (list, q) => list.sort((a, b) => a - b)[Math.floor(q * (list.length - 1))] || 0;
		w.on = false;
		w.result = { Count: w.frames.length, P50: at(w.frames, 0.5), P95: at(w.frames, 0.95), P99: at(w.frames, 0.99), Max: at(w.frames, 1),
			Wait: at(w.waits, 0.95), Key: at(w.keys, 0.95), Delay: at(w.delays, 0.95), MaxDelay: at(w.delays, 1), Waiting: w.waiting / w.frames.length };
		return true;
	})()`)
	return eval[frames](b, `window.watch.result`)
}

// keepNoResponses lets the browser forget the bodies of responses, which it keeps for the
// driver, up to 100 MB of them.
func keepNoResponses(b *tab) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.Disable, cdp.Empty{}); err != nil {
		b.t.Fatal(err)
	}
}

// process is what the page has used so far.
type process struct {
	at             time.Time
	renderer, main float64 // CPU seconds of the process, and of its main thread
}

func processOf(b *tab) process {
	b.t.Helper()
	result, err := chromedp.Call(b.ctx, performance.GetMetrics, struct{}{})
	if err != nil {
		b.t.Fatal(err)
	}
	p := process{at: time.Now()}
	for _, m := range result.Metrics {
		switch m.Name {
		case "ProcessTime":
			p.renderer = m.Value
		case "ThreadTime":
			p.main = m.Value
		}
	}
	return p
}

// since returns the share of a core that the renderer and its main thread have used, in
// percent.
func (p process) since(from process) (renderer, main float64) {
	seconds := p.at.Sub(from.at).Seconds()
	return 100 * (p.renderer - from.renderer) / seconds, 100 * (p.main - from.main) / seconds
}

// heap returns the size of the heap in MB after a collection.
func heap(b *tab) float64 {
	b.t.Helper()
	return eval[float64](b, `(gc(), performance.memory.usedJSHeapSize / 1e6)`)
}

// rendererPSS returns the proportional memory of the largest renderer in MB.
func rendererPSS(t *testing.T) float64 {
	t.Helper()
	most := 0.0
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range dirs {
		command, err := os.ReadFile(dir + "/cmdline")
		if err != nil || !bytes.Contains(command, []byte("--type=renderer")) {
			continue
		}
		rollup, err := os.ReadFile(dir + "/smaps_rollup")
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(rollup)) {
			if fields := strings.Fields(line); fields[0] == "Pss:" {
				kilobytes, _ := strconv.ParseFloat(fields[1], 64)
				most = max(most, kilobytes*1024/1e6)
			}
		}
	}
	return most
}

// cpuSeconds returns the CPU time that ktail has used, and the test with it.
func cpuSeconds(t *testing.T) float64 {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// live writes lines of now at a rate until the returned function is called.
func (s *site) live(rate int) (stop func()) {
	const perSecond = 50
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case now := <-tick.C:
				s.at = now
				lines := make([]ktail.Line, rate/perSecond)
				for i := range lines {
					s.next++
					lines[i] = ktail.Line{Stream: s.streams[s.rnd.IntN(len(s.streams))], Time: now.UnixNano(), Text: s.shopText()}
				}
				s.write(lines...)
			}
		}
	}()
	return func() { close(end); <-done }
}

// TestPerformance_OfThePage measures the page, and appends a table to the file that
// WEB_BENCH names. WEB_BENCH_TIME is how long lines come in at 5,000 a second. It
// fails only if the heap is too large: other figures depend on what else the machine does.
func TestPerformance_OfThePage(t *testing.T) {
	path := os.Getenv("WEB_BENCH")
	if path == "" {
		t.Skip("WEB_BENCH is not set: it names the file that the figures are appended to")
	}
	length := 60 * time.Second
	if text := os.Getenv("WEB_BENCH_TIME"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("WEB_BENCH_TIME: %v", err)
		}
	}
	out := &strings.Builder{}
	fmt.Fprint(out, "| | |\n|---|---|\n")
	report := func(what, format string, args ...any) {
		fmt.Fprintf(out, "| %s | %s |\n", what, fmt.Sprintf(format, args...))
	}
	t.Run("5000", func(t *testing.T) { followAt(t, 5000, length, report) })
	t.Run("50000", func(t *testing.T) { followAt(t, 50_000, 20*time.Second, report) })
	t.Run("million", func(t *testing.T) { millionLines(t, report) })
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(out.String() + "\n")
	if closeErr := f.Close(); err != nil || closeErr != nil {
		t.Fatal(err, closeErr)
	}
}

// followAt measures a page that follows a log.
func followAt(t *testing.T, rate int, length time.Duration, report func(what, format string, args ...any)) {
	s := newSite(t, 64<<20)
	s.shop(5000, time.Millisecond)
	b := s.open(1400, 900, "light")
	keepNoResponses(b)
	if _, err := chromedp.Call(b.ctx, performance.Enable, performance.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	stop := s.live(rate)
	defer stop()
	b.until("the lines are there", `document.getElementById('rate').textContent.includes('lines/s')`)
	before := processOf(b)
	<-time.After(15 * time.Second)
	renderer, main := processOf(b).since(before) // without what watchFrames needs
	eval[bool](b, watchFrames)
	var heaps []float64
	end := time.Now().Add(length)
	for next := time.Now(); time.Now().Before(end); {
		b.keys("t") // the next time zone: all rows change
		<-time.After(time.Second)
		if length > 2*time.Minute && time.Now().After(next) {
			heaps = append(heaps, heap(b))
			next = next.Add(length / 10)
		}
	}
	f := stopFrames(b)
	what := fmt.Sprintf("%d lines/s for %v", rate, length)
	report(what+": frames", "p50 %.1f, p95 %.1f, p99 %.1f, max %.1f ms", f.P50, f.P95, f.P99, f.Max)
	report(what+": CPU", "renderer %.1f %%, its main thread %.1f %% of a core", renderer, main)
	report(what+": key to handler, key to frame", "p95 %.1f ms, p95 %.1f ms", f.Wait, f.Key)
	report(what+": line to frame", "p95 %.0f ms (max %.0f)", f.Delay, f.MaxDelay)
	size := heap(b)
	report(what+": memory", "heap %.1f MB, renderer %.0f MB (PSS)", size, rendererPSS(t))
	if size > 10 {
		t.Errorf("%s: the heap has %.1f MB", what, size)
	}
	if len(heaps) > 0 {
		report(what+": heap over time", "%.1f MB", heaps)
	}
}

// millionLines measures a page on a long log.
func millionLines(t *testing.T, report func(what, format string, args ...any)) {
	s := newSite(t, 256<<20)
	s.shop(1_000_000, 2*time.Millisecond)
	s.open(1400, 900, "light").cancel() // the browser may have just been started
	var times []float64
	for range 9 {
		b := s.open(1400, 900, "light")
		times = append(times, eval[float64](b, `window.firstRows`))
		b.cancel()
	}
	slices.Sort(times)
	report("a million lines: first rows after navigation", "median %.0f ms of nine loads (%.0f to %.0f)", times[4], times[0], times[8])
	b := s.open(1400, 900, "light")
	report("a million lines: jump to a random line", "p95 %.0f ms", eval[float64](b, `(async () => {
		const { goTo } = await import('/list.js'), { store } = await import('/store.js'), times = [];
		for (let i = 0; i < 100; i++) {
			const n = 1 + Math.floor(Math.random() * (store.end - 100)), start = performance.now();
			goTo(n, true, 0);
			while (!document.querySelector('.row[data-n="' + n + '"]:not(.wait)')) await new Promise((r) => setTimeout(r, 2));
			times.push(performance.now() - start);
		}
		return times.sort((a, b) => a - b)[95];
	})()`))
	eval[bool](b, watchFrames)
	eval[bool](b, `(async () => { // a fast wheel, for ten seconds
		const { scrollBy } = await import('/list.js');
		for (const end = performance.now() + 10000; performance.now() < end;) {
			await new Promise(requestAnimationFrame);
			scrollBy(-120);
		}
		return true;
	})()`)
	f := stopFrames(b)
	report("a million lines: wheel", "frames p95 %.1f ms; rows that wait in %.1f %% of the frames", f.P95, 100*f.Waiting)

	stop := s.live(5000)
	defer stop()
	b.keys("F")
	b.until("it follows", `document.querySelector('.live').dataset.state === 'live'`)
	eval[bool](b, watchFrames)
	for _, search := range [][2]string{{"find", "timed out"}, {"find", "nowhere to be found"}, {"findr", `took=?.?[89]\d\d`}} {
		before := cpuSeconds(t)
		took := eval[float64](b, `(async () => {
			const { api } = await import('/api.js'), start = performance.now();
			let a;
			do { a = await api('where', new URLSearchParams({ %q: %q, dir: '0', after: '1' })); } while (a.more);
			return performance.now() - start;
		})()`, search[0], search[1])
		report(fmt.Sprintf("a million lines: `%s`, all matches", search[1]), "%.0f ms, %.2f s of ktail's CPU time (with the lines that come in)", took, cpuSeconds(t)-before)
	}
	f = stopFrames(b)
	report("a million lines: line to frame during these searches", "p95 %.0f ms (max %.0f)", f.Delay, f.MaxDelay)
	report("a million lines: filter `timed out`, first screen", "%.0f ms", eval[float64](b, `(async () => {
		const start = performance.now();
		location.hash = '#i=timed out';
		const rows = () => [...document.querySelectorAll('.row:not([hidden])')];
		while (rows().length < 20 || !rows().every((r) => r.textContent.includes('timed out'))) await new Promise((r) => setTimeout(r, 2));
		return performance.now() - start;
	})()`))
}
