package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/nodelog"
	"github.com/ktail/ktail/pkg/kube/internal/sleep"
)

// nodeLog is the source of one unit or file of a node. A kubelet cannot follow a
// journal, so it is polled: each request asks for some more entries from the end than
// are expected to be new. If the entries delivered last are among them, nothing was
// missed; otherwise the request is repeated for twice as many.
//
// Requests never ask for entries since a time: the kubelet passes the time to
// journalctl without its zone, and journalctl takes it for the local time of the node
// (getLoggingCmd in pkg/kubelet/kubelet_server_journal.go, v1.35).
type nodeLog struct {
	w      *NodeWatcher
	node   string
	name   string
	stream *ktail.Stream
	isFile bool // name is a file, or the kubelet has no journal of the unit

	begun bool           // the journal was read
	rest  int64          // entries to ask for next, because the last response was cut; 0: it was not
	base  ktail.Position // of the last line read, including lines that the options exclude
	file  nodeFile
}

// Stream implements ktail.Source.
func (s *nodeLog) Stream() *ktail.Stream { return s.stream }

// continueFrom makes s read on where another watcher has stopped.
func (s *nodeLog) continueFrom(earlier *nodeLog) {
	s.name, s.isFile = earlier.name, earlier.isFile
	s.begun, s.base, s.file = earlier.begun, earlier.base.Clone(), earlier.file
}

const (
	mostEntries  = 100_000 // that a request may ask for, according to the kubelet
	firstEntries = 1000
	// moreEntries is how many entries are requested in addition to twice as many as
	// the last poll has brought.
	moreEntries = 50

	// overlapLines is how many of the lines delivered last have to be seen again.
	overlapLines = 64

	shortestPoll = 2 * time.Second
	longestPoll  = 15 * time.Second
	// cutAfter is the duration from which a response may be incomplete: the kubelet
	// kills journalctl after 30 seconds without marking the response.
	cutAfter = 29 * time.Second
	// mostBytes bounds what is read of a response, and so the memory. A response is read
	// at once, because the kubelet would kill journalctl if the output were blocked.
	mostBytes = 16 << 20
)

// Read implements ktail.Source.
func (s *nodeLog) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	if from.IsZero() {
		from = s.base.Clone()
	}
	poll, count := shortestPoll, int64(moreEntries)
	for first := true; ; first = false {
		if s.file.zipped {
			return s.readZipped(ctx, emit)
		}
		lines, err := s.next(ctx, &from, count)
		if err != nil {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case errors.Is(err, errNoUnit) && s.w.SkipMissing && !s.w.Options.Follow:
				return emit([]ktail.Line{s.diagnostic("%v", err)})
			}
			return s.readError(err)
		}
		from.Advance(lines)
		count = 2*int64(len(lines)) + moreEntries
		if s.rest > 0 {
			count = s.rest
		}
		count = min(count, mostEntries)
		if len(lines) > 0 {
			poll = shortestPoll
		} else {
			poll = min(poll*3/2, longestPoll)
		}
		brought := len(lines) > 0
		if brought || first {
			if err := emit(lines); err != nil {
				return err
			}
		}
		switch {
		case brought && s.rest > 0, s.file.more, s.file.zipped:
			continue
		case !s.w.Options.Follow && (!s.isFile || !brought): // a file comes in parts
			return nil
		case !s.w.Options.Follow:
			continue
		}
		sleep.For(ctx, poll+rand.N(poll/10+1))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// readError qualifies an error for the engine and for the user.
func (s *nodeLog) readError(err error) error {
	return &ktail.ReadError{
		Err:        fmt.Errorf("read log of node %s, %s: %w", s.node, s.name, nodeLogError(err, s.node)),
		Permanent:  s.isPermanent(err),
		RetryAfter: retryAfter(err),
	}
}

// isPermanent reports whether a retry fails until something on the node or a permission
// changes. A file that was there returns after its rotation.
func (s *nodeLog) isPermanent(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) || apierrors.IsBadRequest(err) || apierrors.IsNotAcceptable(err) ||
		apierrors.IsNotFound(err) && !s.file.begun || errors.Is(err, errNoJournal) || errors.Is(err, errNoUnit) || errors.Is(err, errIsDir)
}

