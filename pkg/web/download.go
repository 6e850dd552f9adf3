package web

import (
	"bufio"
	"encoding/json"
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

// download sends all lines of the query as a file. With as=text, it has the texts of
// the lines; with as=json, an object for each line.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	params := r.URL.Query()
	if !s.ticks.redeem(params.Get("ticket"), time.Now()) {
		http.Error(w, "this download has expired: start it again on the page", http.StatusForbidden)
		return
	}
	v, err := s.view(params)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	asJSON := params.Get("as") == "json"
	name, kind := "ktail-"+time.Now().UTC().Format("20060102T150405Z"), "text/plain; charset=utf-8"
	if asJSON {
		name, kind = name+".ndjson", "application/x-ndjson"
	} else {
		name += ".log"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	place := v.Search(r.Context(), time.Minute)
	control := http.NewResponseController(w)
	out := bufio.NewWriterSize(w, 64<<10)
	// The sequence number is where to continue: numbers may leave the view in the meantime.
	for at := place.First; at < place.End && r.Context().Err() == nil; at += maxRows {
		_ = control.SetWriteDeadline(time.Now().Add(answerTimeout)) // a recorder of tests has none
		s.sink.ring.ReadEach(v.Seqs(at, int(min(maxRows, place.End-at))), func(rec *ring.Record) {
			if rec.Kind == ktail.Log {
				s.writeLine(out, rec, asJSON)
			}
		})
	}
	_ = out.Flush() // the client is gone
}

func (s *Server) writeLine(out *bufio.Writer, rec *ring.Record, asJSON bool) {
	if !asJSON {
		_, _ = out.Write(rec.Text) // Flush reports the error
		_ = out.WriteByte('\n')    // likewise
		return
	}
	stream := s.sink.ring.Stream(rec.Stream)
	if stream == nil {
		stream = &ktail.Stream{}
	}
	line := struct {
		Time      string `json:"time,omitempty"`
		Namespace string `json:"namespace,omitempty"`
		Pod       string `json:"pod,omitempty"`
		Container string `json:"container,omitempty"`
		Level     string `json:"level,omitempty"`
		Message   string `json:"message"`
	}{
		time.Unix(0, rec.Time).UTC().Format(time.RFC3339Nano), stream.Namespace, stream.Pod, stream.Container,
		rec.Level.String(), string(rec.Text),
	}
	_ = json.NewEncoder(out).Encode(line) // Flush reports the error
}
