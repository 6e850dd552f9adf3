package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// How often a failing credential plugin is started. A start can open a browser, or
// print a prompt, so there are at most maxStarts in a startPeriod. The second one
// follows soon, because many failures are over after a moment.
const (
	maxStarts       = 5
	startPeriod     = time.Minute
	firstStartDelay = 2 * time.Second
	startDelay      = 14500 * time.Millisecond
	// loginInterval is how often the files of a login are checked between the starts. A
	// change allows the next start at once, within maxStarts, and twice in a startPeriod:
	// if the files change all the time, the other starts are still spread over the minute.
	loginInterval = time.Second
)

// slowPlugin is how long a plugin may run until ktail reports that it has not finished.
const slowPlugin = 10 * time.Second

// CredentialError reports that the client has no valid credentials. It affects
// all requests to the server.
type CredentialError struct {
	Err        error
	RetryAfter time.Duration // time until the plugin may be started again
}

// Error implements error.
func (e *CredentialError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *CredentialError) Unwrap() error { return e.Err }

var (
	errUnauthorized = errors.New("the server rejected the credentials (401 Unauthorized)")
	errAbandoned    = errors.New("the request has ended")
)

// credentialGate handles the failure of a credential plugin once for the whole
// client. client-go starts the plugin for each request that has no valid
// credentials, and for each 401 response, so a hundred logs that reconnect
// start it a hundred times (exec.roundTripper in client-go v0.37). The gate
// starts it immediately when credentials stop working, and then a few times a
// minute, and when the files of a login change. Between the starts, requests fail
// without being sent; they continue as soon as one succeeds.
//
// client-go does not end a plugin that does not finish, and holds a lock while it
// runs. At the start, requests wait for the plugin, because the user may have to
// answer its prompt. Later, they fail after slowPlugin, and again when they are
// retried, until the plugin finishes.
//
// The plugin is between the two halves of the gate: wrap is above it, probe is
// below it.
type credentialGate struct {
	turn   chan struct{} // capacity 1: one request at a time gets credentials
	files  loginFiles
	plugin string      // its name in messages
	warn   func(error) // called once if the plugin does not finish at the start

	mu        sync.Mutex
	warned    bool         // warn was called
	err       error        // why the last start failed; nil while credentials work
	failures  int          // consecutive starts that did not help
	starts    []time.Time  // the last starts, at most maxStarts, the oldest first
	worked    bool         // the credentials have worked
	refreshed time.Time    // last start caused by a 401
	next      time.Time    // no start before this time
	login     *uint64      // state of the files after the last start; nil: not known
	checked   time.Time    // when the files were checked
	early     [2]time.Time // the last changes of the files that allowed a start
}

func newCredentialGate(files loginFiles, plugin string, warn func(error)) *credentialGate {
	return &credentialGate{turn: make(chan struct{}, 1), files: files, plugin: plugin, warn: warn}
}

// credentialPass is the state of one request on its way through the gate.
type credentialPass struct {
	slow      *time.Timer   // runs while the request waits for the plugin
	abandoned chan struct{} // closed when the caller no longer waits for the response
	release   func()        // called when the request has its credentials
	sent      time.Time
	stale     bool // other credentials may be available by now
}

type credentialPassKey struct{}

// wrap returns a RoundTripper with the gate above next, which adds the
// credentials.
func (g *credentialGate) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		resp, retry, err := g.roundTrip(next, req)
		if retry { // with the credentials that the plugin has returned in the meantime
			resp, _, err = g.roundTrip(next, req)
		}
		return resp, err
	})
}

// passed is the result of a request that went through the gate.
type passed struct {
	resp  *http.Response
	retry bool
	err   error
}

// roundTrip sends the request. A goroutine of its own waits for the plugin, because
// client-go does not stop waiting when the context of the request ends. While the
// plugin runs, there are at most two: one has the turn, and one has caused the start
// by a 401 response.
func (g *credentialGate) roundTrip(next http.RoundTripper, req *http.Request) (resp *http.Response, retry bool, err error) {
	pass := &credentialPass{slow: time.NewTimer(slowPlugin), abandoned: make(chan struct{})}
	defer pass.slow.Stop()
	defer close(pass.abandoned)
	result := make(chan passed)
	go func() {
		p := g.pass(next, req, pass)
		select {
		case result <- p:
		case <-pass.abandoned:
			if p.resp != nil {
				_ = p.resp.Body.Close() // errors do not matter
			}
		}
	}()
	for {
		select {
		case p := <-result:
			return p.resp, p.retry, p.err
		case <-req.Context().Done():
			return nil, false, req.Context().Err()
		case <-pass.slow.C:
			if err := g.unfinished(); err != nil {
				return nil, false, err
			}
		}
	}
}

// pass takes the request through the gate.
func (g *credentialGate) pass(next http.RoundTripper, req *http.Request, pass *credentialPass) passed {
	ctx := req.Context()
	select {
	case g.turn <- struct{}{}:
	case <-pass.abandoned:
		return passed{err: errAbandoned}
	}
	pass.release = sync.OnceFunc(func() { <-g.turn })
	defer pass.release()
	if err := g.closed(); err != nil {
		return passed{err: err}
	}
	pass.slow.Reset(slowPlugin)
	resp, err := next.RoundTrip(req.Clone(context.WithValue(ctx, credentialPassKey{}, pass)))
	switch {
	case err != nil && pass.sent.IsZero() && ctx.Err() == nil: // the plugin failed
		return passed{err: g.fail(err)}
	case pass.stale:
		return passed{retry: true, err: err}
	case err == nil && resp.StatusCode == http.StatusUnauthorized:
		_ = resp.Body.Close() // errors do not matter
		return passed{retry: true, err: g.failure()}
	}
	return passed{resp: resp, err: err}
}

