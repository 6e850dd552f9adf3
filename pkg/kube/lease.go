package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Lease makes sure that at most one process does something, with a Lease of the
// coordination API. The process that holds the Lease renews it. Another process
// takes it over when it has not been renewed for its whole duration. Each
// process measures that with its own clock, so clocks may differ.
type Lease struct {
	Client          *Client
	Namespace, Name string
	Identity        string        // of this process, unique among all that want the Lease
	Duration        time.Duration // 0: 30 s

	// OnWait, if set, is called when the Lease cannot be acquired at once, with
	// the identity of the holder or the error of a request. It is not called
	// again for the same reason.
	OnWait func(holder string, err error)

	api leaseAPI // nil: that of Client
}

// leaseAPI reads and writes one Lease. Errors are those of package apierrors.
type leaseAPI interface {
	get(ctx context.Context) (*leaseObject, error)
	create(ctx context.Context, l *leaseObject) (*leaseObject, error)
	update(ctx context.Context, l *leaseObject) (*leaseObject, error)
}

const (
	leaseDuration = 30 * time.Second
	// leaseRetry is the time before a retry after a failed request, or while
	// another process holds the Lease.
	leaseRetry = 2 * time.Second
)

// ErrLeaseLost is returned by Lease.Hold if the Lease could not be renewed in
// time, or if another process has taken it over.
var ErrLeaseLost = errors.New("the lease is lost")

// Hold waits until the process holds the Lease, and calls run. The context of
// run ends when two thirds of the duration have passed since the last renewal;
// the rest is the time in which run must return before another process may take
// over. Hold returns the error of run, and ErrLeaseLost if run had to end.
func (l *Lease) Hold(ctx context.Context, run func(context.Context) error) error {
	h := &leaseHolder{Lease: l, api: l.api, duration: l.Duration}
	if h.api == nil {
		h.api = restLease{client: l.Client, namespace: l.Namespace, name: l.Name}
	}
	if h.duration == 0 {
		h.duration = leaseDuration
	}
	if err := h.acquire(ctx); err != nil {
		return err
	}
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan struct{})
	renewing := make(chan struct{})
	go func() {
		defer close(renewing)
		if err := h.renew(ctx, ended); err != nil {
			stop(err)
		}
	}()
	err := run(running)
	close(ended)
	<-renewing
	if cause := context.Cause(running); errors.Is(cause, ErrLeaseLost) {
		return errors.Join(fmt.Errorf("%s/%s: %w", l.Namespace, l.Name, cause), err)
	}
	h.release(context.WithoutCancel(ctx))
	return err
}

// leaseHolder is one call of Hold.
type leaseHolder struct {
	*Lease
	api      leaseAPI
	duration time.Duration

	object  *leaseObject // as last read or written
	since   time.Time    // when this version was first seen
	renewed time.Time    // time just before the last renewal
	waits   string       // the last reported reason for waiting
}

// acquire returns nil when the process holds the Lease, or an error when ctx ends.
func (h *leaseHolder) acquire(ctx context.Context) error {
	for {
		held, err := h.try(ctx)
		if held {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		holder := ""
		if h.object != nil {
			holder = h.object.Spec.HolderIdentity
		}
		if why := fmt.Sprint(holder, err); why != h.waits && h.OnWait != nil {
			h.waits = why
			h.OnWait(holder, err)
		}
		if err := pause(ctx, leaseRetry, nil); err != nil {
			return err
		}
	}
}

// try tries once to acquire the Lease. It reports whether the process holds it.
func (h *leaseHolder) try(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, h.duration/3)
	defer cancel()
	object, err := h.api.get(ctx)
	now := time.Now() // the object may have been written just before the response
	switch {
	case apierrors.IsNotFound(err):
		return h.taken(now)(h.api.create(ctx, newLeaseObject(h.Lease, nil, h.duration, now)))
	case err != nil:
		return false, fmt.Errorf("get lease %s/%s: %w", h.Namespace, h.Name, err)
	}
	if h.object == nil || h.object.Metadata.ResourceVersion != object.Metadata.ResourceVersion {
		h.object, h.since = object, now
	}
	expires := h.since.Add(time.Duration(object.Spec.DurationSeconds) * time.Second)
	if holder := object.Spec.HolderIdentity; holder != "" && holder != h.Identity && now.Before(expires) {
		return false, nil
	}
	return h.taken(now)(h.api.update(ctx, newLeaseObject(h.Lease, object, h.duration, now)))
}

// taken handles the response to a request, sent at the given time, that makes
// this process the holder.
func (h *leaseHolder) taken(now time.Time) func(*leaseObject, error) (bool, error) {
	return func(object *leaseObject, err error) (bool, error) {
		switch {
		case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
			return false, nil // another process was faster
		case err != nil:
			return false, fmt.Errorf("write lease %s/%s: %w", h.Namespace, h.Name, err)
		}
		h.object, h.since, h.renewed = object, now, now
		return true, nil
	}
}

// renew renews the Lease until ended is closed. It returns ErrLeaseLost with the reason if
// that fails for too long.
func (h *leaseHolder) renew(ctx context.Context, ended <-chan struct{}) error {
	ctx = context.WithoutCancel(ctx) // run continues for a while after ctx has ended
	for wait := h.duration / 3; ; {
		if pause(ctx, wait, ended) == nil && isClosed(ended) {
			return nil
		}
		limit := h.renewed.Add(h.duration * 2 / 3)
		requests, cancel := context.WithDeadline(ctx, limit)
		err := h.renewOnce(requests)
		cancel()
		switch {
		case err == nil:
			wait = h.duration / 3
		case errors.Is(err, ErrLeaseLost):
			return err
		case !time.Now().Before(limit):
			return fmt.Errorf("%w: %w", ErrLeaseLost, err)
		default:
			wait = min(leaseRetry, time.Until(limit))
		}
	}
}

// renewOnce sends one renewal.
func (h *leaseHolder) renewOnce(ctx context.Context) error {
	now := time.Now()
	object, err := h.api.update(ctx, newLeaseObject(h.Lease, h.object, h.duration, now))
	if err == nil {
		h.object, h.renewed = object, now
		return nil
	}
	if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return err
	}
	// The response to an earlier renewal may have been lost, or the Lease was
	// edited.
	object, getErr := h.api.get(ctx)
	switch {
	case apierrors.IsNotFound(getErr):
		return fmt.Errorf("%w: it was deleted", ErrLeaseLost)
	case getErr != nil:
		return getErr
	case object.Spec.HolderIdentity != h.Identity:
		return fmt.Errorf("%w: %q holds it now", ErrLeaseLost, object.Spec.HolderIdentity)
	}
	h.object = object
	return err
}

// release lets another process take the Lease at once. If that fails, the other
// process must wait.
func (h *leaseHolder) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaseRetry)
	defer cancel()
	object := newLeaseObject(h.Lease, h.object, h.duration, time.Now())
	object.Spec.HolderIdentity = ""
	_, _ = h.api.update(ctx, object)
}

// pause returns nil after the time, or when ended is closed.
func pause(ctx context.Context, d time.Duration, ended <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
