package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// bare follows the logs of NAMESPACE:PODS and copies their lines to out as they
// arrive, each preceded by its pod. It shows what HTTP costs, and how late a
// line is if nothing else is done with it.
func (c *cluster) bare(ctx context.Context, out io.Writer, which []string) error {
	var following sync.WaitGroup
	locked := &lockedWriter{w: out}
	for _, arg := range which {
		namespace, number, _ := strings.Cut(arg, ":")
		pods, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("%s is not NAMESPACE:PODS", arg)
		}
		for i := range pods {
			following.Go(func() { c.copyLog(ctx, locked, namespace, i) })
		}
	}
	following.Wait()
	return nil
}

// copyLog copies one log until it ends. Missing lines show in the output.
func (c *cluster) copyLog(ctx context.Context, out io.Writer, namespace string, pod int) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, logURL(namespace, pod, "follow=true&timestamps=true"), nil)
	if err != nil {
		return
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close() //nolint:errcheck // errors do not matter after reading
	prefix := podName(pod) + " "
	var rest, lines []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := resp.Body.Read(buf)
		rest = append(rest, buf[:n]...)
		lines = lines[:0]
		for line := range bytes.Lines(rest) {
			if line[len(line)-1] != '\n' {
				break
			}
			lines = append(append(lines, prefix...), line...)
		}
		rest = append(rest[:0], rest[bytes.LastIndexByte(rest, '\n')+1:]...)
		if len(lines) > 0 {
			if _, err := out.Write(lines); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
