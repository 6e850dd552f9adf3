package node

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/ktail/ktail/pkg/cri"
	"github.com/ktail/ktail/pkg/ktail"
)

// Options say which lines of a log are read.
type Options struct {
	Follow bool
	Since  time.Duration // maximum age of lines when their log is opened; 0: any
	Tail   int64         // number of lines from the end; negative: all

	// SinceTime is used instead of Since unless it is zero.
	SinceTime time.Time
}

// allTimes reports whether lines of any age are wanted.
func (o *Options) allTimes() bool { return o.Since <= 0 && o.SinceTime.IsZero() }

// begin returns the time of the oldest line that is wanted now.
func (o *Options) begin() time.Time {
	if o.SinceTime.IsZero() {
		return time.Now().Add(-o.Since)
	}
	return o.SinceTime
}

// source reads the log of one container from its files. The watcher creates
// another source when the metadata changes; they share log.
type source struct {
	log     *logFiles
	stream  *ktail.Stream
	options *Options
}

// Stream implements ktail.Source.
func (s *source) Stream() *ktail.Stream { return s.stream }

// Read implements ktail.Source.
func (s *source) Read(ctx context.Context, from ktail.Position, emit func([]ktail.Line) error) error {
	if err := emit(nil); err != nil {
		return err
	}
	s.log.step()
	defer s.log.rest()
	if err := s.log.update(); err != nil {
		return readError(err)
	}
	r := &logReader{
		log: s.log, options: s.options,
		scanner: newScanner(s.stream), last: from.Time, resumed: !from.IsZero(),
		emit: func(lines []ktail.Line) error {
			s.log.rest() // the engine may block as long as its sink does
			defer s.log.step()
			return emit(lines)
		},
	}
	err := r.begin(ctx, &from)
	if err == nil && r.file != nil {
		err = r.run(ctx)
	}
	if err == nil {
		s.log.close()
	}
	return readError(err)
}

// readError classifies an error for the engine. Only for errors of the file
// system may retries be useless.
func readError(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || !isPermission(err) {
		return err
	}
	return &ktail.ReadError{Err: err, Permanent: true}
}

// logReader is one Read of a log.
type logReader struct {
	log     *logFiles
	options *Options
	emit    func([]ktail.Line) error
	scanner *scanner

	file    *logFile // file being read; nil: the log has no files and will not get any
	resumed bool     // reading began at a position, so removed files are a gap
	final   bool     // file was no longer written to when it was last read
	last    int64    // time of the last delivered line
	cutoff  int64    // lines before the first one with this time or a later one are skipped; 0: none
	gap     string   // why lines are missing before the next one; empty if none are missing
}

// run reads one file after another until the log ends.
func (r *logReader) run(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.log.step()
		lines, err := r.scanner.next()
		if emitErr := r.forward(lines); emitErr != nil {
			return emitErr
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, errDamaged):
			if err := r.reportDamage(err); err != nil {
				return err
			}
		case !errors.Is(err, io.EOF):
			return err
		}
		ended, err := r.afterEOF(ctx)
		if ended || err != nil {
			return err
		}
	}
}

// afterEOF waits for more lines, or continues with the next file. It reports
// whether the log has ended.
func (r *logReader) afterEOF(ctx context.Context) (ended bool, err error) {
	now, next, err := r.log.state(r.file, r.scanner.reader.offset)
	switch {
	case err != nil:
		return false, err
	case now == growing:
		return false, nil
	case now == current && !r.options.Follow:
		return true, r.forward(r.scanner.finishFile(true))
	case now == current:
		r.final = false
		if r.log.isOver(r.file.instance) {
			if err := r.emitExit(ctx); err != nil {
				return false, err
			}
		}
		return false, r.wait(ctx, 0)
	case !r.final:
		// Lines written before the state was determined may not have been read
		// yet.
		if r.options.Follow && now == replaced {
			if err := r.wait(ctx, cri.ReopenGrace); err != nil {
				return false, err
			}
		}
		r.final = true
		return false, nil
	case now == removed:
		if err := r.forward(r.scanner.finishFile(true)); err != nil || !r.options.Follow {
			return true, err
		}
		return true, r.emitExit(ctx)
	}
	return false, r.advance(ctx, next)
}

