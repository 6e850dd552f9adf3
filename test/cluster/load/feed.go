package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	// tick is the interval at which the logs grow; spreadTick applies if each
	// log grows at a different time.
	tick       = 100 * time.Millisecond
	spreadTick = time.Millisecond
)

// criTime is the format of the container runtime for times.
const criTime = "2006-01-02T15:04:05.000000000Z"

// feed appends numbered lines to the logs, in the format of the container
// runtime, until its time is over or it is interrupted. It continues the
// numbers of the previous feed.
func feed(o *options) error {
	first, err := countLines(o.logFile(0))
	if err != nil {
		return err
	}
	logs := make([]*bufio.Writer, o.pods)
	for i := range logs {
		f, err := os.OpenFile(o.logFile(i), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		logs[i] = bufio.NewWriter(f)
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	every := tick
	if o.spread {
		every = spreadTick
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()

	pad := strings.Repeat("x", o.size)
	start, written := time.Now(), 0 // total lines in all logs
	for o.dur == 0 || time.Since(start) < o.dur {
		select {
		case <-term:
			return nil
		case <-ticker.C:
		}
		due := int(time.Since(start).Seconds() * o.rate * float64(o.pods))
		if !o.spread {
			due -= due % o.pods // all logs at the same time
		}
		for k := written; k < due; k++ {
			now := time.Now()
			w := logs[k%o.pods]
			fmt.Fprintf(w, "%s stdout F c line %d ", now.UTC().Format(criTime), first+k/o.pods+1)
			if o.stamp {
				fmt.Fprintf(w, "at=%d ", now.UnixNano())
			}
			fmt.Fprintln(w, pad)
			if o.spread {
				if err := w.Flush(); err != nil {
					return err
				}
			}
		}
		for _, w := range logs[:min(due-written, o.pods)] {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		written = due
	}
	fmt.Fprintf(os.Stderr, "%d lines in each of %d logs\n", written/o.pods, o.pods)
	return nil
}

func countLines(path string) (int, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return bytes.Count(b, []byte("\n")), err
}
