package fakeapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// watcher serves one watch.
type watcher struct {
	*response
	serving
	sel       *selection
	rv        uint64 // the watcher has received everything up to here
	bookmarks bool
}

// watch serves a watch until the client, its timeout, or CloseWatches ends it.
func (s *Server) watch(w *response, what serving) {
	q := w.r.URL.Query()
	sel, err := newSelection(w.req.Namespace, q)
	if err != nil {
		badRequest(w, "%v", err)
		return
	}
	initial := isTrue(q.Get("sendInitialEvents"))
	match := metav1.ResourceVersionMatch(q.Get("resourceVersionMatch"))
	if initial && (s.opts.NoWatchList || match != metav1.ResourceVersionMatchNotOlderThan) {
		writeError(w, watchListRefused(s.opts.NoWatchList))
		return
	}
	wr := &watcher{response: w, serving: what, sel: sel, bookmarks: isTrue(q.Get("allowWatchBookmarks"))}
	asked := q.Get("resourceVersion")
	if wr.rv, err = parseVersion(asked); err != nil {
		badRequest(w, "invalid resource version %q: %v", asked, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	closing := what.store.closingWatches()
	s.counter.Update(func(c *Counts) { c.OpenWatches++ })
	defer s.counter.Update(func(c *Counts) { c.OpenWatches-- })

	if w.flush() != nil {
		return
	}
	if initial || wr.rv == 0 {
		if wr.sendState(initial) != nil {
			return
		}
	}
	_ = wr.run(closing, timeout(q.Get("timeoutSeconds")), s.opts.BookmarkEvery) // the response ends with the watch
}

func parseVersion(s string) (uint64, error) {
	if s == "" {
		return 0, nil
	}
	return strconv.ParseUint(s, 10, 64)
}

// timeout returns how long the watch may last; without the parameter, there is
// no limit.
func timeout(seconds string) time.Duration {
	n, err := strconv.Atoi(seconds)
	if err != nil || n <= 0 {
		return 0
	}
	return time.Duration(n) * time.Second
}

func watchListRefused(off bool) error {
	message := "sendInitialEvents: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
	if off {
		message = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
	}
	return codeError(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "ListOptions.meta.k8s.io \"\" is invalid: "+message, 0)
}

// run sends the events after the version.
func (w *watcher) run(closing <-chan struct{}, limit, bookmarkEvery time.Duration) error {
	var end <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		end = timer.C
	}
	bookmark := time.NewTicker(bookmarkEvery)
	defer bookmark.Stop()
	for {
		events, changed, err := w.store.since(w.rv)
		if err != nil {
			return errors.Join(w.sendError(err), err)
		}
		if len(events) > 0 {
			if err := w.sendEvents(events); err != nil {
				return err
			}
			continue
		}
		select {
		case <-changed:
		case <-bookmark.C:
			err = w.sendBookmark(false)
		case <-end:
			return w.sendBookmark(false)
		case <-closing:
			return errBroken
		case <-w.r.Context().Done():
			return w.r.Context().Err()
		case <-w.done:
			return errBroken
		}
		if err != nil {
			return err
		}
	}
}

// sendState sends the current pods as additions and, for a streamed list, the
// bookmark that marks the end of the initial events.
func (w *watcher) sendState(bookmark bool) error {
	found, rv := w.store.list(w.sel)
	for _, v := range found {
		if err := w.send(watch.Added, v.body(metadataOnly(w.r))); err != nil {
			return err
		}
	}
	w.rv = rv
	if bookmark {
		return w.sendBookmark(true)
	}
	return w.flush()
}

func (w *watcher) sendEvents(events []event) error {
	for _, e := range events {
		if typ, v := e.as(w.sel); v != nil {
			if err := w.send(typ, v.body(metadataOnly(w.r))); err != nil {
				return err
			}
		}
		w.rv = e.rv
	}
	return w.flush()
}

// sendBookmark sends the version that the watcher has reached.
func (w *watcher) sendBookmark(initialEnd bool) error {
	if !w.bookmarks || w.store.isMuted() {
		return nil
	}
	mark := corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: w.kind.Kind, APIVersion: w.kind.apiVersion()}}
	mark.ResourceVersion = itoa(int64(w.rv))
	if initialEnd {
		mark.Annotations = map[string]string{metav1.InitialEventsAnnotationKey: "true"}
	}
	object, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	if err := w.send(watch.Bookmark, object); err != nil {
		return err
	}
	return w.flush()
}

func (w *watcher) sendError(err error) error {
	object, jsonErr := json.Marshal(statusOf(err))
	if jsonErr != nil {
		return jsonErr
	}
	return w.send(watch.Error, object)
}

func (w *watcher) send(typ watch.EventType, object []byte) error {
	line := make([]byte, 0, len(object)+40)
	line = append(line, `{"type":"`...)
	line = append(line, typ...)
	line = append(line, `","object":`...)
	line = append(line, object...)
	line = append(line, '}', '\n')
	_, err := w.Write(line)
	return err
}

func (s *store) isMuted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.muted
}

func (s *store) closingWatches() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing
}

func (s *store) oldestVersion() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.oldest
}

// CloseWatches ends every open watch cleanly.
func (s *Server) CloseWatches() {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	close(s.store.closing)
	s.store.closing = make(chan struct{})
}

// ExpireWatches removes the history, as a compaction does: a watch from an
// earlier version gets an ERROR event with 410 Gone, and so does the next page
// of a list. Open watches are closed.
func (s *Server) ExpireWatches() {
	s.store.mu.Lock()
	s.store.rv++ // earlier lists are older than the oldest version
	s.store.oldest, s.store.events = s.store.rv, nil
	s.store.mu.Unlock()
	s.CloseWatches()
}

// BreakWatches ends the watches of a kind that is neither pods nor namespaces. If the
// server forgets what has happened, as after a compaction, clients have to list again.
func (s *Server) BreakWatches(group, resource string, forget bool) {
	st := s.objects(s.kindOf(group, resource))
	st.mu.Lock()
	defer st.mu.Unlock()
	if forget {
		st.rv++
		st.oldest, st.events = st.rv, nil
	}
	close(st.closing)
	st.closing = make(chan struct{})
}

// MuteWatches stops all watch events, including bookmarks, or resumes them with
// the events that occurred in the meantime.
func (s *Server) MuteWatches(mute bool) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.store.muted = mute
	s.store.wake()
}
