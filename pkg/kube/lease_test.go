package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var leases = schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}

// fakeLease is one Lease on a server.
type fakeLease struct {
	mu      sync.Mutex
	object  *leaseObject
	version int
}

// leaseClient is a process that talks to the server.
type leaseClient struct {
	*fakeLease
	mu    sync.Mutex
	fault func(context.Context) error // nil: none
}

func (c *leaseClient) setFault(f func(context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = f
}

func (c *leaseClient) fail(ctx context.Context) error {
	c.mu.Lock()
	f := c.fault
	c.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx)
}

func (c *leaseClient) get(ctx context.Context) (*leaseObject, error) {
	if err := c.fail(ctx); err != nil {
		return nil, err
	}
	c.fakeLease.mu.Lock()
	defer c.fakeLease.mu.Unlock()
	if c.object == nil {
		return nil, apierrors.NewNotFound(leases, "l")
	}
	o := *c.object
	return &o, nil
}

func (c *leaseClient) create(ctx context.Context, l *leaseObject) (*leaseObject, error) {
	return c.write(ctx, l, true)
}

func (c *leaseClient) update(ctx context.Context, l *leaseObject) (*leaseObject, error) {
	return c.write(ctx, l, false)
}

// write writes the object. A request whose client no longer waits is served, too.
func (c *leaseClient) write(ctx context.Context, l *leaseObject, create bool) (*leaseObject, error) {
	late := c.fail(ctx)
	if late != nil && !errors.Is(late, context.DeadlineExceeded) {
		return nil, late
	}
	c.fakeLease.mu.Lock()
	defer c.fakeLease.mu.Unlock()
	switch {
	case create && c.object != nil:
		return nil, apierrors.NewAlreadyExists(leases, "l")
	case !create && c.object == nil:
		return nil, apierrors.NewNotFound(leases, "l")
	case !create && l.Metadata.ResourceVersion != c.object.Metadata.ResourceVersion:
		return nil, apierrors.NewConflict(leases, "l", errors.New("modified"))
	}
	o := *l
	c.version++
	o.Metadata.ResourceVersion = strconv.Itoa(c.version)
	c.object = &o
	answer := o
	return &answer, late
}

func TestLease_OneHolderWhateverFails(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			server := &fakeLease{}
			var mu sync.Mutex
			holders, runs := 0, 0
			ctx, cancel := context.WithCancel(t.Context())
			var running sync.WaitGroup
			clients := make([]*leaseClient, 3)
			for i := range clients {
				clients[i] = &leaseClient{fakeLease: server}
				running.Go(func() {
					for n := 0; ctx.Err() == nil; n++ {
						l := &Lease{Identity: fmt.Sprintf("%d-%d", i, n), api: clients[i]}
						_ = l.Hold(ctx, func(ctx context.Context) error { // it ends with ctx
							mu.Lock()
							holders++
							runs++
							if holders > 1 {
								t.Error("two processes hold the lease")
							}
							mu.Unlock()
							select {
							case <-ctx.Done():
							case <-time.After(5 * time.Minute):
							}
							time.Sleep(leaseDuration / 4) // to stop takes a moment
							mu.Lock()
							holders--
							mu.Unlock()
							return nil
						})
					}
				})
			}
			for range 200 {
				c := clients[random.IntN(len(clients))]
				switch random.IntN(4) {
				case 0:
					c.setFault(func(context.Context) error { return errors.New("connection refused") })
				case 1:
					delay := time.Duration(random.IntN(20)) * time.Second
					c.setFault(func(ctx context.Context) error { return pause(ctx, delay, nil) })
				default:
					c.setFault(nil)
				}
				time.Sleep(time.Duration(random.IntN(20)) * time.Second)
			}
			cancel()
			for _, c := range clients {
				c.setFault(nil)
			}
			running.Wait()
			if runs < 3 {
				t.Errorf("the lease was held %d times", runs)
			}
		})
	}
}

func TestLease_StopsBeforeAnotherProcessMayTakeOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &leaseClient{fakeLease: &fakeLease{}}
		l := &Lease{Namespace: "ktail", Name: "ktail-0", Identity: "a", api: c}
		began := time.Now()
		err := l.Hold(t.Context(), func(ctx context.Context) error {
			c.setFault(func(context.Context) error { return errors.New("connection refused") })
			<-ctx.Done()
			return nil
		})
		if !errors.Is(err, ErrLeaseLost) || !strings.Contains(err.Error(), "ktail/ktail-0") || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("Hold() = %v, want ErrLeaseLost with the name and the reason", err)
		}
		if after := time.Since(began); after > leaseDuration*2/3 {
			t.Errorf("it stopped after %v, want at most two thirds of %v", after, leaseDuration)
		}
	})
}

func TestLease_ReleasedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &fakeLease{}
		failed := errors.New("failed")
		for i := range 3 {
			began := time.Now()
			l := &Lease{Identity: strconv.Itoa(i), api: &leaseClient{fakeLease: server}}
			if err := l.Hold(t.Context(), func(context.Context) error { return failed }); !errors.Is(err, failed) {
				t.Errorf("Hold() = %v, want the error of run", err)
			}
			if waited := time.Since(began); waited > 0 {
				t.Errorf("process %d waited %v for a lease that was released", i, waited)
			}
		}
	})
}

func TestLease_ReportsWhyItWaitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &fakeLease{}
		first, second := &leaseClient{fakeLease: server}, &leaseClient{fakeLease: server}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			l := &Lease{Identity: "first", api: first}
			_ = l.Hold(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }) // it ends with ctx
		})
		synctest.Wait()
		var reasons []string
		running.Go(func() {
			l := &Lease{Identity: "second", api: second, OnWait: func(holder string, err error) {
				reasons = append(reasons, fmt.Sprint(holder, " ", err))
			}}
			_ = l.Hold(ctx, func(context.Context) error { t.Error("held twice"); return nil }) // it ends with ctx
		})
		time.Sleep(5 * leaseDuration)
		second.setFault(func(context.Context) error { return errors.New("forbidden") })
		time.Sleep(leaseDuration)
		cancel()
		running.Wait()
		if want := "[first <nil> first get lease /: forbidden]"; fmt.Sprint(reasons) != want {
			t.Errorf("reported %v, want %v", reasons, want)
		}
	})
}
