package main

import (
	"testing"
	"time"
)

func TestParseMoment(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 20, 30, 0, 5, time.UTC) // 05:30 of the next day in Tokyo
	tests := []struct{ text, want string }{
		{"1d", "2026-02-28T20:30:00.000000005Z"},
		{"36h", "2026-02-28T08:30:00.000000005Z"},
		{"1d12h30m", "2026-02-28T08:00:00.000000005Z"},
		{"0", "2026-03-01T20:30:00.000000005Z"},
		{"+10m", "2026-03-01T20:40:00.000000005Z"},
		{"2026-01-31T22:50:00Z", "2026-01-31T22:50:00Z"},
		{"2026-01-31T22:50:00.123456789+02:00", "2026-01-31T20:50:00.123456789Z"},
		{"2026-01-31T22:50Z", "2026-01-31T22:50:00Z"},
		{"2026-01-31 22:50", "2026-01-31T13:50:00Z"},
		{"2026-01-31 22:50:07.000000001", "2026-01-31T13:50:07.000000001Z"},
		{"2026-01-31T22:50:07", "2026-01-31T13:50:07Z"},
		{"2026-01-31", "2026-01-30T15:00:00Z"},
		{"22:50", "2026-03-02T13:50:00Z"},
		{"5:07:09.5", "2026-03-01T20:07:09.5Z"},
		{"today", "2026-03-01T15:00:00Z"},
		{"today 01:00", "2026-03-01T16:00:00Z"},
		{"yesterday", "2026-02-28T15:00:00Z"},
		{"yesterday 10:00", "2026-03-01T01:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			got, err := parseMoment(tt.text, now, tokyo)
			if err != nil || got.UTC().Format(time.RFC3339Nano) != tt.want {
				t.Errorf("got %s, %v, want %s", got.UTC().Format(time.RFC3339Nano), err, tt.want)
			}
		})
	}
	for _, text := range []string{
		"", " ", "-5m", "-1d", "5", "tomorrow", "today 5m", "yesterday  10:00", "25:00", "22:60", "2026-02-30", "2026-13-01 10:00",
		"1969-01-01", "2262-01-01", "0001-01-01T00:00:00Z", "99999999d", "22:50 yesterday", "1h2d",
	} {
		if got, err := parseMoment(text, now, tokyo); err == nil {
			t.Errorf("%q is %s, want an error", text, got)
		}
	}
}

// Days have 23 or 25 hours when the clocks change.
func TestParseMoment_DaysFollowTheCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 30, 0, 30, 0, 0, berlin) // the clocks have changed the day before
	got, err := parseMoment("yesterday", now, berlin)
	if want := time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("got %s, %v, want %s", got.UTC(), err, want)
	}
}

func FuzzParseMoment(f *testing.F) {
	for _, s := range []string{"1d", "+5m", "22:50", "yesterday 10:00", "2026-01-31 22:50", "2026-01-31T22:50:00Z", "9999999h"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 1, 20, 30, 0, 5, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if at, err := parseMoment(s, now, time.UTC); err == nil && !time.Unix(0, at.UnixNano()).Equal(at) {
			t.Errorf("%q is %s, which nanoseconds in 64 bits cannot hold", s, at)
		}
	})
}
