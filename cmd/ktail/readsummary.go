package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/ktail/ktail/pkg/tail"
)

// runReporting runs the tailer and prints a summary of what was read: on SIGUSR1,
// and at the end if there were gaps or resumed reads, unless only log lines are
// wanted.
func runReporting(ctx context.Context, messages *messenger, t *tail.Tailer) error {
	reporting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	report := func() { messages.printf("%s", readSummary(t.Status())) }
	go onSummarySignal(reporting, func() {
		report()
		if pods := messages.board.summary(reporting); pods != "" {
			messages.printf("%s", pods)
		}
	})
	err := t.Run(ctx)
	if st := t.Status(); !messages.onlyLogs && (st.Gaps > 0 || st.Resumes > 0 || st.Waiting > 0) {
		report()
	}
	return err
}

// readSummary describes in one line what was read.
func readSummary(st tail.Status) string {
	var b strings.Builder
	b.WriteString(plural(st.Lines, "line") + " read")
	if st.Gaps > 0 {
		b.WriteString(", " + plural(st.Gaps, "gap"))
	}
	b.WriteString(", " + plural(st.Resumes, "resumed read") + "; " + plural(st.Active, "log") + " active")
	if st.Waiting > 0 {
		fmt.Fprintf(&b, ", %d waiting for a free slot (--max-log-requests)", st.Waiting)
	}
	return b.String()
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
