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
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// maxLetter bounds the length of a dead letter: a line of 1 MiB is at most six
// times as long when it is escaped.
const maxLetter = 16 << 20

// Resend writes the documents of dead letters, one DeadLetter a line, as they
// were. Where they go is decided anew. It stops at what is no dead letter.
func (s *Sink) Resend(ctx context.Context, r io.Reader) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if err := s.address(ctx); err != nil {
		return err
	}
	in := bufio.NewScanner(r)
	in.Buffer(nil, maxLetter)
	for n := 1; in.Scan(); n++ {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("resend dead letters from line %d on: %w", n, context.Cause(ctx))
		}
		if len(bytes.TrimSpace(in.Bytes())) == 0 {
			continue
		}
		pair, at, err := resent(in.Bytes())
		if err != nil {
			return fmt.Errorf("resend dead letters: line %d: %w", n, err)
		}
		// A kind that is not counted among the lines of a stream.
		pair = s.enc.dataStream.convertTo(pair)
		s.packer.add(&ktail.Line{Time: at, Kind: ktail.Gap}, time.Now(), func(dst []byte) []byte { return append(dst, pair...) })
		if s.packer.full(int(s.limit.Load())) {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
	if err := in.Err(); err != nil {
		return fmt.Errorf("resend dead letters: %w", err)
	}
	return nil
}

var errLetter = errors.New("it is no dead letter of ktail")

// resent returns action and document of a dead letter, and the time of the line.
func resent(row []byte) (pair []byte, at int64, err error) {
	var l DeadLetter
	if err := json.Unmarshal(row, &l); err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errLetter, err)
	}
	var doc struct {
		Time time.Time `json:"@timestamp"`
	}
	id, err := base64.RawURLEncoding.DecodeString(l.ID)
	if err != nil || base64.RawURLEncoding.EncodedLen(len(id)) != idLen ||
		!bytes.HasPrefix(l.Document, []byte(documentStart)) || json.Unmarshal(l.Document, &doc) != nil {
		return nil, 0, errLetter
	}
	pair = append([]byte(`{"create":{"_id":"`), l.ID...)
	pair = append(append(pair, "\"}}\n"...), l.Document...)
	return append(pair, '\n'), doc.Time.UnixNano(), nil
}
