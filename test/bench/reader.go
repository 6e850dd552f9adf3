package main

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
)

// reader records the lines that a program prints. The lines contain their time,
// as at=NANOSECONDS, and the pods are named p-0000 and so on.
type reader struct {
	mu     sync.Mutex
	lines  int
	late   int           // lines printed after a line with a later time
	latest int64         // latest time of a line so far
	heard  map[int]bool  // pods that have a printed line
	full   int           // number of pods
	allAt  time.Time     // when lines of all pods had been printed
	sample time.Time     // delays are measured from this time on
	delays []int32       // in microseconds
	ended  chan struct{} // closed when the output has ended
}

func newReader(pods int) *reader {
	return &reader{full: pods, heard: map[int]bool{}, ended: make(chan struct{}), sample: time.Unix(math.MaxInt32, 0)}
}

// read reads the output to its end.
func (r *reader) read(out io.Reader) {
	defer close(r.ended)
	in := bufio.NewReaderSize(out, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		r.line(line, time.Now())
	}
}

func (r *reader) line(line []byte, now time.Time) {
	pod, at := podOf(line), timeOf(line)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines++
	if pod >= 0 && !r.heard[pod] {
		r.heard[pod] = true
		if len(r.heard) == r.full {
			r.allAt = now
		}
	}
	if at == 0 || now.Before(r.sample) {
		return
	}
	if at < r.latest {
		r.late++
	}
	r.latest = max(r.latest, at)
	r.delays = append(r.delays, int32((now.UnixNano()-at)/int64(time.Microsecond)))
}

// count sets the time from which delays and order are measured, once the
// program has settled.
func (r *reader) count(from time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sample = from
}

// delay returns a quantile of the delays.
func (r *reader) delay(q float64) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.delays) == 0 {
		return 0
	}
	slices.Sort(r.delays)
	return time.Duration(r.delays[int(q*float64(len(r.delays)-1))]) * time.Microsecond
}

// podOf returns the number of the first pod that a line names, or -1.
func podOf(line []byte) int {
	i := bytes.Index(line, []byte("p-"))
	if i < 0 || len(line) < i+6 {
		return -1
	}
	n, err := strconv.Atoi(string(line[i+2 : i+6]))
	if err != nil {
		return -1
	}
	return n
}

// timeOf returns the time in a line, or 0.
func timeOf(line []byte) int64 {
	_, rest, found := bytes.Cut(line, []byte("at="))
	if !found {
		return 0
	}
	var at int64
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		at = at*10 + int64(c-'0')
	}
	return at
}
