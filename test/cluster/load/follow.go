package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const server = "https://127.0.0.1:6443"

// tally holds the results of all followers.
type tally struct {
	start time.Time

	mu       sync.Mutex
	opened   int
	lastOpen time.Duration
	heard    int
	lines    int
	gaps     int
	delays   []time.Duration // between the time of a line and its arrival
	errs     map[string]int
}

// follow sends one request per log, and prints how many logs were opened and had
// lines, how many lines are missing, and how late the lines arrived.
func follow(o *options) error {
	client, err := adminClient(filepath.Join(o.dir, "../pki"))
	if err != nil {
		return err
	}
	t := &tally{start: time.Now(), errs: map[string]int{}}
	for i := range o.pods {
		url := fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s/log?follow=true&tailLines=0&timestamps=true", server, o.ns, podName(i))
		go t.follow(client, url)
	}
	time.Sleep(o.dur)
	t.print()
	return nil
}

func adminClient(pki string) (*http.Client, error) {
	ca, err := os.ReadFile(filepath.Join(pki, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("no certificate in ca.crt")
	}
	cert, err := tls.LoadX509KeyPair(filepath.Join(pki, "admin.crt"), filepath.Join(pki, "admin.key"))
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}},
	}}, nil
}

func (t *tally) follow(client *http.Client, url string) {
	resp, err := client.Get(url)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		err = errors.New(resp.Status)
	}
	t.open(err)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	last := 0
	for sc := bufio.NewScanner(resp.Body); sc.Scan(); {
		last = t.line(sc.Text(), last)
	}
}

func (t *tally) open(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.errs[err.Error()]++
		return
	}
	t.opened++
	t.lastOpen = time.Since(t.start)
}

// line records a line and returns its number. last is the number of the
// previous line, or 0.
func (t *tally) line(text string, last int) int {
	stamp, rest, _ := strings.Cut(text, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return last
	}
	var name string
	var n int
	if _, err := fmt.Sscanf(rest, "%s line %d", &name, &n); err != nil {
		return last
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines++
	t.delays = append(t.delays, time.Since(at))
	switch {
	case last == 0:
		t.heard++
	case n != last+1:
		t.gaps++
	}
	return n
}

func (t *tally) print() {
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.delays)
	quantile := func(p float64) time.Duration {
		if len(t.delays) == 0 {
			return 0
		}
		return t.delays[int(p*float64(len(t.delays)-1))].Round(100 * time.Microsecond)
	}
	fmt.Printf("opened %d (the last after %.1fs), heard %d, lines %d, gaps %d, delay p50 %v p99 %v max %v, errors %v\n",
		t.opened, t.lastOpen.Seconds(), t.heard, t.lines, t.gaps, quantile(.5), quantile(.99), quantile(1), t.errs)
}
