package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// plugin adds credentials to requests as client-go's exec.roundTripper does: it
// starts a program when it has no credentials, and after a 401 response.
type plugin struct {
	base http.RoundTripper

	mu     fakeClockMutex
	token  string
	start  func() (token string, err error)
	starts int
	times  []time.Time // of the starts
}

// fakeClockMutex is a mutex. While goroutines wait for it, the fake clock advances.
type fakeClockMutex chan struct{}

func (m fakeClockMutex) Lock()   { m <- struct{}{} }
func (m fakeClockMutex) Unlock() { <-m }

func (p *plugin) refresh() error {
	p.starts++
	p.times = append(p.times, time.Now())
	token, err := p.start()
	if err == nil {
		p.token = token
	}
	return err
}

func (p *plugin) RoundTrip(req *http.Request) (*http.Response, error) {
	p.mu.Lock()
	if p.token == "" {
		if err := p.refresh(); err != nil {
			p.mu.Unlock()
			return nil, err
		}
	}
	token := p.token
	p.mu.Unlock()
	req.Header.Set("Authorization", token)
	resp, err := p.base.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		p.mu.Lock()
		if p.token == token {
			_ = p.refresh()
		}
		p.mu.Unlock()
	}
	return resp, err
}

// world is a server that accepts one token, and a plugin behind a gate.
type world struct {
	gate     *credentialGate
	plugin   *plugin
	client   http.RoundTripper
	mu       sync.Mutex
	accepted string
	requests int
	warnings []string // of a plugin that does not finish at the start
}

func newWorld(accepted string, start func() (string, error)) *world {
	w := &world{accepted: accepted}
	w.gate = newCredentialGate(nil, "login-helper", func(err error) { w.warnings = append(w.warnings, err.Error()) })
	gate := w.gate
	server := roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		time.Sleep(5 * time.Millisecond) // a round trip takes time on the fake clock
		w.mu.Lock()
		defer w.mu.Unlock()
		w.requests++
		code := http.StatusUnauthorized
		if req.Header.Get("Authorization") == w.accepted {
			code = http.StatusOK
		}
		return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(""))}, nil
	})
	w.plugin = &plugin{base: gate.probe(server), mu: make(fakeClockMutex, 1), start: start}
	w.client = gate.wrap(w.plugin)
	return w
}

func (w *world) accept(token string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accepted = token
}

// get sends a request. The body of the response is closed.
func (w *world) get(ctx context.Context) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://server/api", nil)
	if err != nil {
		return nil, err
	}
	resp, err := w.client.RoundTrip(req)
	if err == nil {
		_ = resp.Body.Close()
	}
	return resp, err
}

// run retries one log, as the engine does, after the time that the error names,
// until the log opens or the time is over. It returns when the log opened.
func (w *world) run(t *testing.T, until time.Time) (opened time.Time) {
	for time.Now().Before(until) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://server/log", nil)
		if err != nil {
			t.Error(err)
			return time.Time{}
		}
		resp, err := w.client.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("status %d reached the log", resp.StatusCode)
			}
			return time.Now()
		}
		c, ok := errors.AsType[*CredentialError](err)
		if !ok {
			t.Errorf("error %v, want a CredentialError", err)
			return time.Time{}
		}
		time.Sleep(max(c.RetryAfter, 200*time.Millisecond))
	}
	return time.Time{}
}

func TestCredentialGate_LimitsStartsOfFailingPlugin(t *testing.T) {
	failing := func() (string, error) { return "", errors.New("open your browser to log in") }
	for _, tt := range []struct {
		name  string
		token string // held by the plugin at first
		start func() (string, error)
	}{
		{"without credentials", "", failing},
		{"with rejected credentials", "expired", failing},
		{"plugin returns rejected credentials", "expired", func() (string, error) { return "expired", nil }},
		{"plugin returns new rejected credentials each time", "", func() func() (string, error) {
			n := ""
			return func() (string, error) { n += "x"; return n, nil }
		}()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const logs = 100
				w := newWorld("valid", tt.start)
				w.plugin.token = tt.token
				var all sync.WaitGroup
				for range logs {
					all.Go(func() { w.run(t, time.Now().Add(10*time.Minute)) })
				}
				all.Wait()
				w.checkStarts(t)
				if w.plugin.starts == 0 {
					t.Error("the plugin was not started")
				}
			})
		})
	}
}

