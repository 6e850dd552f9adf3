package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/tail"
	"github.com/ktail/ktail/pkg/web"
)

// webTokenVariable sets the secret of the page, for users who open it often.
const webTokenVariable = "KTAIL_WEB_TOKEN"

// minWebToken is the minimum number of characters of a token.
const minWebToken = 16

// webGCPercent keeps garbage small compared with the buffer of the page, whose
// few large objects are cheap to mark.
const webGCPercent = 15

// page shows the lines of a run in a browser. A nil page does nothing.
type page struct {
	sink   *web.Sink
	stop   context.CancelFunc
	ended  chan error
	notify func(format string, args ...any)
	until  string // what ends the run, for a message
}

// startPage serves the page if --web is given.
func (p plan) startPage(ctx context.Context, s streams, messages *messenger) (*page, error) {
	if !p.web.on {
		return nil, nil
	}
	token, err := webToken(s)
	if err != nil {
		return nil, err
	}
	l, err := web.Listen(ctx, p.web.address)
	if err != nil {
		return nil, fmt.Errorf("--web: %w", withoutOp(err))
	}
	if _, set := os.LookupEnv("GOGC"); !set {
		debug.SetGCPercent(webGCPercent)
	}
	pg := &page{sink: web.NewSink(int64(p.webBuffer)), ended: make(chan error, 1), notify: messages.printf, until: "until Ctrl-C"}
	if p.pagerRuns {
		pg.until = "until the pager is closed"
	}
	pg.sink.OnDamage(func(lines int) {
		messages.printf("warning: %d lines cannot be shown on the page, because the memory that holds them is damaged; the other outputs are not affected", lines)
	})
	o := web.Options{Sink: pg.sink, Token: token, Title: p.title(), Version: version}
	ctx, pg.stop = context.WithCancel(ctx)
	if messages.board != nil {
		o.Pods = messages.board.pods
		go messages.board.run(ctx)
	}
	server := web.New(o)
	go func() { pg.ended <- server.Serve(ctx, l) }()
	messages.printf("page: %s", server.URL(l))
	return pg, nil
}

// webToken returns the token that the user has set; empty if there is none. The browser sends
// it in a header, which has no other characters. A file, such as that of a Secret, ends in a
// newline.
func webToken(s streams) (string, error) {
	token, _ := s.Env(webTokenVariable)
	token = strings.TrimSpace(token)
	switch {
	case strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", fmt.Errorf("invalid $%s: must have only printable ASCII characters", webTokenVariable)
	case token != "" && len(token) < minWebToken:
		return "", fmt.Errorf("invalid $%s: must have at least %d characters", webTokenVariable, minWebToken)
	}
	return token, nil
}

// withoutOp returns why listening on an address failed, without the name of the
// system call.
func withoutOp(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		if op.Addr == nil { // the address is not one, and the error names it
			return fmt.Errorf("listen: %w", op.Err)
		}
		return fmt.Errorf("listen on %s: %w", op.Addr, op.Err)
	}
	return err
}

// title describes the selection, for the title of the page and for links to it: the arguments of
// ktail that select the same lines.
func (p plan) title() string {
	switch {
	case p.stdin:
		return "stdin"
	case p.readsFiles():
		return p.podLogsDir
	}
	var parts []string
	for _, query := range p.queries {
		parts = append(parts, shellQuoted(query))
	}
	if len(p.selection.Namespaces) == 0 {
		parts = append(parts, "-A")
	} else {
		parts = append(parts, "-n "+strings.Join(p.selection.Namespaces, ","))
	}
	return strings.Join(append(parts, p.selecting...), " ")
}

// selectingFlags returns the flags that select lines and are set, as on a command line. The
// namespace is not among them, because it may come from the context.
func selectingFlags(flags *pflag.FlagSet) []string {
	var set []string
	flags.VisitAll(func(f *pflag.Flag) {
		section := f.Annotations[sectionKey]
		if !f.Changed || !slices.Equal(section, []string{sectionSelection}) && !slices.Equal(section, []string{sectionFiltering}) ||
			slices.Contains([]string{"namespace", "all-namespaces", "prompt", "highlight", "stdin", "only-log-lines"}, f.Name) {
			return
		}
		values := []string{f.Value.String()}
		if several, ok := f.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		for _, value := range values {
			switch {
			case f.NoOptDefVal != "" && value == f.NoOptDefVal:
				set = append(set, "--"+f.Name)
			case f.Shorthand != "" && f.NoOptDefVal == "":
				set = append(set, "-"+f.Shorthand+" "+shellQuoted(value))
			default:
				set = append(set, "--"+f.Name+"="+shellQuoted(value))
			}
		}
	})
	return set
}

// shellQuoted quotes an argument for a POSIX shell, unless it is a plain word.
func shellQuoted(arg string) string {
	if plainValue.MatchString(arg) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// with returns a sink that also writes to the page.
func (pg *page) with(sink ktail.Sink) ktail.Sink {
	if pg == nil {
		return sink
	}
	return tail.Fanout{sink, pg.sink}
}

// stay returns when the user ends the run, or when the page cannot be served.
// Until then, the lines of a run that has ended can still be read.
func (pg *page) stay(ctx context.Context) error {
	if pg == nil || ctx.Err() != nil {
		return nil
	}
	pg.notify("all logs were read; serving the page %s", pg.until)
	select {
	case <-ctx.Done():
		return nil
	case err := <-pg.ended:
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("--web: %w", err)
	}
}

func (pg *page) close() {
	if pg != nil {
		pg.stop()
	}
}