// wait returns when there may be more to read, or after the given time if it is
// not 0.
func (r *logReader) wait(ctx context.Context, atLeast time.Duration) error {
	r.log.rest()
	defer r.log.step()
	if atLeast > 0 {
		timer := time.NewTimer(atLeast)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-r.log.changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// advance continues with the next file.
func (r *logReader) advance(ctx context.Context, next *logFile) error {
	restarted, broken := next.instance != r.file.instance, r.log.isBroken(next, r.resumed)
	if err := r.forward(r.scanner.finishFile(restarted || broken)); err != nil {
		return err
	}
	if r.log.linkOf(next) == unknown {
		// The position determines where to continue.
		r.log.markRead(r.file)
		return ktail.ErrInterrupted
	}
	if broken {
		r.gap = cri.FilesRemoved
		if next.instance > r.file.instance+1 {
			r.gap = cri.InstanceRemoved
		}
	}
	if restarted {
		if err := r.emitExit(ctx); err != nil {
			return err
		}
		if err := r.emit([]ktail.Line{{Stream: r.scanner.stream, Kind: ktail.Restart}}); err != nil {
			return err
		}
	}
	r.file, r.final = next, false
	if err := r.open(0); err != nil {
		return err
	}
	if !r.scanner.Joiner.Pending() {
		r.log.moveCursor(next, 0)
	}
	return nil
}

// open opens the file at the offset.
func (r *logReader) open(offset int64) error {
	err := r.scanner.open(r.file, offset)
	if errors.Is(err, fs.ErrNotExist) {
		return ktail.ErrInterrupted // the file was renamed or removed; list the files again
	}
	return err
}

// forward emits the wanted lines.
func (r *logReader) forward(lines []ktail.Line) error {
	if len(lines) == 0 {
		return nil
	}
	file, end := r.file, r.scanner.ends[len(lines)-1]
	wanted := lines[:0]
	for i := range lines {
		l := &lines[i]
		if l.Kind == ktail.Log && r.cutoff != 0 && l.Time < r.cutoff || l.Kind != ktail.Log && !r.log.isNews(l.Text) {
			continue
		}
		if l.Kind == ktail.Log {
			r.cutoff = 0
			if err := r.emitGap(l.Time); err != nil {
				return err
			}
			r.last = max(r.last, l.Time)
		}
		if len(wanted) < i {
			lines[len(wanted)] = *l
		}
		wanted = lines[:len(wanted)+1]
	}
	var mark *ktail.Mark
	for i := len(wanted) - 1; i >= 0 && mark == nil; i-- {
		if wanted[i].Kind == ktail.Log {
			m := wanted[i].Mark() // computed before emit, after which the slice belongs to the engine
			mark = &m
		}
	}
	if len(wanted) > 0 {
		if err := r.emit(wanted); err != nil {
			return err
		}
	}
	r.log.delivered(file, end, mark)
	return nil
}

// reportDamage reports that the rest of a file cannot be read.
func (r *logReader) reportDamage(err error) error {
	r.gap = cri.FilesDamaged
	text := []byte(err.Error())
	if !r.log.isNews(text) {
		return nil
	}
	return r.emit([]ktail.Line{{Stream: r.scanner.stream, Kind: ktail.Diagnostic, Text: text}})
}

// emitGap emits a gap before the line with the given time if lines are missing.
func (r *logReader) emitGap(at int64) error {
	why := r.gap
	if why == "" {
		return nil
	}
	r.gap = ""
	return r.emit([]ktail.Line{{
		Stream: r.scanner.stream, Kind: ktail.Gap, Since: r.last, Time: at, Text: []byte(why),
	}})
}
