package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
)

// DeadLetter is a document that a server does not take, as it is kept: one
// JSON object a line.
type DeadLetter struct {
	Time     time.Time       `json:"time"`  // when it was refused
	Index    string          `json:"index"` // where it was to go
	ID       string          `json:"id"`
	Status   int             `json:"status"` // HTTP status of the refusal
	Type     string          `json:"type,omitempty"`
	Reason   string          `json:"reason"`
	Document json.RawMessage `json:"document"`
}

// deadLetters is the file that they are appended to.
type deadLetters struct {
	path string

	mu   sync.Mutex
	made bool // the file was there before, or its name is on the disk
}

// add appends letters to the file. When it returns nil they are on the disk.
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
			return fmt.Errorf("keep dead letters: %w", err)
		}
	}
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep dead letters: %w", err)
	}
	if err = errors.Join(appendAll(f, b.Bytes()), f.Close()); err != nil {
		return fmt.Errorf("keep dead letters: %w", err)
	}
	if !d.made {
		_ = spool.OS.SyncDir(filepath.Dir(d.path)) // where the system can do that
		d.made = true
	}
	return nil
}

// appendAll appends b to the file, or nothing of it: what is on a full disk in part
// would be there twice when it is tried again.
func appendAll(f *os.File, b []byte) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync()); err != nil {
		return errors.Join(err, f.Truncate(size))
	}
	return nil
}

// letter returns the dead letter of a document, which has its action in front.
func letter(index string, pair []byte, it *item) DeadLetter {
	action, doc, _ := bytes.Cut(pair, []byte("\n"))
	var a struct {
		Create struct {
			ID string `json:"_id"`
		} `json:"create"`
	}
	_ = json.Unmarshal(action, &a) // it was written here
	return DeadLetter{
		Time: time.Now().UTC(), Index: index, ID: a.Create.ID,
		Status: it.status, Type: it.kind, Reason: it.reason, Document: json.RawMessage(bytes.Clone(bytes.TrimSpace(doc))),
	}
}
