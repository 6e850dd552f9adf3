package web

import (
	"bufio"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/web/internal/ring"
)

const (
	downloadPath  = "/download"
	maxTickets    = 16
	ticketExpires = 30 * time.Second
)

// tickets allow one download each. A download is a navigation, which has no
// Authorization header, and the token must not be part of an address.
type tickets struct {
	mu      sync.Mutex
	pending map[string]time.Time // when they expire
}

// issue returns a new ticket.
func (t *tickets) issue(now time.Time) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	for ticket, expires := range t.pending {
		if now.After(expires) {
			delete(t.pending, ticket)
		}
	}
	for ticket := range t.pending { // any one; no user requests so many downloads
		if len(t.pending) < maxTickets {
			break
		}
		delete(t.pending, ticket)
	}
	if t.pending == nil {
		t.pending = map[string]time.Time{}
	}
	ticket := newToken()
	t.pending[ticket] = now.Add(ticketExpires)
	return ticket
}

// redeem reports whether the ticket is valid, for the first time.
func (t *tickets) redeem(ticket string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	expires, ok := t.pending[ticket]
	delete(t.pending, ticket)
	return ok && now.Before(expires)
}

// download sends the texts of all lines of the query as a file. If lines are missing,
// because they left the buffer before they were sent, the last line says so.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	params := r.URL.Query()
	if !s.ticks.redeem(params.Get("ticket"), time.Now()) {
		http.Error(w, "this download has expired: start it again on the page", http.StatusForbidden)
		return
	}
	filter, err := s.parseFilter(params)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="ktail-`+time.Now().UTC().Format("20060102T150405Z")+`.log"`)
	control := http.NewResponseController(w)
	out := bufio.NewWriterSize(w, 64<<10)
	write := func(rec *ring.Record) {
		if rec.Kind == ktail.Log {
			_, _ = out.Write(rec.Text) // Flush reports the error
			_ = out.WriteByte('\n')    // likewise
		}
	}
	scan := s.sink.ring.NewScan(filter)
	for more := true; more; {
		_ = control.SetWriteDeadline(time.Now().Add(answerTimeout)) // a recorder of tests has none
		more = scan.Next(write)
		if !more && scan.Missing > 0 {
			_, _ = fmt.Fprintf(out, "ktail: warning: this file is incomplete: up to %d lines are missing, which left the buffer before they were sent, or are damaged in it (--web-buffer)\n", scan.Missing)
		}
		if out.Flush() != nil || r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // otherwise, the response would end as if it were complete
		}
	}
}
