package elastic_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/elastic/internal/crashfs"
	"github.com/ktail/ktail/pkg/ktail"
)

var crashes = flag.Int("crashes", 60, "power failures in TestSink_PowerFailureLosesNothing")

// powerCycle forwards one log in several runs. Each run ends when the power fails.
type powerCycle struct {
	server server
	rand   *rand.Rand

	mu      sync.Mutex
	disk    *crashfs.FS
	settled int // settled lines, which the next run does not read again
}

// Whenever the power fails, every settled line is on the server, in the spool, or among
// the dead letters.
func TestSink_PowerFailureLosesNothing(t *testing.T) {
	t.Parallel()
	const each = 4
	for seed := range uint64(*crashes / each) {
		synctest.Test(t, func(t *testing.T) {
			p := powerCycle{server: serve(t, fakesearch.Options{}), rand: rand.New(rand.NewPCG(seed, 2)), disk: crashfs.New(0)}
			p.outages(rand.New(rand.NewPCG(seed, 3)))
			for range each {
				p.run(t, p.restart(1+p.rand.IntN(40)), 200)
			}
			p.server.SetFault(nil)
			p.server.Up()
			p.run(t, p.restart(0), 0)
			p.check(t, seed)
		})
		if t.Failed() {
			return
		}
	}
}

// outages makes the server reject requests, lose responses, reject documents, and accept
// those of a red shard now and then. After the power failure, no request reaches it.
func (p *powerCycle) outages(rand *rand.Rand) {
	p.server.SetFault(func(r *http.Request) *fakesearch.Fault {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.disk.Crashed() {
			return failing(http.StatusBadGateway, "", "the power has failed")
		}
		if !isBulk(r) {
			return nil
		}
		if rand.IntN(3) == 0 {
			return failing(http.StatusServiceUnavailable, "busy", "not now")
		}
		return items(func(d document) *fakesearch.Verdict {
			p.mu.Lock()
			defer p.mu.Unlock()
			switch m := d.message(); {
			case strings.Contains(m, "red") && rand.IntN(10) > 0:
				return &fakesearch.Verdict{Status: 503, Type: "unavailable_shards_exception", Reason: "primary shard is not active"}
			case !strings.Contains(m, "odd"):
				return nil
			}
			return &fakesearch.Verdict{Status: 400, Type: "strict_dynamic_mapping_exception", Reason: "no"}
		})
	})
}

// restart returns the disk after the power failure.
func (p *powerCycle) restart(crashAt int) *crashfs.FS {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disk = p.disk.Restart(p.rand, crashAt)
	return p.disk
}

// line returns the i-th line of the log. The server rejects every seventh line, and every
// fifth belongs to a red shard.
func (p *powerCycle) line(i int) ktail.Line {
	text := fmt.Sprintf("line %06d", i)
	switch {
	case i%7 == 3:
		text += " odd"
	case i%5 == 2:
		text += " red"
	}
	return ktail.Line{Stream: stream, Time: begin + int64(i)*int64(time.Millisecond), Text: []byte(text)}
}

// run forwards that number of lines, starting after the settled ones. It ends when the
// power fails or everything is delivered.
func (p *powerCycle) run(t *testing.T, disk *crashfs.FS, lines int) {
	p.mu.Lock()
	first := p.settled
	p.mu.Unlock()
	o := elastic.Options{
		Nodes:     []*url.URL{{Scheme: "http", Host: "es1:9200"}},
		Transport: dialing(func(context.Context, string) server { return p.server }),
		Dir:       "state", SpoolSize: 1 << 20, DeadLetters: "state/dead.ndjson",
		Settled: func(_ ktail.Key, n int) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if !disk.Crashed() {
				p.settled += n
			}
		},
	}
	elastic.WithFS(disk)(&o)
	elastic.WithQueueSize(2 << 10)(&o) // bulks of a few lines, which soon have no room
	r, err := elastic.New(o)
	if err != nil {
		if !disk.Crashed() {
			t.Error(err)
		}
		return
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go r.Run(ctx) //nolint:errcheck // Run is called only once
	for i := range lines {
		if disk.Crashed() {
			break
		}
		if err := r.Write(t.Context(), []ktail.Line{p.line(first + i)}); err != nil {
			break
		}
		switch p.rand.IntN(80) {
		case 0:
			p.server.Down()
		case 1:
			p.server.Up()
		case 2, 3, 4, 5, 6, 7, 8, 9:
			time.Sleep(time.Duration(p.rand.IntN(3000)) * time.Millisecond)
		}
	}
	if disk.Crashed() || p.rand.IntN(2) == 0 {
		stop() // like a signal: undelivered lines go to the spool
	}
	_ = r.Close(t.Context()) // the error describes undelivered lines
}

// check fails the test if a settled line is missing everywhere.
func (p *powerCycle) check(t *testing.T, seed uint64) {
	there := map[string]bool{}
	for _, m := range p.server.messages() {
		there[m] = true
	}
	f, err := p.disk.OpenFile("state/dead.ndjson", os.O_RDONLY)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err == nil {
		size, _ := f.Size()
		b, err := io.ReadAll(io.NewSectionReader(f, 0, size))
		if err != nil {
			t.Fatal(err)
		}
		for row := range strings.Lines(string(b)) {
			var l elastic.DeadLetter
			if json.Unmarshal([]byte(row), &l) == nil {
				there[message(l)] = true
			}
		}
	}
	for i := range p.settled {
		if l := p.line(i); !there[string(l.Text)] {
			t.Fatalf("seed %d: line %d of %d settled is lost: %q", seed, i, p.settled, l.Text)
		}
	}
}