// next returns the lines after the position.
func (s *nodeLog) next(ctx context.Context, from *ktail.Position, count int64) ([]ktail.Line, error) {
	if s.isFile {
		return s.nextOfFile(ctx, s.name, from)
	}
	lines, err := s.nextOfJournal(ctx, from, count)
	if !errors.Is(err, errNoJournal) && !errors.Is(err, errNoUnit) {
		return lines, err
	}
	for _, path := range []string{s.name + ".log", s.name + "/" + s.name + ".log"} {
		lines, fileErr := s.nextOfFile(ctx, path, from)
		if apierrors.IsNotFound(fileErr) {
			continue
		}
		if fileErr == nil {
			s.isFile, s.name = true, path
		}
		return lines, fileErr
	}
	return nil, err
}

var (
	errNoJournal = errors.New("the kubelet does not serve journals, and there is no log file of that name: journals require the kubelet option enableSystemLogQuery " +
		"and, before v1.36, the feature gate NodeLogQuery; to read a log file, use --file")
	errCut    = errors.New("the response of the kubelet ended before the new entries")
	errNoUnit = errors.New("the node has no journal of this unit, and no log file of that name; use --unit for other units, or --file for a log file")
)

// nextOfJournal returns the lines of the journal after the position. At the start,
// that is what the options want.
func (s *nodeLog) nextOfJournal(ctx context.Context, from *ktail.Position, count int64) ([]ktail.Line, error) {
	if !s.begun && from.IsZero() {
		return s.startJournal(ctx, from)
	}
	tooFew, tooMany := int64(0), int64(0) // entries; 0: not known
	for {
		j, err := s.query(ctx, count)
		if err != nil {
			return nil, err
		}
		lines := s.linesOf(&j)
		if from.IsZero() { // the journal was empty
			s.base.Advance(lines)
			return lines, nil
		}
		after, ok := afterOverlap(from, lines)
		ahead := ok || len(lines) > 0 && lines[0].Time <= from.Last().Time // the response begins before the new entries
		switch {
		case ok && (len(after) > 0 || !j.Cut):
			s.base.Advance(after)
			return after, nil
		case j.Cut && ahead: // it ends before them, too
			tooMany = count
		case int64(len(j.Entries)) < count && !j.Cut, count >= mostEntries:
			after = s.afterGap(from, lines)
			s.base.Advance(after)
			return after, nil
		default:
			tooFew = count
		}
		if count = min(max(2*count, firstEntries), mostEntries); tooMany > 0 {
			count = (tooFew + tooMany) / 2
		}
		if count <= tooFew {
			return nil, errCut
		}
	}
}

// startJournal returns the lines that the options want. It advances the position and
// the base by those before them, so that the next request recognizes its place.
func (s *nodeLog) startJournal(ctx context.Context, from *ktail.Position) ([]ktail.Line, error) {
	o := &s.w.Options
	since, count := int64(math.MinInt64), int64(firstEntries)
	if age := o.Age(); age > 0 {
		since = time.Now().Add(-age).UnixNano()
	}
	if o.Tail >= 0 {
		count = min(max(o.Tail, overlapLines), mostEntries)
	}
	for {
		j, err := s.query(ctx, count)
		if err != nil {
			return nil, err
		}
		whole := int64(len(j.Entries)) < count && !j.Cut || count >= mostEntries || o.Tail >= 0
		if !whole && j.Entries[0].Time.UnixNano() >= since {
			count = min(4*count, mostEntries)
			continue
		}
		s.begun = true
		lines := s.linesOf(&j)
		s.base.Advance(lines)
		wanted := 0
		if o.Tail >= 0 && !j.Cut {
			wanted = max(0, len(lines)-int(o.Tail))
		}
		for wanted < len(lines) && lines[wanted].Time < since {
			wanted++
		}
		from.Advance(lines[:wanted])
		if wanted == 0 && count == mostEntries && (j.Cut || int64(len(j.Entries)) == mostEntries) && o.Tail != mostEntries {
			return append([]ktail.Line{s.diagnostic("the journal may have earlier entries: the kubelet returns at most %d", mostEntries)}, lines...), nil
		}
		return lines[wanted:], nil
	}
}

