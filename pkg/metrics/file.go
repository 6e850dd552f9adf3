package metrics

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/prometheus/common/expfmt"

	"github.com/ktail/ktail/pkg/durable"
)

// WriteText writes all series in the text format. New series are not shown as 0 first,
// because a file may be read at any time or never.
func (s *Sink) WriteText(w io.Writer) error {
	families, err := s.gatherer(nil).Gather()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return err
		}
	}
	_, err = w.Write(b.Bytes())
	return err
}

// WriteFile replaces the file, or the target of a symbolic link, with all series in the
// text format. A reader sees the old file or the new one. A device or a named pipe is
// written to. It counts as a scrape, after which the series of deleted pods are removed.
func (s *Sink) WriteFile(path string) error {
	var b bytes.Buffer
	s.saving.Lock()
	defer s.saving.Unlock()
	if err := s.WriteText(&b); err != nil {
		return err
	}
	write := replaceTarget
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		write = writeInPlace
	}
	if err := write(path, b.Bytes()); err != nil {
		return fmt.Errorf("write metrics to %s: %w", path, errors.Unwrap(asPathError(err)))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shown(&s.file, time.Now())
	return nil
}

// replaceTarget replaces the file, or the target of a symbolic link, which need not exist.
func replaceTarget(path string, content []byte) error {
	const maxLinks = 40 // as in Linux
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			// filepath.Join would remove "..", which leads elsewhere after another link.
			target = filepath.Dir(path) + string(filepath.Separator) + target
		}
		path = target
	}
	return durable.Replace(path, 0o644, content)
}

// pipeTimeout bounds how long the reader of a named pipe holds up the metrics.
const pipeTimeout = 5 * time.Second

var errNoReader = errors.New("no program reads the named pipe; start its reader first")

// writeInPlace writes to a device or a named pipe. It does not wait for a reader, because
// scrapes wait for it.
func writeInPlace(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENXIO) {
		err = &os.PathError{Op: "open", Path: path, Err: errNoReader}
	}
	if err != nil {
		return err
	}
	_ = f.SetWriteDeadline(time.Now().Add(pipeTimeout)) // a device may have none
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// asPathError returns an error whose wrapped error does not repeat the path.
func asPathError(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p
	}
	return fmt.Errorf("%w", err)
}
