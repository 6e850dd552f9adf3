package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
)

// DeadLetter is a rejected document in the form in which it is stored: one JSON object
// per line.
type DeadLetter struct {
	Time     time.Time       `json:"time"`  // time of the rejection
	Index    string          `json:"index"` // index that rejected the document
	ID       string          `json:"id"`
	Status   int             `json:"status"` // HTTP status of the rejection
	Type     string          `json:"type,omitempty"`
	Reason   string          `json:"reason"`
	Document json.RawMessage `json:"document"`
}

const (
	rotatedSuffix = ".1"    // of the previous file
	lockSuffix    = ".lock" // of the file that a process locks while it appends
)

// deadLetters is a file of dead letters and, once that file has reached half of the
// limit, its predecessor.
type deadLetters struct {
	path  string // empty: dead letters are not stored
	limit int64  // maximum bytes of both files; 0: no limit
	fs    spool.FS
	// dropped is called when the older file was deleted to make room.
	dropped func(letters int, path string)

	mu     sync.Mutex
	synced bool // the directory entry of the file survives a power failure
}

// add appends letters to the file. If it returns nil, they survive a power failure. If
// it fails, the file contains none of them.
func (d *deadLetters) add(letters []DeadLetter) error {
	if len(letters) == 0 || d.path == "" {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i := range letters {
		if err := enc.Encode(&letters[i]); err != nil {
			return fmt.Errorf("save dead letters: %w", err)
		}
	}
	if err := d.appendLocked(b.Bytes()); err != nil {
		return fmt.Errorf("save dead letters: %w", err)
	}
	return nil
}

// appendLocked appends while no other process appends to the file, rotates it, or
// truncates it after a failed write: runs without a spool share the file of their
// destination.
func (d *deadLetters) appendLocked(b []byte) error {
	lock, err := d.lock()
	if err != nil {
		return err
	}
	return errors.Join(d.append(b), lock.Close())
}

// lock creates missing directories.
func (d *deadLetters) lock() (io.Closer, error) {
	path := d.path + lockSuffix
	lock, err := d.fs.Lock(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = d.fs.MkdirAll(filepath.Dir(path)); err == nil {
			lock, err = d.fs.Lock(path)
		}
	}
	return lock, err
}

func (d *deadLetters) append(b []byte) error {
	f, size, err := d.open()
	if err != nil {
		return err
	}
	if d.limit > 0 && size > 0 && size+int64(len(b)) > d.limit/2 {
		if err := errors.Join(f.Close(), d.rotate()); err != nil {
			return err
		}
		if f, size, err = d.open(); err != nil {
			return err
		}
	}
	if err := errors.Join(appendRows(f, size, b), f.Close()); err != nil {
		return err
	}
	if d.synced {
		return nil
	}
	if err := d.fs.SyncDir(filepath.Dir(d.path)); err != nil {
		return err
	}
	d.synced = true
	return nil
}

func (d *deadLetters) open() (f spool.File, size int64, err error) {
	f, err = d.fs.OpenFile(d.path, os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, 0, err
	}
	if size, err = f.Size(); err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, size, nil
}

// appendRows appends either all rows or none: rows written in part to a full disk would
// be duplicated by the next try. It first ends a row that a crash has truncated, so
// that the row does not damage the next one.
func appendRows(f spool.File, size int64, b []byte) error {
	if size > 0 {
		var last [1]byte
		if n, err := f.ReadAt(last[:], size-1); n < 1 {
			return err
		}
		if last[0] != '\n' {
			b = append([]byte("\n"), b...)
		}
	}
	_, err := f.Write(b)
	if err = errors.Join(err, f.Sync()); err != nil {
		return errors.Join(err, f.Truncate(size))
	}
	return nil
}

// rotate replaces the older file with the current one.
func (d *deadLetters) rotate() error {
	older := d.path + rotatedSuffix
	n, err := d.count(older)
	if err != nil {
		return err
	}
	if err := d.fs.Rename(d.path, older); err != nil {
		return err
	}
	d.synced = false
	if n > 0 && d.dropped != nil {
		d.dropped(n, older)
	}
	return nil
}

// count returns the number of letters in the file.
func (d *deadLetters) count(path string) (n int, err error) {
	f, err := d.fs.OpenFile(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // it is only read from
	b := make([]byte, 64<<10)
	for at := int64(0); ; {
		read, err := f.ReadAt(b, at)
		n += bytes.Count(b[:read], []byte("\n"))
		at += int64(read)
		if read < len(b) {
			return n, ignoreEOF(err)
		}
	}
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// letter returns the dead letter for a document, which has its action in front.
func letter(index string, pair []byte, it *item) DeadLetter {
	action, doc, _ := bytes.Cut(pair, []byte("\n"))
	return DeadLetter{
		Time: time.Now().UTC(), Index: index, ID: documentID(action),
		Status: int(it.status), Type: it.kind(), Reason: it.reason(), Document: json.RawMessage(bytes.Clone(bytes.TrimSpace(doc))),
	}
}
