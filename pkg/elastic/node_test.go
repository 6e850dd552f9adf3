package elastic_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

// nodes makes the servers reachable as es1, es2 and so on.
func nodes(all ...server) func(*elastic.Options) {
	return func(o *elastic.Options) {
		o.Nodes = nil
		for i := range all {
			o.Nodes = append(o.Nodes, &url.URL{Scheme: "http", Host: fmt.Sprintf("es%d:9200", i+1)})
		}
		o.Transport = dialing(func(_ context.Context, address string) server {
			var n int
			if _, err := fmt.Sscanf(address, "es%d:9200", &n); err != nil {
				panic(err)
			}
			return all[n-1]
		})
	}
}

// A node that does not respond, or whose gateway responds with an HTML page, delays one
// request. The problem is reported, and the node is used again when it has recovered.
func TestNode_SilentNodeIsTakenOut(t *testing.T) {
	t.Parallel()
	faults := map[string]*fakesearch.Fault{
		"silent":  {Delay: time.Hour},
		"gateway": fakesearch.HTMLPage(http.StatusBadGateway),
		"cut":     {Cut: fakesearch.CutBeforeResponse},
		"HTML":    fakesearch.HTMLPage(http.StatusOK),
		"400":     fakesearch.HTMLPage(http.StatusBadRequest),
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				good, bad := serve(t, fakesearch.Options{}), serve(t, fakesearch.Options{})
				bad.SetFault(func(*http.Request) *fakesearch.Fault { return fault })
				r := start(t, good, nodes(bad, good))
				texts := numbered(2400)
				all := lines(texts...)
				for i := range 120 {
					r.write(t, all[i*20:(i+1)*20])
					time.Sleep(time.Second)
					if pending := r.Status().Waiting; i > 80 && pending > 60 {
						t.Fatalf("%d lines wait after %d s", pending, i)
					}
				}
				if got := r.events.kinds(); !slices.Equal(got, []elastic.EventKind{elastic.NodeDown}) {
					t.Errorf("reported %v: %s", got, r.events.text())
				}
				bad.SetFault(nil)
				time.Sleep(2 * time.Minute)
				r.write(t, lines("z"))
				time.Sleep(2 * time.Second)
				r.write(t, lines("y"))
				r.close(t)
				if len(good.messages())+len(bad.messages()) < 2402 || len(bad.messages()) == 0 {
					t.Errorf("%d and %d documents", len(good.messages()), len(bad.messages()))
				}
			})
		})
	}
}

// Lines never go to two clusters: they would be in neither completely.
func TestNode_OfAnotherClusterGetsNoLines(t *testing.T) {
	t.Run("both respond", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			good, other := serve(t, fakesearch.Options{}), serve(t, fakesearch.Options{ClusterUUID: "other"})
			r := start(t, good, nodes(good, other))
			r.write(t, lines("a", "b"))
			time.Sleep(time.Minute)
			if n := len(good.messages()) + len(other.messages()); n != 0 {
				t.Errorf("%d lines were delivered to one of two clusters", n)
			}
			if got := r.events.kinds(); !slices.Equal(got, []elastic.EventKind{elastic.Blocked}) {
				t.Errorf("reported %v: %s", got, r.events.text())
			}
			for _, want := range []string{"es1:9200", "es2:9200", "another cluster", "one cluster only"} {
				if !strings.Contains(r.events.text(), want) {
					t.Errorf("%q is not in the message: %s", want, r.events.text())
				}
			}
			other.SetFault(func(*http.Request) *fakesearch.Fault { return &fakesearch.Fault{Cut: fakesearch.CutBeforeResponse} })
			time.Sleep(2 * time.Minute)
			r.close(t)
			wantMessages(t, good, "a", "b")
			wantMessages(t, other)
		})
	})
	t.Run("one responds later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			good, other := serve(t, fakesearch.Options{}), serve(t, fakesearch.Options{ClusterUUID: "other"})
			other.SetFault(func(*http.Request) *fakesearch.Fault { return &fakesearch.Fault{Cut: fakesearch.CutBeforeResponse} })
			r := start(t, good, nodes(other, good))
			r.write(t, lines("a"))
			time.Sleep(5 * time.Second)
			other.SetFault(nil)
			texts := []string{"a"}
			for _, l := range numbered(100) {
				texts = append(texts, l)
				r.write(t, lines(l))
				time.Sleep(10 * time.Second)
			}
			if !strings.Contains(r.events.text(), "belongs to another cluster") {
				t.Errorf("the other cluster is not reported: %s", r.events.text())
			}
			r.close(t)
			wantMessages(t, good, texts...)
			wantMessages(t, other)
		})
	})
}

// If the other nodes fail, a node of another cluster that was down when ktail started does
// not take their place.
func TestNode_OfAnotherClusterReplacesNoNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := func(*http.Request) *fakesearch.Fault { return &fakesearch.Fault{Cut: fakesearch.CutBeforeResponse} }
		other, good := serve(t, fakesearch.Options{ClusterUUID: "other"}), serve(t, fakesearch.Options{})
		other.SetFault(down)
		r := start(t, good, nodes(other, good))
		texts := numbered(200)
		for i, l := range lines(texts...) {
			switch i {
			case 50:
				good.SetFault(down)
			case 55:
				other.SetFault(nil)
			case 120:
				good.SetFault(nil)
			}
			r.write(t, []ktail.Line{l})
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Minute)
		r.close(t)
		wantMessages(t, good, texts...)
		wantMessages(t, other)
	})
}

func wantMessages(t *testing.T, s server, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := s.messages(); !slices.Equal(got, want) {
		t.Errorf("delivered %q, want %q", got, want)
	}
}

// Retry-After applies only to the node that sent it, whatever its value is.
func TestNode_RetryAfterPausesOneNode(t *testing.T) {
	for _, value := range []string{"300", "10000000000", "99999999999999999999999999", "-5", "soon"} {
		t.Run(value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				busy, good := serve(t, fakesearch.Options{}), serve(t, fakesearch.Options{})
				busy.fault(func(int, *http.Request) *fakesearch.Fault {
					f := fakesearch.Busy(0)
					f.Response.Header.Set("Retry-After", value)
					return f
				})
				r := start(t, good, nodes(busy, good))
				for i := range 20 {
					r.write(t, lines(numbered(20)...)[i:i+1])
					time.Sleep(2 * time.Second)
				}
				if n := r.Status().Delivered; n < 19 {
					t.Errorf("%d of 20 lines delivered", n)
				}
				if n := busy.Counts().Bulks; n > 20 {
					t.Errorf("%d requests to the paused node", n)
				}
				r.close(t)
			})
		})
	}
}
