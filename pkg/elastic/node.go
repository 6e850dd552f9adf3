package elastic

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/text"
)

const (
	firstNodeDelay = time.Second
	maxNodeDelay   = time.Minute
)

// nodePool holds the nodes of one cluster and their states. Requests take turns among
// the nodes that are up. A node that does not respond, or belongs to another cluster, is
// down at once, and is probed until that changes. It is safe for concurrent use.
type nodePool struct {
	report *reporter

	mu      sync.Mutex
	nodes   []*node
	next    int
	cluster clusterID // of the node that was detected last
}

// clusterID is the UUID of a cluster and the host of a node that reported it.
type clusterID struct{ uuid, host string }

// node is one address. It is up, down, or paused by a Retry-After.
type node struct {
	url     *url.URL
	down    bool
	tries   int       // consecutive failures
	until   time.Time // a node that is down is not probed before
	wait    time.Time // a paused node gets no request before
	probing bool
	checked bool // it belongs to the cluster that was detected last, or does not report its UUID
	blocks  bool // delivery waits because it belonged to another cluster at the last detection
}

func newNodePool(urls []*url.URL, report *reporter) *nodePool {
	p := &nodePool{report: report}
	for _, u := range urls {
		p.nodes = append(p.nodes, &node{url: u})
	}
	return p
}

// busyError is the error if all available nodes are paused.
type busyError struct{ wait time.Duration }

// Error returns how long the shortest pause lasts.
func (e *busyError) Error() string {
	return fmt.Sprintf("asked to wait for %s", e.wait.Round(time.Second))
}

// pick returns the node for the next request, among those not tried yet. If all nodes
// are down, it returns one of them as the first try. It returns nil if there is no node
// left to try, and a *busyError if all nodes are paused.
func (p *nodePool) pick(tried []*node) (*node, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var down *node
	var soonest time.Duration
	for i := range p.nodes {
		n := p.nodes[(p.next+i)%len(p.nodes)]
		switch wait := n.wait.Sub(now); {
		case slices.Contains(tried, n) || n.blocks:
		case wait > 0:
			if soonest == 0 || wait < soonest {
				soonest = wait
			}
		case !n.down:
			p.next = (p.next + i + 1) % len(p.nodes)
			return n, nil
		case down == nil || n.checked && !down.checked || n.checked == down.checked && n.until.Before(down.until):
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

// succeed records that the node responded.
func (p *nodePool) succeed(n *node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.down, n.tries, n.until = false, 0, time.Time{}
	p.report.solved("node "+n.url.Host, Event{Kind: NodeUp, Node: n.url.Host})
}

// fail records that the node did not respond, that a gateway responded in its place, or
// that it belongs to another cluster.
func (p *nodePool) fail(n *node, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delay := min(firstNodeDelay<<min(n.tries, 16), maxNodeDelay)
	n.down, n.tries = true, n.tries+1
	n.until = time.Now().Add(delay/2 + rand.N(delay/2))
	if !p.allDown() { // otherwise, the problem of the cluster is reported instead
		p.report.problem("node "+n.url.Host, Event{Kind: NodeDown, Node: n.url.Host, Err: err}, 0)
	}
}

// detected records that the node belongs to the cluster with this UUID, which may be
// empty. If it is a new one, the other nodes are compared again.
func (p *nodePool) detected(n *node, uuid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if uuid != p.cluster.uuid {
		for _, other := range p.nodes {
			other.checked = false
		}
	}
	p.cluster, n.checked = clusterID{uuid, n.url.Host}, true
}

// mayBeForeign reports whether the node may belong to another cluster.
func (p *nodePool) mayBeForeign(n *node) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cluster.uuid != "" && !n.checked
}

// mustCheck reports whether the cluster of the node must be known before delivery.
func (p *nodePool) mustCheck(n *node) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return n.blocks || !n.down && p.cluster.uuid != "" && !n.checked
}

// compare returns an *otherClusterError if the node, which has reported this UUID, does
// not belong to the same cluster as the node that was detected last.
func (p *nodePool) compare(n *node, uuid string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.checked = uuid == "" || p.cluster.uuid == "" || uuid == p.cluster.uuid
	if n.checked {
		return nil
	}
	return &otherClusterError{uuid, p.cluster}
}

// otherClusterError is the error if a node belongs to the cluster with this UUID instead
// of that of the other nodes.
type otherClusterError struct {
	uuid string
	want clusterID
}

// Error names the UUIDs, and a node of the other nodes' cluster.
func (e *otherClusterError) Error() string {
	return fmt.Sprintf("belongs to another cluster (%s) than %s (%s); name the nodes of one cluster only",
		text.OneLine(e.uuid), e.want.host, text.OneLine(e.want.uuid))
}

// clustersError is the error if nodes that are up belong to several clusters.
type clustersError struct{ error }

// checkCluster returns a clustersError if a node that is up does not belong to the same
// cluster as the one that was detected last. A node that does not respond is down.
func (c *client) checkCluster(ctx context.Context) error {
	var checks sync.WaitGroup
	errs := make([]error, len(c.nodes.nodes))
	for i, n := range c.nodes.nodes {
		if !c.nodes.mustCheck(n) {
			continue
		}
		checks.Go(func() {
			err := c.probeNode(ctx, n)
			var other *otherClusterError
			blocks := errors.As(err, &other)
			c.nodes.mu.Lock()
			n.blocks = blocks
			c.nodes.mu.Unlock()
			switch {
			case blocks:
				errs[i] = fmt.Errorf("%s %w", n.url.Host, err)
			case err != nil && ctx.Err() == nil:
				c.nodes.fail(n, err)
			}
		})
	}
	checks.Wait()
	if err := errors.Join(errs...); err != nil {
		return clustersError{err}
	}
	return nil
}

// clusterUUID returns the UUID of the cluster in the response to a detection request, or
// "" if there is none.
func (r *response) clusterUUID() string {
	if r.status != http.StatusOK {
		return ""
	}
	found, err := parseServer(r)
	if err != nil {
		return ""
	}
	return found.uuid
}

// areDown reports whether all nodes are down.
func (p *nodePool) areDown() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.allDown()
}