// When the plugin works again, all logs open at its next start, which follows soon if it
// has failed for a moment only.
func TestCredentialGate_RecoversAtOnce(t *testing.T) {
	for outage, most := range map[time.Duration]time.Duration{
		time.Second: 2 * time.Second, 5 * time.Second: 15 * time.Second, 20 * time.Second: 15 * time.Second,
		3 * time.Minute: 15 * time.Second, 3*time.Minute + 7*time.Second: 15 * time.Second,
	} {
		t.Run(outage.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const logs = 100
				began := time.Now()
				works := began.Add(outage)
				w := newWorld("valid", func() (string, error) {
					if time.Now().Before(works) {
						return "", errors.New("not logged in")
					}
					return "valid", nil
				})
				opened := make([]time.Time, logs)
				var all sync.WaitGroup
				for i := range logs {
					all.Go(func() { opened[i] = w.run(t, began.Add(10*time.Minute)) })
				}
				all.Wait()
				for _, at := range opened {
					if late := at.Sub(works); late > most {
						t.Fatalf("a log opened %v after the plugin worked, want at most %v", late, most)
					}
				}
			})
		})
	}
}

// checkStarts fails the test if the plugin was started more than five times in a minute.
func (w *world) checkStarts(t *testing.T) {
	t.Helper()
	const most = 5
	for i, at := range w.plugin.times {
		if end := i + most; end < len(w.plugin.times) && w.plugin.times[end].Sub(at) <= time.Minute {
			t.Errorf("the plugin was started %d times in %v, want at most %d a minute", most+1, w.plugin.times[end].Sub(at), most)
		}
	}
}

// grow appends to a file, so that its state changes whatever the resolution of times is.
func grow(t *testing.T, name string) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A login that makes the plugin work is noticed soon by the files that it writes, at
// whatever time it happens. What the plugin itself writes is no login.
func TestCredentialGate_NoticesLogin(t *testing.T) {
	for outage := 3 * time.Second; outage < 4*time.Minute; outage += 5300 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			dir := t.TempDir()
			began, loggedIn := time.Now(), false
			w := newWorld("valid", func() (string, error) {
				grow(t, filepath.Join(dir, "log of the plugin"))
				if !loggedIn {
					return "", errors.New("not logged in")
				}
				return "valid", nil
			})
			w.gate.files = loginFiles{dir}
			var all sync.WaitGroup
			opened := make([]time.Time, 100)
			for i := range opened {
				all.Go(func() { opened[i] = w.run(t, began.Add(10*time.Minute)) })
			}
			time.Sleep(outage)
			w.plugin.mu.Lock()
			loggedIn = true
			w.plugin.mu.Unlock()
			grow(t, filepath.Join(dir, "token"))
			all.Wait()
			most := 5 * time.Second
			if outage > 45*time.Second && outage < time.Minute { // the starts of the first minute are used up
				most = 16 * time.Second
			}
			for _, at := range opened {
				if late := at.Sub(began.Add(outage)); late > most {
					t.Fatalf("after %v, a log opened %v after the login, want at most %v", outage, late, most)
				}
			}
			w.checkStarts(t)
		})
	}
}

// Files that change all the time neither start the plugin more often than five times a
// minute nor delay the other starts for long.
func TestCredentialGate_LimitsStartsWhenFilesChangeAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "log")
		w := newWorld("valid", func() (string, error) { return "", errors.New("not logged in") })
		w.gate.files = loginFiles{name}
		end := time.Now().Add(10 * time.Minute)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { w.run(t, end) })
		}
		for time.Now().Before(end) {
			grow(t, name)
			time.Sleep(700 * time.Millisecond)
		}
		all.Wait()
		w.checkStarts(t)
		for i := 1; i < len(w.plugin.times); i++ {
			if gap := w.plugin.times[i].Sub(w.plugin.times[i-1]); gap > 35*time.Second {
				t.Errorf("no start in %v", gap)
			}
		}
	})
}

// A token that the server no longer accepts costs one start and no error.
func TestCredentialGate_ExpiredTokenIsReplacedUnnoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := "first"
		w := newWorld("first", func() (string, error) { return token, nil })
		w.run(t, time.Now().Add(time.Second))
		token = "second"
		w.accept("second")
		began := time.Now()
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if at := w.run(t, began.Add(time.Minute)); at.Sub(began) > time.Second {
					t.Errorf("a log opened %v after the token expired", at.Sub(began))
				}
			})
		}
		all.Wait()
		if w.plugin.starts != 2 {
			t.Errorf("the plugin was started %d times, want once per token", w.plugin.starts)
		}
	})
}

const unfinished = "the credential plugin login-helper has not finished after 10s (does it wait for a login?)"

// hang runs a plugin that finishes at the given time.
func hang(until time.Time) (string, error) {
	time.Sleep(time.Until(until))
	return "valid", nil
}

