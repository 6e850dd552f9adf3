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

// tick is how often the logs grow.
const tick = 100 * time.Millisecond

// criTime is how the container runtime writes times.
const criTime = "2006-01-02T15:04:05.000000000Z"

// feed appends numbered lines to the logs, in the format of the container
// runtime, until its time is over or it is told to end. It goes on counting where
// the feed before it ended.
func feed(o *options) error {
	first, err := countLines(o.logFile(0))
	if err != nil {
		return err
	}
	files := make([]*os.File, o.pods)
	for i := range files {
		f, err := os.OpenFile(o.logFile(i), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		files[i] = f
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()

	pad := strings.Repeat("x", o.size)
	start, last := time.Now(), first
	for o.dur == 0 || time.Since(start) < o.dur {
		select {
		case <-term:
			return nil
		case <-ticker.C:
		}
		due := first + int(time.Since(start).Seconds()*o.rate)
		for _, f := range files {
			w := bufio.NewWriter(f)
			for n := last + 1; n <= due; n++ {
				fmt.Fprintf(w, "%s stdout F c line %d %s\n", time.Now().UTC().Format(criTime), n, pad)
			}
			if err := w.Flush(); err != nil {
				return err
			}
		}
		last = due
	}
	fmt.Fprintf(os.Stderr, "%d lines in each of %d logs\n", last-first, o.pods)
	return nil
}

func countLines(path string) (int, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return bytes.Count(b, []byte("\n")), err
}
