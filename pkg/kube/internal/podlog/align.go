package podlog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/ktail"
)

// alignTimeout bounds how long reading an untimed log to its current end may
// take.
const alignTimeout = 2 * time.Minute

// alignment is where a position is in an untimed log.
type alignment struct {
	found     bool
	ambiguous bool // the place may be elsewhere, because the lines repeat
	counted   bool // the place matches the number of delivered lines
	whole     bool // the log has all lines of the window
	lines     int  // lines before the first undelivered one; 0 if not found

	total int    // lines in the log
	size  int64  // size of the log in bytes
	sum   uint64 // of all lines
}

// align reads the log to its current end and finds the position in it. If the
// position fits in several places, align uses the one that matches the number
// of delivered lines, or else the last one.
func (s *Source) align(ctx context.Context, query url.Values, from *ktail.Position) (alignment, error) {
	window := slices.Collect(from.Digests())
	if since := s.log.since; since > 0 {
		window = window[max(0, len(window)-since):] // the other lines had times
	}
	m := newMatcher(window, s.log.count)
	total, sum := 0, uint64(0)
	size, err := s.scanUntimed(ctx, query, func(l *ktail.Line) bool {
		total++
		sum = mix(sum, l.Mark().Digest)
		m.add(l.Mark().Digest)
		return true
	})
	if err != nil {
		return alignment{}, err
	}
	a := alignment{total: total, size: size, sum: sum}
	a.whole = m.places > 0
	a.lines, a.found, a.ambiguous = m.place()
	a.counted = a.found && a.lines == s.log.count
	return a, nil
}

// alignWhole is like align, for a log that no longer changes. A response may be
// cut short without any sign, so it is trusted when the next one is equal.
func (s *Source) alignWhole(ctx context.Context, query url.Values, from *ktail.Position) (alignment, error) {
	const most = 10
	var before alignment
	for try := range most {
		a, err := s.align(ctx, query, from)
		if err != nil {
			return alignment{}, err
		}
		if try > 0 && a == before {
			return a, nil
		}
		before = a
	}
	return alignment{}, ktail.ErrInterrupted
}

// beginsWith reports whether the log begins with the lines of another one.
func (s *Source) beginsWith(ctx context.Context, query url.Values, other alignment) (bool, error) {
	lines, sum := 0, uint64(0)
	_, err := s.scanUntimed(ctx, query, func(l *ktail.Line) bool {
		lines++
		sum = mix(sum, l.Mark().Digest)
		return lines < other.total
	})
	return lines == other.total && sum == other.sum, err
}

func mix(sum, digest uint64) uint64 { return sum*0x9e3779b97f4a7c15 + digest + 1 }

// scanUntimed calls add with each line of the log until add returns false. Text
// after the last newline counts as a line. It returns the size of the log.
func (s *Source) scanUntimed(ctx context.Context, query url.Values, add func(*ktail.Line) bool) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, alignTimeout)
	defer cancel()
	body, err := s.api.OpenLog(ctx, withoutFollow(query))
	if err != nil {
		return 0, err
	}
	defer body.Close() //nolint:errcheck // errors do not matter after reading
	sc := newScanner(body, s.stream)
	sc.untimed = true
	for {
		lines, err := sc.next()
		if errors.Is(err, io.EOF) {
			if l := sc.tail(); len(l.Text) > 0 {
				lines = append(lines, l)
			}
		}
		for i := range lines {
			if !add(&lines[i]) {
				return sc.total, nil
			}
		}
		if errors.Is(err, io.EOF) {
			return sc.total, nil
		}
		if err != nil {
			return sc.total, fmt.Errorf("read log of %s: %w", s.stream, err)
		}
	}
}

func withoutFollow(query url.Values) url.Values {
	q := url.Values{}
	for name, values := range query {
		if name != "follow" {
			q[name] = values
		}
	}
	return q
}

// isBadRequest reports whether the server rejected a request for a log that
// does not exist.
func isBadRequest(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Code == http.StatusBadRequest
}

// matcher finds the places in a log at which a window of lines ends. The log
// may start in the middle of the window, because it was rotated or because the
// earlier lines belong to another instance. It uses the Knuth-Morris-Pratt
// algorithm.
type matcher struct {
	window []uint64
	border []int    // border[i]: length of the longest border of window[:i]
	state  int      // number of lines of the window that the last lines match
	head   []uint64 // the first lines, fewer than the window has
	lines  int

	expected int  // the place according to the number of lines; 0: unknown
	fits     bool // the window fits there
	places   int
	last     int // the last matching place
}

func newMatcher(window []uint64, expected int) *matcher {
	m := &matcher{window: window, border: make([]int, len(window)+1), expected: expected}
	m.border[0] = -1
	k := -1
	for i, d := range window {
		for k >= 0 && window[k] != d {
			k = m.border[k]
		}
		k++
		m.border[i+1] = k
	}
	return m
}

func (m *matcher) add(digest uint64) {
	m.lines++
	if m.lines < len(m.window) {
		m.head = append(m.head, digest)
	}
	if m.state == len(m.window) {
		m.state = m.border[m.state]
	}
	for m.state >= 0 && m.window[m.state] != digest {
		m.state = m.border[m.state]
	}
	m.state++
	if m.state == len(m.window) {
		m.record(m.lines)
	}
}

func (m *matcher) record(place int) {
	m.places++
	m.last = place
	m.fits = m.fits || place == m.expected
}

// place returns the number of lines up to the end of the window. A part of the
// window at the start of the log counts only if the whole window occurs
// nowhere, or if the number of lines is known.
func (m *matcher) place() (lines int, found, ambiguous bool) {
	whole := *m
	for n := 1; n <= len(m.head); n++ {
		if slices.Equal(m.head[:n], m.window[len(m.window)-n:]) {
			m.record(n)
		}
	}
	switch {
	case m.fits:
		return m.expected, true, false
	case whole.places > 0:
		return whole.last, true, whole.places > 1
	}
	return m.last, m.places > 0, m.places > 1
}
