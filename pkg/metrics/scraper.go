package metrics

import "time"

// scraper is a server that scrapes over one connection. The lock of the sink guards it.
type scraper struct {
	client string // address and program
	last   uint64 // number of its last scrape; if it has not scraped yet, of the last one before
	before uint64 // last, before its last scrape
	joined uint64 // number of scrapes before its first one
	at     time.Time
	new    bool // it has not scraped yet
	closed bool // its connection is closed
}

// join adds a scraper at its first scrape. If the same client has scraped over another
// connection, the scraper continues from there: Prometheus closes the connection when a
// scrape times out. Several servers may look like the same client, so it continues from
// the last of their scrapes: no server may see a series as 0 after its value.
func (s *Sink) join(sc *scraper, client string) {
	sc.client, sc.new = client, false
	known := false
	for other := range s.scrapers {
		if other.client != client {
			continue
		}
		sc.last, known = max(sc.last, other.last), true
		if other.closed {
			delete(s.scrapers, other)
		}
	}
	if !known {
		sc.last = s.scrapes
	}
	sc.at, sc.joined = time.Now(), s.scrapes
	s.scrapers[sc] = true
}

// leave records that the connection of a scraper is closed. Series of deleted pods wait
// for its client to connect again, unless it has done so already: when a scrape times out,
// the next connection is often used before the end of the old one is noticed.
func (s *Sink) leave(sc *scraper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc.closed = true
	for other := range s.scrapers {
		if !other.closed && other.client == sc.client && other.joined >= sc.before {
			delete(s.scrapers, sc)
			return
		}
	}
}

// shown records that the scraper was shown the series at the scrape.
func (s *Sink) shown(sc *scraper, now time.Time) {
	s.scrapes++
	sc.before, sc.last, sc.at = sc.last, s.scrapes, now
	s.scrapers[sc] = true
	s.expire(now)
}

// missed records that the response to the last scrape was not received, for example
// because the scrape timed out.
func (s *Sink) missed(sc *scraper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc.last = sc.before
}
