package elastic

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/durable"
)

// unauthorizedGrace is how long a 401 response to the detection request blocks bulks.
// Servers respond with 401 while their security plugin is starting, and if they reject
// the credentials; neither shows which target is right. Some proxies always reject the
// detection request but accept bulks. The fourth request, 17 to 35 seconds after the
// first, ends the block, before closeTimeout expires.
const unauthorizedGrace = 15 * time.Second

// clusterInfo holds what is known about the servers.
type clusterInfo struct {
	connecting   chan struct{} // held while the servers are detected; capacity 1
	templateDone bool          // guarded by connecting
	unauthorized time.Time     // time of the first 401 or 403; guarded by connecting

	mu        sync.Mutex
	server    server
	target    target
	selected  bool // target is valid
	pinned    bool // the target is final because documents were accepted there
	connected bool
}

// currentTarget returns the target of documents and the server; either may be unknown.
func (s *Sink) currentTarget() (target, server) {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	if !s.cluster.selected {
		return newTarget(s.o.Index, server{}), server{}
	}
	return s.cluster.target, s.cluster.server
}

// disconnect makes the next attempt detect the servers again.
func (s *Sink) disconnect() {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	s.cluster.connected = false
	s.backings.invalidate()
}

// connect detects the servers, unless they are known, and installs the index template
// that they need.
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
		if err := s.client.installTemplate(ctx, c.target, c.server); err != nil {
			p := problemOf(err)
			if p.kind != Blocked {
				return p
			}
			s.report.problem("template", Event{Kind: NoTemplate, Err: err}, 0)
		}
		c.templateDone = true
	}
	c.mu.Lock()
	// A server that hides its version is detected again until it accepts documents.
	c.connected = c.server.known || c.pinned
	c.mu.Unlock()
	return nil
}

// ClusterUUID returns the UUID of the cluster. It is empty if the servers do not report
// it, for example to users without the permission to read it.
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

// unauthorized returns the problem that a failed detection means. A user who may not
// detect the servers (403) may still deliver documents. A 401 blocks delivery for a
// while only.
func (s *Sink) unauthorized(err error) *problem {
	var status *StatusError
	c := &s.cluster
	switch {
	case err == nil:
		c.unauthorized = time.Time{}
		return nil
	case !errors.As(err, &status):
		s.client.reload(minReloadInterval) // a certificate may have been replaced
		return problemOf(err)
	case status.Status != http.StatusUnauthorized && status.Status != http.StatusForbidden:
		return problemOf(err)
	}
	s.client.reload(minReloadInterval)
	if c.unauthorized.IsZero() {
		c.unauthorized = time.Now()
	}
	if status.Status == http.StatusUnauthorized && time.Since(c.unauthorized) < unauthorizedGrace {
		return problemOf(err)
	}
	return nil
}

// update records the detected server. The target may change until documents are
// accepted. After that it is final, even if the server is replaced by a newer version:
// a document that is sent again must go to the same index.
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

// pin makes the target final because documents were accepted there.
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

// problemOf returns the problem that an error of a small request means.
func problemOf(err error) *problem {
	var status *StatusError
	var busy *busyError
	var clusters clustersError
	switch {
	case errors.As(err, &clusters):
		return &problem{kind: Blocked, err: err}
	case errors.As(err, &busy):
		return &problem{kind: Busy, err: err, retryAfter: busy.wait}
	case !errors.As(err, &status):
		return &problem{kind: Unreachable, err: err}
	}
	it := failedItem(status.Status, status.Type, status.Reason)
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

// selectTarget returns the target of documents. If an earlier run stored a target in
// the same directory, that is used again.
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

// rememberTarget stores the target for later runs. If that fails, the next run selects
// the target itself.
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
	_ = durable.Replace(s.choicePath(), 0o600, []byte(choice))
}