// query requests the last entries of the journal.
func (s *nodeLog) query(ctx context.Context, count int64) (nodelog.Journal, error) {
	release, err := s.w.turn(ctx)
	if err != nil {
		return nodelog.Journal{}, err
	}
	defer release()
	began := time.Now()
	reply, err := s.w.Client.openNodeLog(ctx, s.node, "", url.Values{"query": {s.name}, "tailLines": {strconv.FormatInt(count, 10)}}, 0)
	if err != nil {
		return nodelog.Journal{}, err
	}
	defer reply.Close() //nolint:errcheck // errors do not matter after reading
	body, err := io.ReadAll(io.LimitReader(reply, mostBytes))
	if err != nil {
		return nodelog.Journal{}, fmt.Errorf("read journal: %w", err)
	}
	j := nodelog.ParseJournal(body, s.name, time.Now())
	j.Cut = j.Cut || len(body) == mostBytes || time.Since(began) >= cutAfter
	s.rest = 0
	if left := count - int64(len(j.Entries)); j.Cut && len(j.Entries) > 0 {
		s.rest = left + left/8 + overlapLines + firstEntries // with those that are new
	}
	switch {
	case j.Listing:
		return j, errNoJournal
	case j.NotFound && len(j.Entries) == 0:
		return j, errNoUnit
	case len(j.Entries) == 0 && len(j.Diagnostics) > 0:
		return j, fmt.Errorf("the kubelet responded: %s", j.Diagnostics[0])
	case len(j.Entries) == 0 && j.Cut: // of an empty journal, journalctl prints "-- No entries --"
		return j, errCut
	}
	return j, nil
}

// turn waits until a request to a kubelet is allowed.
func (w *NodeWatcher) turn(ctx context.Context) (release func(), err error) {
	select {
	case w.working <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := w.limiter.Wait(ctx); err != nil {
		<-w.working
		return nil, err
	}
	return func() { <-w.working }, nil
}

// linesOf returns the lines of the entries.
func (s *nodeLog) linesOf(j *nodelog.Journal) []ktail.Line {
	var lines []ktail.Line
	for i := range j.Entries {
		for _, text := range j.Entries[i].Lines {
			lines = append(lines, ktail.Line{Stream: s.stream, Time: j.Entries[i].Time.UnixNano(), Text: text})
		}
	}
	return lines
}

// diagnostic returns a line that is about the log.
func (s *nodeLog) diagnostic(format string, args ...any) ktail.Line {
	return ktail.Line{Stream: s.stream, Kind: ktail.Diagnostic, Text: fmt.Appendf(nil, format, args...)}
}

// afterOverlap returns the lines after those delivered last, and whether these are
// among the lines.
func afterOverlap(from *ktail.Position, lines []ktail.Line) ([]ktail.Line, bool) {
	last := slices.Collect(from.Digests())
	last = last[max(0, len(last)-overlapLines):]
	for end := len(lines); end > 0; end-- {
		same := 0
		for same < min(end, len(last)) && lines[end-1-same].Mark().Digest == last[len(last)-1-same] {
			same++
		}
		if same > 0 && same == min(end, len(last)) {
			return lines[end:], true
		}
	}
	return nil, false
}

// afterGap returns the lines of a whole journal that does not contain those delivered
// last, with a gap before them: journald has removed the old entries.
func (s *nodeLog) afterGap(from *ktail.Position, lines []ktail.Line) []ktail.Line {
	since, replay := from.Last().Time, from.Replay()
	fresh := slices.DeleteFunc(lines, func(l ktail.Line) bool { return replay.Seen(&l) || l.Time <= since })
	if len(fresh) == 0 {
		return nil
	}
	gap := ktail.Line{Stream: s.stream, Kind: ktail.Gap, Since: since, Time: fresh[0].Time, Text: []byte("the journal was rotated")}
	return append([]ktail.Line{gap}, fresh...)
}