// At the start, the user may have to answer a prompt. This is reported once.
func TestCredentialGate_WaitsForPluginAtTheStart(t *testing.T) {
	for name, token := range map[string]string{"without credentials": "", "with rejected credentials": "expired"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				answered := began.Add(10 * time.Minute)
				w := newWorld("valid", func() (string, error) { return hang(answered) })
				w.plugin.token = token
				var all sync.WaitGroup
				for range 100 {
					all.Go(func() {
						resp, err := w.get(t.Context())
						if err != nil {
							t.Error(err)
							return
						}
						if late := time.Since(answered); resp.StatusCode != http.StatusOK || late > time.Second {
							t.Errorf("status %d, %v after the plugin has finished", resp.StatusCode, late)
						}
					})
				}
				all.Wait()
				if len(w.warnings) != 1 || w.warnings[0] != unfinished {
					t.Errorf("warnings %q, want one: %s", w.warnings, unfinished)
				}
				if w.plugin.starts != 1 {
					t.Errorf("the plugin was started %d times, want once", w.plugin.starts)
				}
			})
		})
	}
}

// A plugin that does not finish is an error of all requests, which continue as soon as it
// finishes. Requests that failed in the meantime are not sent, and leave no goroutines.
func TestCredentialGate_ReportsPluginThatDoesNotFinish(t *testing.T) {
	for name, expire := range map[string]func(w *world){
		"the token has expired":        func(w *world) { w.plugin.token = "" },
		"the server rejects the token": func(w *world) { w.accept("valid") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const logs = 100
				finishes := time.Now()
				w := newWorld("first", func() (string, error) { return hang(finishes) })
				w.plugin.token = "first"
				w.run(t, time.Now().Add(time.Second))
				w.accept("valid")
				expire(w)
				requests := w.requests
				began := time.Now()
				finishes = began.Add(time.Hour)
				var errs sync.WaitGroup
				for range logs {
					errs.Go(func() {
						_, err := w.get(t.Context())
						if c, ok := errors.AsType[*CredentialError](err); !ok || c.Error() != unfinished {
							t.Errorf("error %v, want a CredentialError: %s", err, unfinished)
						}
						if took := time.Since(began); took > 2*slowPlugin {
							t.Errorf("reported after %v", took)
						}
					})
				}
				errs.Wait()
				synctest.Wait()
				if n := runtime.NumGoroutine(); n > logs {
					t.Errorf("%d goroutines remain", n)
				}
				var all sync.WaitGroup
				for range logs {
					all.Go(func() {
						if at := w.run(t, finishes.Add(time.Minute)); at.Sub(finishes) > time.Second {
							t.Errorf("a log opened %v after the plugin has finished", at.Sub(finishes))
						}
					})
				}
				all.Wait()
				if sent := w.requests - requests; sent > 2*logs {
					t.Errorf("%d requests were sent for %d logs", sent, logs)
				}
				if w.plugin.starts != 1 || w.warnings != nil {
					t.Errorf("%d starts, want 1; warnings %q, want none", w.plugin.starts, w.warnings)
				}
			})
		})
	}
}

// A request ends with its context although the plugin is running.
func TestCredentialGate_RequestEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		w := newWorld("valid", func() (string, error) { return hang(began.Add(time.Hour)) })
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := w.get(ctx)
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
					t.Errorf("error %v after %v", err, time.Since(began))
				}
			})
		}
		all.Wait()
		time.Sleep(2 * time.Hour)
		if w.requests != 0 {
			t.Errorf("%d requests were sent after their end", w.requests)
		}
		if at := w.run(t, time.Now().Add(time.Second)); at.IsZero() {
			t.Error("the gate did not open again")
		}
	})
}

type closeRecorder struct {
	io.Reader
	closed *bool
}

func (c closeRecorder) Close() error {
	*c.closed = true
	return nil
}

// A response that arrives after its request has ended is closed.
func TestCredentialGate_ClosesLateResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		closed := false
		gate := newCredentialGate(nil, "login-helper", nil)
		client := gate.wrap(gate.probe(roundTripperFunc(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Minute)
			return &http.Response{StatusCode: http.StatusOK, Body: closeRecorder{strings.NewReader(""), &closed}}, nil
		})))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://server/api", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.RoundTrip(req)
		if err == nil {
			_ = resp.Body.Close()
			t.Fatal("the request did not end with its context")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if !closed {
			t.Error("the response was not closed")
		}
	})
}

// The time limit of a response counts from the time at which the request is sent.
func TestCredentialGate_PluginTakesNoTimeFromTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := newCredentialGate(nil, "login-helper", nil)
		p := &plugin{mu: make(fakeClockMutex, 1), start: func() (string, error) { return hang(time.Now().Add(time.Hour)) }}
		p.base = gate.probe(bounded(silent))
		began := time.Now()
		_, err := get(t, checked(gate.wrap(p)), "https://server/apis")
		if _, ok := errors.AsType[*TimeoutError](err); !ok || time.Since(began) != time.Hour+responseTimeout {
			t.Errorf("error %v after %v", err, time.Since(began))
		}
	})
}
