package podlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strconv"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	tailCounts = 8 // responses that are counted for one request
	// tailTimeout bounds the time to count lines, because a server may follow the log
	// although the request does not say so.
	tailTimeout = 10 * time.Second
)

// errNoEnd means that a response did not end in time.
var errNoEnd = errors.New("the response does not end")

// A tailLimit is the number of lines that are wanted from the end of a log, or 0 for all,
// and what is requested for them.
//
// The kubelet counts records of the runtime; a line over 16 KiB has several. A response
// that begins within a line gives the rest of that line a timestamp, as if it were a line
// (ReadLogs in k8s.io/cri-client/pkg/logs). So at least one record more is requested: the
// text that begins with it may not be a line, but every text after it is one.
type tailLimit struct {
	lines, records int64
}

// limitTail changes a query that the options limit to lines from the end of the log, so
// that their beginnings can be found.
func (s *Source) limitTail(query url.Values) tailLimit {
	lines, err := strconv.ParseInt(query.Get("tailLines"), 10, 32)
	if err != nil || lines <= 0 {
		return tailLimit{} // there is no limit, or it is too large to matter
	}
	t := tailLimit{lines, max(lines+1, s.log.tailRecords)}
	query.Set("tailLines", strconv.FormatInt(t.records, 10))
	return t
}

// linesBefore returns how many lines the response to a query, which was sent just before,
// has before the ones that are wanted, and the time of the last line of the log. It returns
// errReopen if more records have to be requested.
func (s *Source) linesBefore(ctx context.Context, query url.Values, t tailLimit) (n, latest int64, err error) {
	if t.lines == 0 {
		return 0, 0, nil
	}
	var before tailCount
	for records, try := t.records, 0; try < tailCounts; try++ {
		c, err := s.countTail(ctx, query, records)
		if err == nil && c.more {
			var further tailCount
			if further, err = s.countTail(ctx, query, 16*records); err == nil && further.first == c.first {
				return 0, 0, nil // the server ignores the parameter, or the response has the whole log
			}
		}
		switch {
		case errors.Is(err, errNoEnd):
			return 0, 0, nil
		case err != nil:
			return 0, 0, err
		case c.lines > t.lines && records == t.records:
			return c.lines - t.lines, c.latest, nil
		case c.size == before.size && try == 1: // the response has the whole log
			return 0, 0, nil
		case c.lines > t.lines, c.size == before.size && try > 0:
			s.log.tailRecords = records
			return 0, 0, errReopen
		}
		records, before = 16*records, c
	}
	return 0, 0, nil
}

// tailCount is what a response with the last lines has.
type tailCount struct {
	lines  int64 // including one without a newline at the end; not more than the records
	more   bool  // there are more lines, which were written while the response was read
	size   int64
	timed  bool   // a line has a timestamp
	first  uint64 // digest of the first line
	latest int64  // the latest time of a line
}

// countTail counts the lines of the last records.
func (s *Source) countTail(ctx context.Context, query url.Values, records int64) (tailCount, error) {
	query = maps.Clone(query)
	query.Del("follow")
	query.Set("tailLines", strconv.FormatInt(records, 10))
	limited, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	body, err := s.api.OpenLog(limited, query)
	if err != nil {
		return tailCount{}, err
	}
	defer body.Close() //nolint:errcheck // errors do not matter after reading
	var c tailCount
	sc := newScanner(body, s.stream)
	sc.untimed = s.log.untimed
	count := func(l *ktail.Line) {
		// Without a timestamp, text is the end of a line that began before --since, a line
		// of a server that sends no timestamps, or a message, which is not counted.
		if l.Kind != ktail.Log && (c.timed || isKubeletText(l.Text)) {
			return
		}
		c.timed = c.timed || l.Kind == ktail.Log
		switch c.lines {
		case 0:
			c.first = l.Mark().Digest
		case records:
			c.more = true
			return
		}
		c.lines++
		c.latest = max(c.latest, l.Time)
	}
	for err == nil && !c.more {
		var lines []ktail.Line
		lines, err = sc.next()
		for i := range lines {
			count(&lines[i])
		}
	}
	switch {
	case err == nil || errors.Is(err, io.EOF):
	case limited.Err() != nil && ctx.Err() == nil:
		return c, errNoEnd
	default:
		return c, fmt.Errorf("read log of %s: %w", s.stream, err)
	}
	if l := sc.tail(); len(l.Text) > 0 {
		count(&l)
	}
	c.size = sc.total
	return c, nil
}
