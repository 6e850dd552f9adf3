package elastic

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// maxLetter is the maximum length of a dead letter in bytes. Escaping makes a line of 1
// MiB at most six times as long.
const maxLetter = 16 << 20

// Resend sends the documents of dead letters, one DeadLetter per line, to the current
// target. A document that was rejected because of its size replaces its truncated form.
//
// Resend skips lines that are not dead letters. It then returns an error with their
// number after it has queued the others for delivery.
func (s *Sink) Resend(ctx context.Context, r io.Reader) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if err := s.updateTarget(ctx); err != nil {
		return err
	}
	rows := rowReader{r: bufio.NewReaderSize(r, 64<<10)}
	var skipped skippedRows
	for {
		row, err := rows.next()
		switch {
		case errors.Is(err, io.EOF):
			return skipped.err()
		case errors.Is(err, errLetter):
			skipped.add(rows.line, err)
			continue
		case err != nil:
			return fmt.Errorf("resend dead letters: line %d: %w", rows.line, err)
		case ctx.Err() != nil:
			return fmt.Errorf("resend dead letters: stopped at line %d: %w", rows.line, context.Cause(ctx))
		}
		if err := s.resend(ctx, row); errors.Is(err, errLetter) {
			skipped.add(rows.line, err)
		} else if err != nil {
			return err
		}
	}
}

// resend packs the document of one dead letter. The caller holds the lock.
func (s *Sink) resend(ctx context.Context, row []byte) error {
	if len(bytes.TrimSpace(row)) == 0 {
		return nil
	}
	pair, at, err := parseLetter(row)
	if err != nil {
		return err
	}
	pair = s.enc.dataStream.convertTo(pair)
	// Gaps are not counted among the lines of a stream, so Settled is not called for
	// this document.
	s.packer.add(&ktail.Line{Time: at, Kind: ktail.Gap}, time.Now(), func(dst []byte) []byte { return append(dst, pair...) })
	if s.packer.full(s.limit.get()) {
		return s.flush(ctx)
	}
	return nil
}

var errLetter = errors.New("not a dead letter of ktail")

// parseLetter returns the action and the document of a dead letter, and the time of its
// line in Unix nanoseconds.
func parseLetter(row []byte) (pair []byte, at int64, err error) {
	var l DeadLetter
	if err := json.Unmarshal(row, &l); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errLetter, err)
	}
	var doc struct {
		Time time.Time `json:"@timestamp"`
	}
	id, err := base64.RawURLEncoding.DecodeString(l.ID)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(id)) != idLen || isFull(l.ID) ||
		!bytes.HasPrefix(l.Document, []byte(documentStart)) || json.Unmarshal(l.Document, &doc) != nil {
		return nil, 0, errLetter
	}
	action := createAction
	if l.Status == http.StatusRequestEntityTooLarge {
		action = replaceAction
	}
	pair = appendAction(make([]byte, 0, timeAt+len(l.Document)+1), action, []byte(l.ID))
	return append(append(pair, l.Document...), '\n'), doc.Time.UnixNano(), nil
}

// rowReader reads lines of any length and returns those up to maxLetter.
type rowReader struct {
	r    *bufio.Reader
	line int // number of the last line
	buf  []byte
}

// next returns the next line. It is valid until the next call. The error is errLetter
// for a line that is too long, which is skipped.
func (r *rowReader) next() ([]byte, error) {
	r.line++
	r.buf = r.buf[:0]
	tooLong := false
	for {
		part, err := r.r.ReadSlice('\n')
		if tooLong = tooLong || len(r.buf)+len(part) > maxLetter; !tooLong {
			r.buf = append(r.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && (tooLong || len(r.buf) > 0), err == nil:
			if tooLong {
				return nil, fmt.Errorf("%w: longer than %d MiB", errLetter, maxLetter>>20)
			}
			return r.buf, nil
		default:
			return nil, err
		}
	}
}

// skippedRows counts lines that are not dead letters.
type skippedRows struct {
	n     int
	line  int // number of the first skipped line
	first error
}

func (s *skippedRows) add(line int, err error) {
	if s.n++; s.n == 1 {
		s.line, s.first = line, err
	}
}

func (s *skippedRows) err() error {
	switch s.n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("resend dead letters: skipped line %d: %w", s.line, s.first)
	}
	return fmt.Errorf("resend dead letters: skipped %d lines, the first is line %d: %w", s.n, s.line, s.first)
}
