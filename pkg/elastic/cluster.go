package elastic

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// unauthorizedFor is how long a 401 response to the detection request blocks bulks.
// Servers whose security plugin has not started respond with 401, and so do servers
// that reject the credentials; neither says which target is right. Some proxies
// always reject this request but accept bulks. The fourth request, 17 to 35 seconds
// after the first, ends the block, well before Close loses its patience.
const unauthorizedFor = 15 * time.Second

// clusterInfo is what is known of the servers.
type clusterInfo struct {
	connecting   chan struct{} // holds something while they are asked; capacity 1
	templateDone bool          // guarded by connecting
	unauthorized time.Time     // since when they answer 401; of the same

	mu        sync.Mutex
	server    server
	target    target
	selected  bool // target is set
	pinned    bool // the target stays: documents were accepted there
	connected bool
}

// currentTarget returns where documents go as far as is known, and the server.
func (s *Sink) currentTarget() (target, server) {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	if !s.cluster.selected {
		return newTarget(s.o.Index, server{}), server{}
	}
	return s.cluster.target, s.cluster.server
}

// disconnect has the servers asked again what they are before the next bulk.
func (s *Sink) disconnect() {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	s.cluster.connected = false
}

// connect finds out, if that is not known, what the servers are, and installs the
// template that they need.
func (s *Sink) connect(ctx context.Context) *problem {
	c := &s.cluster
	select {
	case c.connecting <- struct{}{}:
		defer func() { <-c.connecting }()
	case <-ctx.Done():
		return &problem{kind: Unreachable, err: ctx.Err()}
	}
	c.mu.Lock()
	connected := c.connected
	c.mu.Unlock()
	if connected {
		return nil
	}
	found, err := s.client.detect(ctx)
	if p := s.unauthorized(err); p != nil {
		return p
	}
	if s.o.CheckCluster != nil && err == nil {
		if err := s.o.CheckCluster(found.uuid); err != nil {
			return &problem{kind: Blocked, err: err}
		}
	}
	c.update(found, s.selectTarget)
	if !c.templateDone {
		if err := s.client.setUp(ctx, c.target, c.server); err != nil {
			p := problemOf(err)
			if p.kind != Blocked {
				return p
			}
			s.report.problem("template", Event{Kind: NoTemplate, Err: err}, 0)
		}
		c.templateDone = true
	}
	c.mu.Lock()
	// A server that does not say what it is is asked again, until lines are accepted.
	c.connected = c.server.known || c.pinned
	c.mu.Unlock()
	return nil
}

// ClusterUUID asks the servers for the UUID of their cluster. It is empty if they do
// not say, as to a user who may not ask.
func ClusterUUID(ctx context.Context, o Options) (string, error) {
	c, err := newClient(&o, &reporter{notify: func(Event) {}})
	if err != nil {
		return "", err
	}
	defer func() { closeIdle(c.session.Load().transport) }()
	found, err := c.detect(ctx)
	var status *StatusError
	if errors.As(err, &status) && (status.Status == http.StatusUnauthorized || status.Status == http.StatusForbidden) {
		err = nil
	}
	return found.uuid, err
}

// unauthorized returns the problem of asking the servers what they are. Who may not
// ask (403) may deliver all the same. A 401 means that for a while only.
func (s *Sink) unauthorized(err error) *problem {
	var status *StatusError
	c := &s.cluster
	switch {
	case err == nil:
		c.unauthorized = time.Time{}
		return nil
	case !errors.As(err, &status) || status.Status != http.StatusUnauthorized && status.Status != http.StatusForbidden:
		return problemOf(err)
	}
	s.client.reload(reloadAfter)
	if c.unauthorized.IsZero() {
		c.unauthorized = time.Now()
	}
	if status.Status == http.StatusUnauthorized && time.Since(c.unauthorized) < unauthorizedFor {
		return problemOf(err)
	}
	return nil
}

// update records what was found. The target changes until documents were accepted.
// After that it stays, even if the server is replaced by a newer one: a line that is
// sent again must meet itself.
func (c *clusterInfo) update(found server, target func(server) target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found.known || !c.server.known {
		c.templateDone = c.templateDone && found == c.server
		c.server = found
	}
	if !c.pinned {
		c.target, c.selected = target(c.server), true
	}
}

// pin has the target stay, since documents were accepted there.
func (s *Sink) pin(t target) {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	c := &s.cluster
	if c.pinned || t.index != c.target.index {
		return
	}
	c.pinned, c.connected = true, true
	s.rememberTarget(t, c.server)
}

// problemOf returns what an error of a small request means.
func problemOf(err error) *problem {
	var status *StatusError
	var busy *busyError
	switch {
	case errors.As(err, &busy):
		return &problem{kind: Busy, err: err, retryAfter: busy.wait}
	case !errors.As(err, &status):
		return &problem{kind: Unreachable, err: err}
	}
	it := item{status: status.Status, kind: status.Type, reason: status.Reason}
	if judge(ofRequest, &it) == retry {
		return &problem{kind: Busy, err: err}
	}
	return &problem{kind: Blocked, err: err}
}

const (
	dailyChoice  = "daily indices\n"
	streamChoice = "data stream\n"
)

func (s *Sink) choicePath() string { return filepath.Join(s.o.Dir, "index") }

// selectTarget returns where documents go. What an earlier run has pinned in the same
// directory is selected again.
func (s *Sink) selectTarget(found server) target {
	t := newTarget(s.o.Index, found)
	if s.o.Index != "" || s.o.Dir == "" || !found.known {
		return t
	}
	switch b, err := os.ReadFile(s.choicePath()); {
	case err == nil && string(b) == dailyChoice:
		return target{own: true}
	case err == nil && string(b) == streamChoice:
		return newTarget("", server{})
	}
	return t
}

// rememberTarget records the target for later runs. If that fails, the next run
// finds out for itself.
func (s *Sink) rememberTarget(t target, found server) {
	if s.o.Index != "" || s.o.Dir == "" || !found.known {
		return
	}
	choice := streamChoice
	if t.daily() {
		choice = dailyChoice
	}
	if b, err := os.ReadFile(s.choicePath()); err == nil && string(b) == choice {
		return
	}
	_ = os.WriteFile(s.choicePath(), []byte(choice), 0o600)
}