// unfinished returns the error of a request that has waited for the plugin for
// slowPlugin. At the start, it reports the error and returns nil: the request waits on.
func (g *credentialGate) unfinished() error {
	g.mu.Lock()
	worked, warned := g.worked, g.warned
	g.warned = warned || !worked
	g.mu.Unlock()
	err := fmt.Errorf("the credential plugin %s has not finished after %v (does it wait for a login?)", g.plugin, slowPlugin)
	if worked {
		return &CredentialError{Err: err}
	}
	if !warned && g.warn != nil {
		g.warn(err)
	}
	return nil
}

// closed returns the error of the last start while the next one is not due.
func (g *credentialGate) closed() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil || !time.Now().Before(g.next) {
		return nil
	}
	if g.noteLogin(time.Now()); !time.Now().Before(g.next) {
		return nil
	}
	return g.failureLocked()
}

// noteLogin allows the next start at once if the files of a login have changed since the
// last one.
func (g *credentialGate) noteLogin(now time.Time) {
	if len(g.files) == 0 || now.Sub(g.checked) < loginInterval {
		return
	}
	state := g.files.state()
	if next := g.withinLimit(now); g.login != nil && *g.login != state && next.Before(g.next) && now.Sub(g.early[0]) > startPeriod {
		g.next, g.early = next, [2]time.Time{g.early[1], now}
	}
	g.login, g.checked = &state, now
}

// failure returns the error of the last start.
func (g *credentialGate) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failureLocked()
}

func (g *credentialGate) failureLocked() error {
	err := g.err
	if err == nil { // another request has succeeded in the meantime
		err = errUnauthorized
	}
	after := max(time.Until(g.next), 0)
	if len(g.files) > 0 {
		after = min(after, loginInterval)
	}
	return &CredentialError{Err: err, RetryAfter: after}
}

// fail records that the plugin has failed.
func (g *credentialGate) fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures++
	g.err = err
	g.record(time.Now())
	g.schedule(time.Now())
	g.noteLogin(time.Now())
	return g.failureLocked()
}

// record records a start.
func (g *credentialGate) record(at time.Time) {
	if len(g.starts) == maxStarts {
		g.starts = slices.Delete(g.starts, 0, 1)
	}
	g.starts = append(g.starts, at)
	g.login, g.checked = nil, time.Time{}
}

// schedule sets when the plugin is started next, after a start that did not help.
func (g *credentialGate) schedule(now time.Time) {
	g.next = now.Add(startDelay)
	if g.failures == 1 {
		g.next = now.Add(firstStartDelay)
	}
	g.next = g.withinLimit(g.next)
}

// withinLimit returns the first time, not before at, at which a start is within maxStarts.
func (g *credentialGate) withinLimit(at time.Time) time.Time {
	if len(g.starts) == maxStarts {
		if earliest := g.starts[0].Add(startPeriod + time.Second); at.Before(earliest) {
			return earliest
		}
	}
	return at
}

// mayRefresh reports whether the plugin may see a 401 response, which starts
// it. stale reports that the request was sent before the last start, so it may
// succeed with the newer credentials.
func (g *credentialGate) mayRefresh(sent time.Time) (ok, stale bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	switch {
	case !g.refreshed.IsZero() && !sent.After(g.refreshed):
		return false, true
	case now.Before(g.next):
		return false, false
	}
	g.failures++
	g.err, g.refreshed = errUnauthorized, now
	if len(g.starts) == 0 && !g.worked {
		g.record(now) // the start that has returned the rejected credentials
	}
	g.record(now)
	if g.failures > 1 { // the first start may return credentials that work
		g.schedule(now)
	}
	return true, false
}

// succeed records that the credentials work.
func (g *credentialGate) succeed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err, g.failures, g.next, g.worked = nil, 0, time.Time{}, true
}

// probe is the lower half of the gate: requests arrive with credentials, and
// responses show whether the credentials work.
func (g *credentialGate) probe(next http.RoundTripper) http.RoundTripper {
	return roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		pass, ok := req.Context().Value(credentialPassKey{}).(*credentialPass)
		if !ok {
			return next.RoundTrip(req)
		}
		pass.sent = time.Now()
		pass.release()
		select {
		case <-pass.abandoned: // while the plugin was running
			return nil, errAbandoned
		default:
		}
		pass.slow.Stop()
		resp, err := next.RoundTrip(req)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode != http.StatusUnauthorized:
			g.succeed()
			return resp, nil
		}
		if refresh, stale := g.mayRefresh(pass.sent); !refresh {
			pass.stale = stale
			_ = resp.Body.Close() // the plugin must not see the response
			return nil, g.failure()
		}
		pass.slow.Reset(slowPlugin)
		return resp, nil
	})
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripperFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
