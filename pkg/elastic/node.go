package elastic

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	firstNodeDelay = time.Second
	mostNodeDelay  = time.Minute
)

// nodePool is the nodes of one cluster and how they are. Requests take turns among
// those that are up. A node that does not answer is down at once; it is probed until
// it answers. It is used by many goroutines.
type nodePool struct {
	report *reporter

	mu    sync.Mutex
	nodes []*node
	next  int
}

// node is one address. It is up, down, or asked for time by a Retry-After.
type node struct {
	url     *url.URL
	down    bool
	tries   int       // failures in a row
	until   time.Time // not to be used before
	wait    time.Time // asked for by the node: no request before
	probing bool
}

func newNodePool(urls []*url.URL, report *reporter) *nodePool {
	p := &nodePool{report: report}
	for _, u := range urls {
		p.nodes = append(p.nodes, &node{url: u})
	}
	return p
}

// busyError says that all nodes that could be asked have asked for time.
type busyError struct{ wait time.Duration }

// Error says for how long.
func (e *busyError) Error() string {
	return fmt.Sprintf("asked to wait for %s", e.wait.Round(time.Second))
}

// pick returns the node for the next request, of those that were not tried yet.
// If none is up it returns one that is down: a request has to try it. It returns nil if
// all were tried, and a *busyError if the nodes want no requests now.
func (p *nodePool) pick(tried []*node) (*node, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var down *node
	var soonest time.Duration
	for i := range p.nodes {
		n := p.nodes[(p.next+i)%len(p.nodes)]
		switch wait := n.wait.Sub(now); {
		case slices.Contains(tried, n):
		case wait > 0:
			if soonest == 0 || wait < soonest {
				soonest = wait
			}
		case !n.down:
			p.next = (p.next + i + 1) % len(p.nodes)
			return n, nil
		case down == nil || n.until.Before(down.until):
			down = n
		}
	}
	if down != nil && len(tried) == 0 {
		return down, nil
	}
	if soonest > 0 && len(tried) == 0 {
		return nil, &busyError{wait: soonest}
	}
	return nil, nil
}

// succeed records that the node has answered.
func (p *nodePool) succeed(n *node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.down, n.tries, n.until = false, 0, time.Time{}
	p.report.solved("node "+n.url.Host, Event{Kind: NodeUp, Node: n.url.Host})
}

// fail records that the node has not answered, or that what is in front of it has
// answered in its place.
func (p *nodePool) fail(n *node, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delay := min(firstNodeDelay<<min(n.tries, 16), mostNodeDelay)
	n.down, n.tries = true, n.tries+1
	n.until = time.Now().Add(delay/2 + rand.N(delay/2))
	for _, o := range p.nodes {
		if !o.down { // otherwise the whole cluster is unreachable, which is reported as such
			p.report.problem("node "+n.url.Host, Event{Kind: NodeDown, Node: n.url.Host, Err: err}, 0)
			return
		}
	}
}

// pause records that the node asked for time.
func (p *nodePool) pause(n *node, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.wait = time.Now().Add(d)
}

// due returns a node to probe now, and how long to wait for the next one.
func (p *nodePool) due() (*node, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, wait := time.Now(), firstNodeDelay
	for _, n := range p.nodes {
		switch {
		case !n.down || n.probing:
		case !n.until.After(now):
			n.probing = true
			return n, 0
		default:
			wait = min(wait, n.until.Sub(now))
		}
	}
	return nil, wait
}

// probe asks the nodes that are down, again and again, until ctx ends. A node is up
// when it answers anything that is not the error of a gateway.
func (c *client) probe(ctx context.Context) {
	p := c.nodes
	if len(p.nodes) < 2 {
		return // the next bulk is the probe
	}
	for ctx.Err() == nil {
		n, wait := p.due()
		if n == nil {
			sleep(ctx, max(wait, 10*time.Millisecond))
			continue
		}
		probeCtx, cancel := context.WithTimeout(ctx, probeTimeout)
		resp, err := c.ask(probeCtx, n, http.MethodGet, "/", nil, nil, &responseBuffer{})
		cancel()
		p.mu.Lock()
		n.probing = false
		if err == nil && resp.status < http.StatusInternalServerError {
			n.down = false // tries stay: a node that answers probes only is soon down again, for longer
		}
		up := !n.down
		p.mu.Unlock()
		if up {
			continue // it is reported when it has taken a bulk
		}
		if err == nil {
			err = resp.serverError()
		}
		p.fail(n, err)
	}
}

// sleep returns after the time, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
