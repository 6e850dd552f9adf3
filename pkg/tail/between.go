package tail

import "github.com/ktail/ktail/pkg/ktail"

// between tells of a container that ends and runs again: such a stream goes on,
// but people want to see when and why. It belongs to one goroutine.
type between struct {
	notify  func(Event)
	stopped bool           // that was told
	last    ktail.Instance // which had stopped
}

// read is called with how many lines are emitted, which may be none.
func (b *between) read(src ktail.Source, lines int) {
	switch {
	case lines == 0 && b.interrupted(src): // this is the next one
	case !b.stopped, lines == 0 && src.Stream().Instance.Restarts <= b.last.Restarts:
		return
	}
	b.stopped = false
	b.notify(Event{Kind: Restarted, Stream: src.Stream()})
}

// interrupted is called when a read has ended and the stream has not. It reports
// whether it is news that what wrote to the stream has stopped.
func (b *between) interrupted(src ktail.Source) bool {
	k, ok := src.(knowing)
	if !ok || b.stopped {
		return false
	}
	why := k.Why()
	if why == "" {
		return false
	}
	b.stopped, b.last = true, k.Ended()
	b.notify(Event{Kind: Stopped, Stream: src.Stream(), Why: why})
	return true
}
