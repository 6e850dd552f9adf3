package fakeapi

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// logOptions are the parameters of a log request.
type logOptions struct {
	container  string
	follow     bool
	previous   bool
	timestamps bool
	since      int64 // Unix nanoseconds; earlier entries are not sent, wherever they are
	tail       int64 // -1: all
	limit      int64 // bytes; -1: none
}

func parseLogOptions(q url.Values, now time.Time) (logOptions, error) {
	o := logOptions{
		container:  q.Get("container"),
		follow:     isTrue(q.Get("follow")),
		previous:   isTrue(q.Get("previous")),
		timestamps: isTrue(q.Get("timestamps")),
		tail:       -1,
		limit:      -1,
	}
	if q.Get("stream") != "" {
		return o, invalidLogOptions("stream: Forbidden: may not be specified")
	}
	seconds := int64(-1)
	for _, p := range []struct {
		name  string
		least int64
		says  string
		value *int64
	}{
		{"tailLines", 0, "must be greater than or equal to 0", &o.tail},
		{"limitBytes", 1, "must be greater than 0", &o.limit},
		{"sinceSeconds", 1, "must be greater than 0", &seconds},
	} {
		text := q.Get(p.name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return o, apierrors.NewBadRequest(err.Error())
		}
		if n < p.least {
			return o, invalidLogOptions(fmt.Sprintf("%s: Invalid value: %d: %s", p.name, n, p.says))
		}
		*p.value = n
	}
	sinceTime := q.Get("sinceTime")
	switch {
	case sinceTime != "" && seconds > 0:
		return o, invalidLogOptions("at most one of `sinceTime` or `sinceSeconds` may be specified")
	case sinceTime != "":
		at, err := time.Parse(time.RFC3339, sinceTime)
		if err != nil {
			return o, apierrors.NewBadRequest(err.Error())
		}
		// The API server passes it to the kubelet without fractions.
		o.since = at.Truncate(time.Second).UnixNano()
	case seconds > 0:
		o.since = now.Add(-time.Duration(seconds) * time.Second).UnixNano()
	}
	return o, nil
}

func invalidLogOptions(what string) error {
	return codeError(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, `PodLogOptions "" is invalid: `+what, 0)
}

// serveLog responds to a request for the log of a container.
func (s *Server) serveLog(w *response) {
	o, err := parseLogOptions(w.r.URL.Query(), s.opts.Now())
	if err != nil {
		writeError(w, err)
		return
	}
	pod := s.Pod(w.req.Namespace, w.req.Name)
	if pod == nil {
		writeError(w, apierrors.NewNotFound(podResource, w.req.Name))
		return
	}
	c, why := pod.find(o.container)
	if c == nil {
		badRequest(w, "%s", why)
		return
	}
	if !pod.scheduled() {
		w.WriteHeader(http.StatusNoContent) // the pod is not running on a node yet
		return
	}
	inst, why := c.serving(o.previous)
	if inst == nil {
		badRequest(w, "%s", why)
		return
	}
	s.stream(w, inst, o)
}

// stream sends the log in a response that Cut can end.
func (s *Server) stream(w *response, inst *instance, o logOptions) {
	w.Header().Set("Content-Type", "text/plain")
	at, ok := inst.open(o.tail)
	if !ok {
		// The kubelet sends this text in the body of a 200 response.
		_, _ = fmt.Fprintf(w, "unable to retrieve container logs for %s", inst.id)
		return
	}
	at.queue = s.opts.QueueRotations && o.follow
	s.openLog(w, o.follow, +1)
	defer s.openLog(w, o.follow, -1)
	w.WriteHeader(http.StatusOK)
	if w.flush() != nil {
		return
	}
	_ = copyLog(w, inst, at, o) // the response ends with the log
}

func (s *Server) openLog(w *response, follow bool, n int) {
	s.mu.Lock()
	if n > 0 {
		s.responses[w] = struct{}{}
	} else {
		delete(s.responses, w)
	}
	s.mu.Unlock()
	s.counter.Update(func(c *Counts) {
		c.OpenLogs += n
		if follow {
			c.OpenFollows += n
			c.PeakFollows = max(c.PeakFollows, c.OpenFollows)
		}
	})
}

// copyLog writes entries until the log ends, the limit is reached, or the
// response ends.
func copyLog(w *response, inst *instance, at cursor, o logOptions) error {
	const batch = 256 // entries rendered at once
	var (
		out       = renderer{logOptions: o, newLine: true}
		unflushed bool
		changed   <-chan struct{}
		entries   []Entry
	)
	for {
		if entries, changed = inst.read(&at, batch); len(entries) > 0 {
			more := out.render(entries)
			if _, err := w.Write(out.buf); err != nil {
				return err
			}
			unflushed = true
			if !more {
				return nil
			}
			if err := w.cutPending(); err != nil {
				return err
			}
			continue
		}
		if unflushed {
			if err := w.flush(); err != nil {
				return err
			}
			unflushed = false
		}
		if changed == nil || !o.follow {
			return nil
		}
		if err := w.wait(changed, nil); err != nil {
			return err
		}
	}
}

// cutPending returns an error if the response was cut.
func (w *response) cutPending() error {
	select {
	case clean := <-w.cut:
		w.abort = !clean
		return errBroken
	case <-w.done:
		return errBroken
	default:
		return nil
	}
}

// renderer renders entries as the kubelet does.
type renderer struct {
	logOptions
	buf     []byte
	newLine bool // write a timestamp before the next entry
}

// render replaces the content of the buffer. It returns false if the limit is
// reached.
func (r *renderer) render(entries []Entry) bool {
	r.buf = r.buf[:0]
	for _, e := range entries {
		if e.Time >= r.since {
			if r.timestamps && r.newLine {
				if e.Stamp == "" {
					r.buf = time.Unix(0, e.Time).UTC().AppendFormat(r.buf, timeFormat)
				}
				r.buf = append(append(r.buf, e.Stamp...), ' ')
			}
			r.buf = append(r.buf, e.Text...)
			if !e.Partial {
				r.buf = append(r.buf, '\n')
			}
		}
		r.newLine = !e.Partial
		if r.limit >= 0 && int64(len(r.buf)) >= r.limit {
			r.buf = r.buf[:r.limit]
			return false
		}
	}
	if r.limit >= 0 {
		r.limit -= int64(len(r.buf))
	}
	return true
}
