package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/ktail/ktail/pkg/tail"
)

// runReporting calls read and prints a summary of what it has read: on SIGUSR1,
// and at the end if there were gaps or resumed reads, unless only log lines are
// wanted.
func runReporting(ctx context.Context, messages *messenger, status func() tail.Status, read func() error) error {
	reporting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go onSummarySignal(reporting, func() {
		st := status()
		messages.printf("%s; %s active%s", readSummary(st), plural(st.Active, "log"), waitingLogs(st))
		if pods := messages.board.summary(reporting); pods != "" {
			messages.printf("%s", pods)
		}
	})
	err := read()
	if st := status(); !messages.onlyLogs && (st.Gaps > 0 || st.Resumes > 0 || st.Waiting > 0) {
		messages.printf("%s%s", readSummary(st), waitingLogs(st))
	}
	return err
}

// readSummary describes what was read.
func readSummary(st tail.Status) string {
	var b strings.Builder
	b.WriteString(plural(st.Lines, "line") + " read")
	if st.Gaps > 0 {
		b.WriteString(", " + plural(st.Gaps, "gap"))
	}
	b.WriteString(", " + plural(st.Resumes, "resumed read"))
	return b.String()
}

// waitingLogs describes the logs that are not being read, if there are any.
func waitingLogs(st tail.Status) string {
	if st.Waiting == 0 {
		return ""
	}
	return fmt.Sprintf(", %s waiting for a free slot (--max-log-requests)", plural(st.Waiting, "log"))
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
