package spool

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// Open opens the spool in the directory, which it creates if necessary. limit
// bounds the size of its files in bytes. A nil fs is OS.
func Open(dir string, limit int64, fs FS) (*Spool, error) {
	if fs == nil {
		fs = OS
	}
	s := &Spool{fs: fs, dir: dir, limit: limit, next: 1}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	return s, nil
}

func (s *Spool) load() error {
	if err := s.fs.MkdirAll(s.dir); err != nil {
		return err
	}
	names, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names { // the order of the names is that of the numbers
		digits, suffix, _ := strings.Cut(name, ".")
		number, err := strconv.Atoi(digits)
		if err != nil || number < 0 || number == math.MaxInt || "."+suffix != segmentSuffix && "."+suffix != segmentSuffix+damagedSuffix {
			continue
		}
		s.next = max(s.next, number+1)
		if "."+suffix == segmentSuffix {
			if err := s.loadSegment(filepath.Join(s.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Spool) loadSegment(path string) error {
	g, found, err := loadSegment(s.fs, path)
	if err != nil {
		return err
	}
	switch found {
	case loadedPrevious:
		s.previous = append(s.previous, path)
	case loadedNothing:
		return s.fs.Remove(path)
	case loadedSegment:
		s.size += g.size
		s.segments = append(s.segments, g)
	}
	return nil
}

// Previous returns the paths of segments in the format before this one. They are
// left as they are.
func (s *Spool) Previous() []string { return s.previous }