// allDown is areDown for a caller that holds the lock.
func (p *nodePool) allDown() bool {
	return !slices.ContainsFunc(p.nodes, func(n *node) bool { return !n.down })
}

// pause records that the node requested a pause.
func (p *nodePool) pause(n *node, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.wait = time.Now().Add(d)
}

// due returns a node to probe now, or how long to wait for the next one.
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

// probe probes the nodes that are down until ctx ends. A node is up when it responds
// with anything but a server error, unless it belongs to another cluster.
func (c *client) probe(ctx context.Context) {
	p := c.nodes
	if len(p.nodes) < 2 {
		return // the next bulk probes a single node
	}
	for ctx.Err() == nil {
		n, wait := p.due()
		if n == nil {
			sleep(ctx, max(wait, 10*time.Millisecond))
			continue
		}
		err := c.probeNode(ctx, n)
		p.mu.Lock()
		n.probing = false
		if err == nil {
			n.down = false // keep tries, so that a node that responds only to probes is paused longer next time
		}
		up := !n.down
		p.mu.Unlock()
		if !up { // otherwise, NodeUp is reported after the next successful request
			p.fail(n, err)
		}
	}
}

// probeNode returns an error if the node does not respond, or belongs to another cluster.
func (c *client) probeNode(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	resp, err := c.send(ctx, n, http.MethodGet, "/", nil, nil, &responseBuffer{})
	switch {
	case err != nil:
		return err
	case resp.status >= http.StatusInternalServerError || resp.fromGateway(false):
		return resp.serverError()
	}
	return c.nodes.compare(n, resp.clusterUUID())
}

// sleep waits for the duration, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
