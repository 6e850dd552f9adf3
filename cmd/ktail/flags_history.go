package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/elastic"
)

// historyFlags select the forwarded lines to read. Credentials and TLS settings
// are those of the flags for forwarding.
type historyFlags struct {
	addresses listValue
	index     string
	until     pointInTime

	// Set by parsed.
	nodes []*url.URL
	auth  elastic.Auth // from the URLs
}

// enabled reports whether forwarded lines are read.
func (f *historyFlags) enabled() bool { return len(f.addresses.values) > 0 }

func (f *historyFlags) addFlags(fs *pflag.FlagSet) {
	f.addresses.valueName = "URL"
	fs.Var(&f.addresses, "history",
		"Start with the lines forwarded to this Elasticsearch. Lines of deleted pods are included. "+
			"ktail then continues with the live logs. The --elasticsearch-... flags for authentication and TLS apply")
	fs.StringVar(&f.index, "history-index", "",
		"Index, alias, data stream, or pattern to read from (default: logs-ktail-*,ktail-*) `PATTERN`")
	fs.Var(&f.until, "until",
		"Only show forwarded lines older than this. A duration such as 1h, or a time such as 2026-01-31T10:00:00Z. Requires --history and implies --no-follow")
}

// parsed checks the flags and returns them with the values derived from them.
func (f historyFlags) parsed(tail int64) (historyFlags, error) {
	if !f.enabled() {
		switch {
		case f.index != "":
			return f, errors.New("--history-index requires --history")
		case !f.until.IsZero():
			return f, errors.New("--until requires --history")
		}
		return f, nil
	}
	var err error
	if f.nodes, f.auth, err = elastic.ParseNodes(f.addresses.values); err != nil {
		return f, fmt.Errorf("invalid --history: %w", err)
	}
	if strings.ContainsAny(f.index, `/\?"<>| #`) || strings.ToLower(f.index) != f.index {
		return f, fmt.Errorf("invalid --history-index %q: must be lower case, without spaces and without any of / \\ ? \" < > | #", f.index)
	}
	if tail > elastic.MaxHistoryTail {
		return f, fmt.Errorf("invalid --tail %d: must be at most %d with --history", tail, elastic.MaxHistoryTail)
	}
	return f, nil
}

// pointInTime is a flag for a time: RFC 3339, or a duration before now.
type pointInTime struct {
	time.Time
	text string
}

// String implements pflag.Value.
func (v *pointInTime) String() string { return v.text }

// Set implements pflag.Value.
func (v *pointInTime) Set(s string) error {
	var at timeValue
	var ago durationValue
	switch {
	case at.Set(s) == nil:
		v.Time = at.Time
	case ago.Set(s) == nil && ago >= 0:
		v.Time = time.Now().Add(-time.Duration(ago))
	default:
		return errors.New("must be a duration such as 5m or 1d, or an RFC 3339 time such as 2026-01-31T10:00:00Z")
	}
	v.text = s
	return nil
}

// Type implements pflag.Value.
func (*pointInTime) Type() string { return "TIME" }
