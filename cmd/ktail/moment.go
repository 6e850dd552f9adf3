package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// moment is a flag with a point in time, as the user wrote it. Its meaning depends on
// the current time and on the time zone of another flag, so it is resolved when all
// flags are known. The zero value means no point in time.
type moment struct {
	text      string
	isDefault bool // no source has set the flag
}

// String implements pflag.Value.
func (m *moment) String() string { return m.text }

// Type implements pflag.Value.
func (*moment) Type() string { return "TIME" }

// Set implements pflag.Value.
func (m *moment) Set(s string) error {
	if _, err := parseMoment(s, time.Now(), time.UTC, first); err != nil {
		return err
	}
	*m = moment{text: s}
	return nil
}

func (m moment) isSet() bool { return m.text != "" }

// age returns how long before now the moment is, if the user wrote a duration.
func (m moment) age() (time.Duration, bool) {
	var d durationValue
	if strings.HasPrefix(m.text, "+") || d.Set(m.text) != nil {
		return 0, false
	}
	return time.Duration(d), true
}

// at returns the point in time. Times without a zone are in the given one.
func (m moment) at(now time.Time, zone *time.Location, o occasion) time.Time {
	t, _ := parseMoment(m.text, now, zone, o) // Set has checked it
	return t
}

// occasion says which point in time is meant if clocks show the same time twice, because
// they are set back.
type occasion bool

const (
	first occasion = false
	last  occasion = true
)

var (
	errMoment = errors.New(`must be a duration such as 5m or 1d, or a time such as 22:50, "yesterday 10:00", ` +
		`"2026-01-31 22:50", or 2026-01-31T22:50:00Z`)
	errNegativeAge = errors.New("must not be negative")
	errFarMoment   = errors.New("must be between the years 1970 and 2261")
)

// Layouts of times. A fraction may follow the seconds of each. The first ones name
// their zone.
var (
	zonedLayouts = []string{time.RFC3339, "2006-01-02T15:04Z07:00"}
	localLayouts = []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly}
	clockLayouts = []string{"15:04", "15:04:05"}
)

// parseMoment returns the point in time that the text stands for:
//
//	1d, 36h           a duration before now; with + after now
//	RFC 3339          a time that names its zone
//	2026-01-31 22:50  a time in the given zone, or a date: the start of that day
//	22:50             a time of today
//	today             the start of today
//	yesterday 10:00   a time of yesterday
//
// Seconds are optional, and so is a fraction of them up to nanoseconds.
func parseMoment(s string, now time.Time, zone *time.Location, o occasion) (time.Time, error) {
	var d durationValue
	if d.Set(s) == nil {
		switch {
		case strings.HasPrefix(s, "+"):
			return now.Add(time.Duration(d)), nil
		case d < 0:
			return time.Time{}, errNegativeAge
		}
		return now.Add(-time.Duration(d)), nil
	}
	t, zoned, ok := parseDateTime(s)
	if !ok {
		if t, ok = parseDay(s, now.In(zone)); !ok {
			return time.Time{}, errMoment
		}
	}
	if !zoned {
		t = inZone(t, zone, o)
	}
	// Times of lines are nanoseconds in 64 bits.
	if year := t.Year(); year < 1970 || year > 2261 {
		return time.Time{}, errFarMoment
	}
	return t, nil
}

// parseDateTime parses a date with or without a time of day. Without a zone, it returns
// what clocks show, as a time in UTC.
func parseDateTime(s string) (t time.Time, zoned, ok bool) {
	if len(s) > len(time.DateOnly) { // RFC 3339 allows a space, and lower case
		day, clock := s[:len(time.DateOnly)], s[len(time.DateOnly)+1:]
		if sep := s[len(day)]; sep == ' ' || sep == 't' {
			s = day + "T" + clock
		}
		if clock, ok := strings.CutSuffix(s, "z"); ok {
			s = clock + "Z"
		}
	}
	for _, layout := range zonedLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true, true
		}
	}
	for _, layout := range localLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t, false, true
		}
	}
	return time.Time{}, false, false
}

// inZone returns the time at which clocks in the zone show what the given time shows. A
// time that they skip is the one at which they are set forward.
func inZone(shown time.Time, zone *time.Location, o occasion) time.Time {
	t := withZone(shown, zone)
	begin, end := t.ZoneBounds()
	_, offset := t.Zone()
	if difference := shown.Sub(withZone(t, time.UTC)); difference < 0 { // skipped; time.Date has added the difference
		return begin
	} else if difference > 0 {
		return end
	}
	for _, other := range []time.Time{begin.Add(-1), end} {
		_, otherOffset := other.Zone()
		again := t.Add(time.Duration(offset-otherOffset) * time.Second)
		if !other.IsZero() && withZone(again, time.UTC).Equal(shown) && again.After(t) == bool(o) {
			return again
		}
	}
	return t
}

// withZone returns a time with another zone and, if there is one, the same date and time of
// day.
func withZone(t time.Time, zone *time.Location) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone)
}

// parseDay parses a time of day, or the name of a day with or without a time. It returns
// what clocks show, as a time in UTC.
func parseDay(s string, now time.Time) (time.Time, bool) {
	day, clock, _ := strings.Cut(s, " ")
	daysAgo := map[string]int{"today": 0, "yesterday": 1}
	ago, named := daysAgo[day]
	if !named {
		clock = s
	}
	var of time.Time
	if clock != "" || !named {
		var err error
		for _, layout := range clockLayouts {
			if of, err = time.Parse(layout, clock); err == nil {
				break
			}
		}
		if err != nil {
			return time.Time{}, false
		}
	}
	return time.Date(now.Year(), now.Month(), now.Day()-ago,
		of.Hour(), of.Minute(), of.Second(), of.Nanosecond(), time.UTC), true
}

// period is the part of the logs to show, by the times of their lines.
type period struct {
	age   time.Duration // of the oldest line, by the clock of the node; 0: since says it
	since time.Time     // of the oldest line; zero: age says it
	until time.Time     // lines of this time and later are not shown; zero: no limit
	now   time.Time     // when the others were computed
}

// period returns what the flags select. --since-time overrides --since.
func (o options) period(now time.Time) (period, error) {
	p, zone := period{now: now}, o.timezone.location()
	since, flag := o.since, "--since"
	if since.isDefault && o.readsFiles() { // the files may be an old copy
		since = moment{}
	}
	if o.sinceTime.isSet() {
		since, flag = o.sinceTime, "--since-time"
	}
	if age, ok := since.age(); ok {
		p.age = age
	} else if since.isSet() {
		p.since = since.at(now, zone, first)
	}
	if o.until.isSet() {
		p.until = o.until.at(now, zone, last)
	}
	switch {
	case p.since.After(now):
		return p, fmt.Errorf("invalid %s %s: must not be in the future (%s)", flag, quoted(since.text), p.since.Format(time.RFC3339))
	case !p.until.IsZero() && !p.until.After(p.begin()):
		return p, fmt.Errorf("invalid --until %s: must be later than %s %s", quoted(o.until.text), flag, quoted(since.text))
	}
	return p, nil
}

// isOver reports whether the period has ended, so that no future line belongs to
// it.
func (p period) isOver() bool { return !p.until.IsZero() && !p.until.After(p.now) }

// begin returns the time of the oldest line to show; zero means all.
func (p period) begin() time.Time {
	if p.age > 0 {
		return p.now.Add(-p.age).Round(0) // wall time, in case the machine is suspended
	}
	return p.since
}
