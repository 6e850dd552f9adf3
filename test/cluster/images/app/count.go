package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// count is what a container has written in all its runs.
type count struct {
	last  int      // number of the last line
	words []string // lines without a number
}

// readCount reads the counts of earlier runs. If the file does not exist, there
// were none.
func readCount(path string) (*count, error) {
	if path == "" {
		return &count{}, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &count{}, nil
	} else if err != nil {
		return nil, err
	}
	head, words, _ := strings.Cut(strings.TrimSuffix(string(b), "\n"), "\n")
	last, err := strconv.Atoi(head)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	c := &count{last: last}
	if words != "" {
		c.words = strings.Split(words, "\n")
	}
	return c, nil
}

// write replaces the whole file, so a concurrent reader finds either the old or
// the new one.
func (c *count) write(path string) error {
	if path == "" {
		return nil
	}
	text := fmt.Sprintln(c.last)
	for _, w := range c.words {
		text += w + "\n"
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
