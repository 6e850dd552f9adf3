package logfiles

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/ktail/ktail/pkg/cri"
)

// match relates the files that are known to a listing.
type match struct {
	*listing
	r     *Reader
	heads map[cri.FileName][]byte // that were read
	found map[*file]cri.FileName
	names []cri.FileName // of no known file
	last  *file          // the newest known file; nil: none
}

// newMatch recognizes files by their names.
func newMatch(r *Reader, l *listing) *match {
	m := &match{listing: l, r: r, heads: map[cri.FileName][]byte{}, found: map[*file]cri.FileName{}}
	for _, name := range l.names {
		i := slices.IndexFunc(r.files, func(f *file) bool {
			return f.fixed && (f.name == name || f.name.CompressedTo(name))
		})
		if i < 0 {
			m.names = append(m.names, name)
		} else {
			m.found[r.files[i]] = name
		}
	}
	for _, f := range r.files {
		if f.isKnown() {
			m.last = f
		}
	}
	return m
}

// isKnown reports whether the file can be recognized.
func (f *file) isKnown() bool { return f.fixed || len(f.head) > 0 }

// byHead recognizes the file that was the newest one by its first bytes.
func (m *match) byHead(ctx context.Context) error {
	for _, f := range m.r.files {
		if f.fixed || !f.isKnown() {
			continue
		}
		for i, name := range m.names {
			if name.Instance != f.name.Instance {
				continue
			}
			head, err := m.headOf(ctx, name)
			if err != nil {
				return err
			}
			if name.Rotated != "" && len(head) < len(f.head) && bytes.HasPrefix(f.head, head) {
				return errBroken // files do not become shorter
			}
			if bytes.HasPrefix(head, f.head) {
				f.head, m.found[f] = head, name
				m.names = slices.Delete(m.names, i, i+1)
				break
			}
		}
	}
	return nil
}

func (m *match) headOf(ctx context.Context, name cri.FileName) ([]byte, error) {
	if head, ok := m.heads[name]; ok {
		return head, nil
	}
	head, err := m.r.headOf(ctx, name)
	if err != nil && !isDamage(err) {
		return nil, err
	}
	m.heads[name] = head
	return head, nil
}

// added returns the files that are new.
func (m *match) added(ctx context.Context) ([]*file, error) {
	var added []*file
	for _, name := range m.names {
		f := &file{name: name}
		if f.fixed = m.isFixed(name); f.fixed {
			f.since = time.Now()
		} else {
			head, err := m.headOf(ctx, name)
			if err != nil {
				return nil, err
			}
			now, err := m.r.list(ctx)
			if err != nil {
				return nil, err
			}
			if !slices.Equal(now.names, m.listing.names) {
				return nil, errRenamed
			}
			if identifies(head) {
				f.head = head
			}
		}
		added = append(added, f)
	}
	return added, nil
}

// identifies reports whether no other file of the log has these first bytes, because they
// contain the time of the first line.
func identifies(head []byte) bool {
	return len(head) == headLength || bytes.IndexByte(head, '\n') >= 0
}

// apply gives the known files their present names, and returns those that are listed.
func (m *match) apply() []*file {
	var files []*file
	for _, f := range m.r.files {
		name, ok := m.found[f]
		if !ok {
			continue
		}
		f.name = name
		if !f.fixed && m.isFixed(name) {
			f.fixed, f.since = true, time.Now()
		}
		files = append(files, f)
	}
	return files
}
