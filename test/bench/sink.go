package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// sinkArg, as the first argument, makes this program a search server that
// counts documents and keeps none. It runs in a separate process, because its
// cost does not belong to the forwarder.
const sinkArg = "-sink"

// counter is that server. It responds like Elasticsearch 7.10.
type counter struct {
	mu        sync.Mutex
	documents int
	changed   chan struct{} // closed at the next bulk
}

// serveSink serves on a free port of the loopback interface until it is killed.
// It prints the address.
func serveSink() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, &counter{changed: make(chan struct{})}) // its only client is known: no timeouts
}

// ServeHTTP implements http.Handler.
func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := `{"acknowledged":true}` // templates, health
	switch {
	case r.URL.Path == "/count":
		answer = strconv.Itoa(c.wait(r))
	case strings.HasSuffix(r.URL.Path, "/_bulk"):
		n, err := lines(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n /= 2 // each document is preceded by an action
		c.add(n)
		answer = bulkAnswer(n, r.URL.Query().Has("filter_path"))
	case r.URL.Path == "/":
		answer = `{"version":{"number":"7.10.2","build_flavor":"oss"},"tagline":"You Know, for Search"}`
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answer) // the benchmark checks that no documents are missing
}

// bulkAnswer returns a response that says that n documents were created. If
// filtered, it is as short as ktail requests; a real server sends more
// otherwise.
func bulkAnswer(n int, filtered bool) string {
	begin := `{"took":1,"errors":false,"items":[`
	if filtered {
		begin = `{"errors":false,"items":[`
	}
	return begin + strings.TrimPrefix(strings.Repeat(`,{"create":{"status":201}}`, n), ",") + "]}"
}

// lines counts the lines in the body of a request.
func lines(r *http.Request) (int, error) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return 0, err
		}
		body = unpacked
	}
	n, buf := 0, make([]byte, 64<<10)
	for {
		got, err := body.Read(buf)
		n += bytes.Count(buf[:got], []byte("\n"))
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (c *counter) add(documents int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.documents += documents
	close(c.changed)
	c.changed = make(chan struct{})
}

// wait waits until there are as many documents as the request asks for, and
// returns their number.
func (c *counter) wait(r *http.Request) int {
	enough, _ := strconv.Atoi(r.FormValue("documents")) // without the parameter, return the current number
	for {
		c.mu.Lock()
		n, changed := c.documents, c.changed
		c.mu.Unlock()
		if n >= enough {
			return n
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return n
		}
	}
}

// sink is the search server from the benchmark's point of view.
type sink struct {
	address string
	cmd     *exec.Cmd
}

func (b *bench) startSink(ctx context.Context) (*sink, error) {
	s := &sink{cmd: exec.CommandContext(ctx, b.self, sinkArg)}
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := fmt.Fscanln(out, &s.address); err != nil {
		s.stop()
		return nil, fmt.Errorf("address of the sink: %w", err)
	}
	return s, nil
}

// count returns the number of documents once there are enough.
func (s *sink) count(ctx context.Context, enough int) (n int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/count?documents=%d", s.address, enough), nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // errors do not matter after reading
	_, err = fmt.Fscan(resp.Body, &n)
	return n, err
}

func (s *sink) stop() {
	s.cmd.Process.Kill() //nolint:errcheck // the process may have ended
	s.cmd.Wait()         //nolint:errcheck // it was killed
}
