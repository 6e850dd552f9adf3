package kube

import (
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/events"
)

// put shows the event if it is wanted and has not been shown.
func (s *eventSource) put(e *events.Event) {
	at := e.At()
	switch {
	case !s.options.All && !e.Important(),
		at.Before(s.options.Since.Truncate(time.Second)), !s.options.Until.IsZero() && !at.Before(s.options.Until):
		return
	}
	now := time.Now()
	switch about, known := s.match(e); known {
	case isUnknown:
		s.postpone(e, now)
	case isSelected:
		s.show(e, about, now)
	case isOther:
	}
}

// show queues the event unless it was already shown.
func (s *eventSource) show(e *events.Event, about target, now time.Time) {
	s.recordCause(e, about)
	if !s.shown.shown.Wants(e, now) {
		return
	}
	at, here := e.At(), s.set.w.Client.clock.when(now)
	line := ktail.Line{Stream: about.stream, Kind: ktail.KubeEvent, Time: place(e).UnixNano(), Text: []byte(e.Text()), Event: &ktail.Event{
		UID: string(e.UID), Reason: e.Reason, Type: e.Type, Count: e.Times(), At: at.UnixNano(), Object: about.object,
	}}
	arrives := s.set.w.Options.Follow && s.unlisted.Load() == 0 // other events were there before
	if arrives && here.Sub(at) < recentEvent && at.Sub(here) < recentEvent {
		line.Time = here.UnixNano()
	}
	s.enqueue(line)
}

// place returns the time at which to show an event among the lines. If its time has whole
// seconds, a warning comes after the lines of that second, because it is about something
// that has happened, such as a crash; other events, such as that a container is stopped,
// come before them.
func place(e *events.Event) time.Time {
	at := e.At()
	if e.Type == events.Warning && at.Nanosecond() == 0 {
		return at.Add(time.Second - 1)
	}
	return at
}
