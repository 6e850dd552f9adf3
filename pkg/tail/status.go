package tail

import (
	"sync/atomic"

	"github.com/ktail/ktail/pkg/ktail"
)

// Status counts what a Tailer has done so far.
type Status struct {
	Lines   int64 // handed to the sink
	Gaps    int64 // places where lines are missing
	Resumes int64 // reads that broke off and continued from a position
	Active  int64 // streams being read now
	Waiting int64 // streams waiting for their turn now
}

type counters struct {
	lines, gaps, resumes, active, waiting atomic.Int64
}

func (c *counters) count(lines []ktail.Line) {
	var logs, gaps int64
	for i := range lines {
		switch lines[i].Kind {
		case ktail.Log:
			logs++
		case ktail.Gap:
			gaps++
		}
	}
	c.lines.Add(logs)
	c.gaps.Add(gaps)
}

func (c *counters) status() Status {
	return Status{
		Lines:   c.lines.Load(),
		Gaps:    c.gaps.Load(),
		Resumes: c.resumes.Load(),
		Active:  c.active.Load(),
		Waiting: c.waiting.Load(),
	}
}
