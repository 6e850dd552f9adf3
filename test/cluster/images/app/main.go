// App is the program in the containers of the test cluster: by its flags it
// makes every kind of container log. Its lines are numbered, so that a
// reader of the log can see which are missing, duplicated or out of order.
//
//	NAME line 1
//	NAME line 2 xxxxxxxx
//	NAME got terminated
//
// With the single argument "pause" it is the process that holds a pod together.
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
	flag.StringVar(&o.name, "name", "app", "what each line begins with")
	flag.Float64Var(&o.rate, "rate", 1, "lines a second; 0 is as fast as possible")
	flag.IntVar(&o.lines, "n", 0, "end after so many lines; 0 is never")
	flag.IntVar(&o.size, "size", 0, "pad each line with so many bytes")
	flag.IntVar(&o.stderrEvery, "stderr-every", 0, "write the lines whose number divides by this to stderr")
	flag.BoolVar(&o.json, "json", false, "write JSON")
	flag.BoolVar(&o.stamp, "stamp", false, "put the time after the number")
	flag.BoolVar(&o.noNewline, "no-newline", false, "end with words that no newline follows")
	flag.StringVar(&o.countFile, "count-file", "", "file that records what was written: the number of the last line, then all lines without a number; a restarted container continues counting")
	flag.IntVar(&o.eatMiB, "eat-mib", 0, "allocate so many MiB after the last line, so as to be killed")
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

// run writes the log, and returns the exit status: the one asked for, or 0 when
// it was asked to end.
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
	settle()
	return status, count.write(o.countFile)
}

// eat takes memory, and touches it, until the kernel objects.
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

// wait returns the signal that came within d, or nil.
func wait(term <-chan os.Signal, d time.Duration) os.Signal {
	select {
	case sig := <-term:
		return sig
	case <-time.After(d):
		return nil
	}
}

// pause waits to be terminated, and reaps what the containers of a pod leave
// behind when they share its processes.
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
