// App is the program in the containers of the test cluster. Depending on its
// flags, it produces every kind of container log. Its lines are numbered, so
// that a reader of the log can detect lines that are missing, duplicated, or
// out of order.
//
//	NAME line 1
//	NAME line 2 xxxxxxxx
//	NAME got terminated
//
// With the single argument "pause", it is the process that keeps a pod's
// namespaces open.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options say what to write and how to end.
type options struct {
	name        string
	rate        float64
	lines       int
	size        int
	stderrEvery int
	json        bool
	stamp       bool
	noNewline   bool
	countFile   string
	eatMiB      int
	linger      time.Duration
	exit        int
}

func parse() *options {
	var o options
	flag.StringVar(&o.name, "name", "app", "start of each line")
	flag.Float64Var(&o.rate, "rate", 1, "lines per second; 0 means as fast as possible")
	flag.IntVar(&o.lines, "n", 0, "number of lines after which to end; 0 means never")
	flag.IntVar(&o.size, "size", 0, "bytes of padding in each line")
	flag.IntVar(&o.stderrEvery, "stderr-every", 0, "write every n-th line to stderr")
	flag.BoolVar(&o.json, "json", false, "write JSON")
	flag.BoolVar(&o.stamp, "stamp", false, "write the time after the number")
	flag.BoolVar(&o.noNewline, "no-newline", false, "end with a text without a newline")
	flag.StringVar(&o.countFile, "count-file", "", "file that records what was written: the number of the last line, then all lines without a number; a restarted container continues counting")
	flag.IntVar(&o.eatMiB, "eat-mib", 0, "MiB to allocate after the last line, to get killed")
	flag.DurationVar(&o.linger, "linger", 0, "how long to stay after the last line")
	flag.IntVar(&o.exit, "exit", 0, "exit status")
	flag.Parse()
	return &o
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "pause" {
		pause()
		return
	}
	o := parse()
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	status, err := run(o, term)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	os.Exit(status)
}

// run writes the log and returns the exit status: the requested one, or 0 if it
// was terminated.
func run(o *options, term <-chan os.Signal) (int, error) {
	count, err := readCount(o.countFile)
	if err != nil {
		return 0, err
	}
	w := newWriter(o, count.last)
	sig := w.writeLines(term)
	if sig == nil {
		if o.noNewline {
			words := o.name + " last words without newline"
			w.writeWords(words)
			count.words = append(count.words, words)
		}
		eat(o.eatMiB)
		sig = wait(term, o.linger)
	}
	status := o.exit
	if sig != nil {
		words := fmt.Sprint(o.name, " got ", sig)
		w.writeWords(words + "\n")
		count.words = append(count.words, words)
		status = 0
	}
	count.last = w.last
	awaitDrained()
	return status, count.write(o.countFile)
}

// eat allocates memory and touches it until the kernel kills the process.
func eat(mib int) {
	const page = 4096
	var kept [][]byte
	for range mib {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += page {
			b[i] = 1
		}
		kept = append(kept, b)
		time.Sleep(5 * time.Millisecond)
	}
	if mib > 0 {
		fmt.Println("ate", len(kept), "MiB")
	}
}

// wait returns a signal that arrives within d, or nil.
func wait(term <-chan os.Signal, d time.Duration) os.Signal {
	select {
	case sig := <-term:
		return sig
	case <-time.After(d):
		return nil
	}
}

// pause waits until it is terminated, and reaps processes of the containers in
// a pod with a shared process namespace.
func pause() {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM, syscall.SIGINT)
	child := make(chan os.Signal, 1)
	signal.Notify(child, syscall.SIGCHLD)
	for {
		select {
		case <-term:
			return
		case <-child:
			for pid := 1; pid > 0; {
				pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			}
		}
	}
}
