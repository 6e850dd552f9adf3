package main

import (
	"testing"
	"time"
)

func TestParseMoment_AcceptsDurationsAndTimes(t *testing.T) {
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
		{"2026-01-31 22:50:00.5+02:00", "2026-01-31T20:50:00.5Z"},
		{"2026-01-31t22:50:00z", "2026-01-31T22:50:00Z"},
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
			got, err := parseMoment(tt.text, now, tokyo, first)
			if err != nil || got.UTC().Format(time.RFC3339Nano) != tt.want {
				t.Errorf("got %s, %v, want %s", got.UTC().Format(time.RFC3339Nano), err, tt.want)
			}
		})
	}
	for _, text := range []string{
		"", " ", "-5m", "-1d", "5", "tomorrow", "today 5m", "yesterday  10:00", "25:00", "22:60", "2026-02-30", "2026-13-01 10:00",
		"2026-01-31_22:50", "2026-01-31 ", "2026-01-31z", "1969-01-01", "2262-01-01", "0001-01-01T00:00:00Z", "99999999d", "22:50 yesterday", "1h2d",
	} {
		if got, err := parseMoment(text, now, tokyo, first); err == nil {
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
	got, err := parseMoment("yesterday", now, berlin, first)
	if want := time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC); err != nil || !got.Equal(want) {
		t.Errorf("got %s, %v, want %s", got.UTC(), err, want)
	}
}

// When clocks are set back, they show some times twice: --since means the first and --until
// the last. A time that they skip is the one at which they are set forward. In both cases, no
// line is hidden that may be meant.
func TestParseMoment_WhenTheClocksChange(t *testing.T) {
	tests := []struct{ zone, text, first, last string }{
		{"Europe/Berlin", "2026-03-29 02:30", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-03-29 03:00", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"},
		{"Europe/Berlin", "2026-10-25 01:59:59", "2026-10-24T23:59:59Z", "2026-10-24T23:59:59Z"},
		{"Europe/Berlin", "2026-10-25 02:20:00.5", "2026-10-25T00:20:00.5Z", "2026-10-25T01:20:00.5Z"},
		{"Europe/Berlin", "2026-10-25 03:00", "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z"},
		{"America/New_York", "2026-03-08 02:30", "2026-03-08T07:00:00Z", "2026-03-08T07:00:00Z"},
		{"America/New_York", "2026-11-01 01:30", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"},
		{"Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z", "2026-04-23T22:00:00Z"}, // there is no midnight
		{"Africa/Cairo", "2026-10-29 23:30", "2026-10-29T20:30:00Z", "2026-10-29T21:30:00Z"},
		{"Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"},
		{"Pacific/Apia", "2011-12-30 10:00", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z"}, // there is no such day
		{"Europe/Berlin", "2026-10-25T02:20:00+02:00", "2026-10-25T00:20:00Z", "2026-10-25T00:20:00Z"},
		{"UTC", "2026-10-25 02:20", "2026-10-25T02:20:00Z", "2026-10-25T02:20:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.zone+" "+tt.text, func(t *testing.T) {
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			for o, want := range map[occasion]string{first: tt.first, last: tt.last} {
				got, err := parseMoment(tt.text, time.Now(), zone, o)
				if err != nil || got.UTC().Format(time.RFC3339Nano) != want {
					t.Errorf("got %s, %v, want %s", got.UTC().Format(time.RFC3339Nano), err, want)
				}
			}
		})
	}
}

func FuzzParseMoment(f *testing.F) {
	for _, s := range []string{"1d", "+5m", "22:50", "yesterday 10:00", "2026-01-31 22:50", "2026-01-31T22:50:00Z", "9999999h"} {
		f.Add(s)
	}
	now := time.Date(2026, 3, 1, 20, 30, 0, 5, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if at, err := parseMoment(s, now, time.UTC, first); err == nil && !time.Unix(0, at.UnixNano()).Equal(at) {
			t.Errorf("%q is %s, which nanoseconds in 64 bits cannot hold", s, at)
		}
	})
}
