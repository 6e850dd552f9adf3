package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// delay measures how late a line is printed.
func (b *bench) delay(ctx context.Context, out *strings.Builder) error {
	const pods = 200
	n, err := b.namespace(ctx, "bench-200", pods)
	if err != nil {
		return err
	}
	programs := []program{
		{"bare client", b.self, []string{"-bare", fmt.Sprintf("%s:%d", n.name, pods)}},
		{"ktail --merge-window 0", b.ktail, []string{".", "-n", n.name, "--only-log-lines", "--merge-window", "0"}},
		{"ktail", b.ktail, []string{".", "-n", n.name, "--only-log-lines"}},
		{"stern --qps -1 --max-log-requests 200", b.stern, []string{".", "-n", n.name, "--only-log-lines", "--qps", "-1", "--max-log-requests", "200"}},
	}
	for _, feed := range []struct {
		title string
		args  []string
	}{
		{"at different moments", []string{"-rate", "5", "-stamp", "-spread"}},
		{"all at the same moment", []string{"-rate", "5", "-stamp"}},
	} {
		rounds := b.few()
		fmt.Fprintf(out, "%d pods that write 5 lines a second, %s: time from the line's timestamp until it is read from the program's stdout. Medians of %d rounds of 8 s.\n\n",
			pods, feed.title, rounds)
		if err := b.delays(ctx, out, n, programs, pods, rounds, feed.args...); err != nil {
			return err
		}
	}
	return nil
}

// figures holds the results of one program, one value per round.
type figures struct{ p50, p99, late, cpu, others []float64 }

func (f *figures) add(l live) {
	milliseconds := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	f.p50 = append(f.p50, milliseconds(l.seen.delay(.5)))
	f.p99 = append(f.p99, milliseconds(l.seen.delay(.99)))
	f.late = append(f.late, 100*float64(l.seen.late)/float64(len(l.seen.delays)))
	f.cpu = append(f.cpu, l.CPU.Seconds())
	f.others = append(f.others, float64(l.seen.lines-len(l.seen.delays)))
}

// delays prints a table of the delays and the order of lines.
func (b *bench) delays(ctx context.Context, out *strings.Builder, n *namespace, programs []program, pods, rounds int, feed ...string) error {
	end, err := n.feed(ctx, feed...)
	if err != nil {
		return err
	}
	defer end() //nolint:errcheck // only used if something else failed
	programs = b.chosen(programs)
	all := map[string]*figures{}
	for range rounds {
		for _, p := range programs {
			l, err := p.watch(ctx, pods, 3*time.Second, 11*time.Second)
			if err != nil {
				return err
			}
			if l.heard != pods {
				return fmt.Errorf("%s has shown %d of %d pods", p.name, l.heard, pods)
			}
			if all[p.name] == nil {
				all[p.name] = &figures{}
			}
			all[p.name].add(l)
		}
	}
	fmt.Fprintln(out, "| program | p50 ms | p99 ms | out of order | CPU s |\n|---|---|---|---|---|")
	for _, p := range programs {
		f := all[p.name]
		fmt.Fprintf(out, "| %s | %.1f | %.1f | %.2f %% | %.2f |\n", p.name, median(f.p50), median(f.p99), median(f.late), median(f.cpu))
	}
	fmt.Fprintln(out)
	return end()
}

// window measures what a longer window costs and gains.
func (b *bench) window(ctx context.Context, out *strings.Builder) error {
	const pods = 200
	n, err := b.namespace(ctx, "bench-200", pods)
	if err != nil {
		return err
	}
	var programs []program
	for _, w := range []string{"0", "20ms", "50ms", "100ms", "200ms"} {
		programs = append(programs, program{w, b.ktail, []string{".", "-n", n.name, "--only-log-lines", "--merge-window", w}})
	}
	rounds := b.few()
	fmt.Fprintf(out, "%d pods that write 5 lines a second, all at the same moment, by `--merge-window`. A line is out of order if a line with a later time was printed before it. "+
		"Medians of %d rounds of 8 s.\n\n", pods, rounds)
	return b.delays(ctx, out, n, programs, pods, rounds, "-rate", "5", "-stamp")
}

// busy measures whether a container that writes as fast as possible delays the
// lines of others.
func (b *bench) busy(ctx context.Context, out *strings.Builder) error {
	const pods, busyRate = 100, 200_000
	quiet, err := b.namespace(ctx, "bench-quiet", pods)
	if err != nil {
		return err
	}
	busy, err := b.namespace(ctx, "bench-busy", 1)
	if err != nil {
		return err
	}
	both := quiet.name + "," + busy.name
	programs := b.chosen([]program{
		{"bare client", b.self, []string{"-bare", fmt.Sprintf("%s:%d", quiet.name, pods), busy.name + ":1"}},
		{"ktail --merge-window 0", b.ktail, []string{".", "-n", both, "--only-log-lines", "--merge-window", "0"}},
		{"ktail", b.ktail, []string{".", "-n", both, "--only-log-lines"}},
	})
	rounds := b.few()
	fmt.Fprintf(out, "%d pods that write 5 lines a second, and one that writes %d lines a second for 5 s: delay of the lines of the quiet ones. Medians of %d rounds.\n\n",
		pods, busyRate, rounds)
	fmt.Fprintln(out, "| program | p50 ms | p99 ms | busy lines shown in 5 s |\n|---|---|---|---|")
	end, err := quiet.feed(ctx, "-rate", "5", "-stamp", "-spread")
	if err != nil {
		return err
	}
	defer end() //nolint:errcheck // only used if something else failed
	all := map[string]*figures{}
	for range rounds {
		for _, p := range programs {
			l, err := p.besideBusy(ctx, busy, pods, busyRate)
			if err != nil {
				return err
			}
			if all[p.name] == nil {
				all[p.name] = &figures{}
			}
			all[p.name].add(l)
		}
	}
	for _, p := range programs {
		f := all[p.name]
		fmt.Fprintf(out, "| %s | %.1f | %.1f | %.0f |\n", p.name, median(f.p50), median(f.p99), median(f.others))
	}
	return end()
}

// besideBusy follows the quiet pods and the busy one, from before the burst to
// its end.
func (p program) besideBusy(ctx context.Context, busy *namespace, pods, rate int) (live, error) {
	const warmUp, burst = 3 * time.Second, 5 * time.Second
	if err := os.Truncate(busy.logFile(0), 0); err != nil {
		return live{}, err
	}
	r, seen, err := p.pipe(ctx, pods)
	if err != nil {
		return live{}, err
	}
	pause(ctx, warmUp)
	seen.count(time.Now())
	feed := busy.load(ctx, "feed", "-rate", fmt.Sprint(rate), "-size", "130", "-for", burst.String())
	if err := feed.Run(); err != nil {
		return live{}, err
	}
	seen.count(time.Unix(1<<40, 0))
	l := live{seen: seen}
	l.usage, err = r.interrupt()
	<-seen.ended
	return l, err
}
