package metrics

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/ktail/ktail/pkg/ktail"
)

// A scrape that times out, after which the server connects again, does not keep the series
// of deleted pods.
func TestGonePods_AfterAScrapeThatTimedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink(t, Options{}, codeRule)
		k := pod("web")
		s.Streams([]*ktail.Stream{k})
		c := connect(s)
		c.scrape(t)
		write(t, s, log(k, `" 200 `))
		c.scrape(t)
		c.timeOut()
		c = connect(s)
		s.Streams(nil)
		for range 3 {
			time.Sleep(time.Second)
			late := c // closed only after the next connection is used
			c = connect(s)
			c.scrape(t)
			late.close()
		}
		if left := names(c.scrape(t), "http_responses_total"); len(left) > 0 {
			t.Errorf("%q are left", left)
		}
		if len(s.scrapers) != 1 {
			t.Errorf("there are %d scrapers, want 1", len(s.scrapers))
		}
	})
}

// The same if the scrape that timed out is answered only after the next one, whether ktail
// knows by then that the response is not received or not.
func TestGonePods_AfterAScrapeThatIsAnsweredTooLate(t *testing.T) {
	for _, known := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newSink(t, Options{}, codeRule)
			k := pod("web")
			s.Streams([]*ktail.Stream{k})
			late := connect(s)
			late.scrape(t)
			write(t, s, log(k, `" 200 `))
			time.Sleep(time.Second)
			c := connect(s)
			c.scrape(t)
			time.Sleep(time.Millisecond)
			if known {
				late.timeOut()
			} else {
				late.scrape(t)
				late.close()
			}
			s.Streams(nil)
			for range 3 {
				time.Sleep(time.Second)
				c.scrape(t)
			}
			if left := names(c.scrape(t), "http_responses_total"); len(left) > 0 {
				t.Errorf("%q are left (known: %v)", left, known)
			}
		})
	}
}

// The series of a deleted pod wait for a server that connects again, although another one
// has seen them.
func TestGonePods_SeriesWaitForAServerThatReconnects(t *testing.T) {
	s := newSink(t, Options{}, codeRule)
	k := pod("web")
	s.Streams([]*ktail.Stream{k})
	a, b := connectFrom(s, "192.0.2.1"), connectFrom(s, "192.0.2.2")
	a.scrape(t)
	b.scrape(t)
	write(t, s, log(k, `" 200 `))
	a.close()
	s.Streams(nil)
	for range 3 {
		b.scrape(t)
	}
	a = connectFrom(s, "192.0.2.1")
	a.scrape(t)
	if v := a.scrape(t)[code("web", "200")]; v != 1 {
		t.Errorf("the value is %v, want 1", v)
	}
}

// Whatever happens to connections, no server sees a series go back, even if several have the
// same address. A server with its own address sees each new series as 0 first.
func TestScrape_ReconnectsInAnyOrder(t *testing.T) {
	connect := func(s *Sink, address string) *connection {
		c := connectFrom(s, address)
		c.handler.process = gathererFunc(func() ([]*dto.MetricFamily, error) { return nil, nil })
		return c
	}
	type server struct {
		*connection
		address string
		seen    map[string]float64
		own     bool // no other server has its address
		scraped bool
	}
	for seed := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, 0))
		s := newSink(t, Options{}, `lines_total{n}=(?P<n>.*)`)
		k := pod("web")
		s.Streams([]*ktail.Stream{k})
		var servers []*server
		for i, address := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.2", "192.0.2.2"} {
			servers = append(servers, &server{connect(s, address), address, map[string]float64{}, i == 0, false})
		}
		for step := range 200 {
			if random.IntN(2) == 0 {
				write(t, s, log(k, fmt.Sprint(random.IntN(1+step/4))))
			}
			sv := servers[random.IntN(len(servers))]
			switch random.IntN(5) {
			case 0: // closed at once
				sv.timeOut()
				sv.connection = connect(s, sv.address)
			case 1: // closed later than the server connects again
				old := sv.connection
				sv.connection = connect(s, sv.address)
				sv.check(t, seed, sv.own && sv.scraped, sv.seen)
				old.close()
			default:
				sv.check(t, seed, sv.own && sv.scraped, sv.seen)
				sv.scraped = true
			}
		}
	}
}

// check scrapes, and checks what the server sees against what it has seen.
func (c *connection) check(t *testing.T, seed uint64, zeroFirst bool, seen map[string]float64) {
	t.Helper()
	all := c.scrape(t)
	for _, name := range names(all, "lines_total") {
		before, known := seen[name]
		switch v := all[name]; {
		case v < before:
			t.Fatalf("seed %d: %s was %v, and is %v", seed, name, before, v)
		case zeroFirst && !known && v != 0:
			t.Fatalf("seed %d: %s is %v at first, want 0", seed, name, v)
		default:
			seen[name] = v
		}
	}
}
