package elastic_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// After its context has ended, the sink stops in time, whatever the server does.
func TestSink_EndsWithinShutdownTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 20 * time.Second
	faults := map[string]*fakesearch.Fault{
		"slow":          {Delay: 8 * time.Second},
		"silent":        {Delay: time.Hour},
		"loses answers": {Cut: fakesearch.CutBeforeResponse},
		"busy":          failing(http.StatusTooManyRequests, "es_rejected_execution_exception", "busy"),
		"blocked":       failing(http.StatusForbidden, "security_exception", "no"),
	}
	for name, fault := range faults {
		for _, spooled := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", spool ", spooled), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := serve(t, fakesearch.Options{})
					s.fault(func(int, *http.Request) *fakesearch.Fault { return fault })
					dir := t.TempDir()
					r := start(t, s, func(o *elastic.Options) {
						o.ShutdownTimeout = timeout
						if spooled {
							spool(dir, 1<<30)(o)
						}
					})
					ctx, cancel := context.WithCancel(t.Context())
					writer := make(chan struct{})
					go func() { // more lines than the server accepts
						defer close(writer)
						for ctx.Err() == nil {
							if r.Write(ctx, lines(incompressible(20)...)) != nil {
								return
							}
							time.Sleep(100 * time.Millisecond)
						}
					}()
					time.Sleep(20 * time.Second)
					begun := time.Now()
					r.stop()
					cancel()
					<-writer
					err := r.Close(t.Context())
					if took := time.Since(begun); took > timeout+2*time.Second {
						t.Errorf("closing took %s", took)
					}
					st := r.Status()
					var undelivered *elastic.UndeliveredError
					switch {
					case spooled && (err != nil || st.Waiting > 0):
						t.Errorf("with a spool: %v, status %+v", err, st)
					case st.Waiting > 0 && !spooled && !errors.As(err, &undelivered):
						t.Errorf("lines are undelivered, and the error is %v", err)
					case st.Waiting > 0 && name != "slow" && name != "silent" && !strings.Contains(err.Error(), "the last problem was"):
						t.Errorf("the error does not contain the reason: %v", err)
					}
				})
			})
		}
	}
}

// A server that accepts documents before the timeout gets them, however late that is.
func TestSink_DeliversUntilShutdownTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 48 * time.Second
	faults := map[string]func(stopped time.Duration) *fakesearch.Fault{
		"a slow server": func(time.Duration) *fakesearch.Fault { return &fakesearch.Fault{Delay: 25 * time.Second} },
		"a server that is down for a while": func(stopped time.Duration) *fakesearch.Fault {
			if stopped < timeout-3*time.Second {
				return &fakesearch.Fault{Cut: fakesearch.CutBeforeResponse}
			}
			return nil
		},
		"a server that rejects the credentials for a while": func(stopped time.Duration) *fakesearch.Fault {
			if stopped < timeout-3*time.Second {
				return failing(http.StatusForbidden, "security_exception", "no")
			}
			return nil
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{})
				const before = 5 * time.Minute // delays have become long
				stopping := time.Now().Add(before)
				s.fault(func(int, *http.Request) *fakesearch.Fault { return fault(time.Since(stopping)) })
				r := start(t, s, func(o *elastic.Options) { o.ShutdownTimeout = timeout })
				r.write(t, lines("early"))
				time.Sleep(before)
				r.write(t, lines("early", "late")[1:])
				r.stop()
				if err := r.Close(t.Context()); err != nil {
					t.Errorf("close: %v", err)
				}
				same(t, s.messages(), []string{"early", "late"})
			})
		})
	}
}

// incompressible returns n texts that hardly compress.
func incompressible(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%x%x", uint64(i)*0x9e3779b97f4a7c15, time.Now().UnixNano()*int64(i+1))
	}
	return all
}
