package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/elastic"
)

// historyFlags select the forwarded lines to read. Credentials and TLS settings
// are those of the flags for forwarding.
type historyFlags struct {
	addresses listValue
	index     string

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
		"Index, alias, data stream, or pattern to read from. Documents of Filebeat, Fluent Bit, and OpenTelemetry "+
			"are read as well (default: logs-ktail-*,ktail-*) `PATTERN`")
}

// parsed checks the flags and returns them with the values derived from them.
func (f historyFlags) parsed(tail int64) (historyFlags, error) {
	if !f.enabled() {
		if f.index != "" {
			return f, errors.New("--history-index requires --history")
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
