package nodelog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func shown(j Journal) []string {
	var all []string
	for _, e := range j.Entries {
		for _, l := range e.Lines {
			all = append(all, e.Time.Format("2006-01-02T15:04:05.000000 ")+string(l))
		}
	}
	return all
}

func TestParseJournal_FindsYearsAndSeveralLinesOfAnEntry(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)
	const a = "Dec 31 23:59:59.250123 worker-1 kubelet[42]: "
	pad := strings.Repeat(" ", len(a))
	tests := []struct {
		name, body string
		cut        bool
		want       []string
		diagnostic string
	}{
		{"New Year", a + "old\nJan 01 00:00:01.000001 worker-1 kubelet[42]: new\n", false,
			[]string{"2025-12-31T23:59:59.250123 old", "2026-01-01T00:00:01.000001 new"}, ""},
		{"a clock that is ahead", "Jan 01 20:00:00.000000 worker-1 kubelet[42]: later\n", false, []string{"2026-01-01T20:00:00.000000 later"}, ""},
		{"leap day", "Feb 29 01:02:03.000004 worker-1 kubelet[1]: leap\n", false, []string{"2024-02-29T01:02:03.000004 leap"}, ""},
		{"several lines", a + "panic: x\n" + pad + "goroutine 1\n" + pad + "  indented\n" + a + "next\n", false,
			[]string{"2025-12-31T23:59:59.250123 panic: x", "2025-12-31T23:59:59.250123 goroutine 1", "2025-12-31T23:59:59.250123   indented", "2025-12-31T23:59:59.250123 next"}, ""},
		{"another identifier", "Dec 31 23:59:59.250123 worker-1 systemd[1]: Started kubelet.\n", false, []string{"2025-12-31T23:59:59.250123 systemd[1]: Started kubelet."}, ""},
		{"boots and blobs", "-- Boot 0123 --\n" + a + "[12B blob data]\n-- No entries --\n", false, []string{"2025-12-31T23:59:59.250123 [12B blob data]"}, ""},
		{"cut inside a line", a + "one\n" + a + "tw", true, []string{"2025-12-31T23:59:59.250123 one"}, ""},
		{"nothing", "", false, nil, ""},
		{"cut at once", "Dec 31", true, nil, ""},
		{"an error of journalctl", "Failed to open journal: x\n", false, nil, "Failed to open journal: x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := ParseJournal([]byte(tt.body), "kubelet", now)
			if got := shown(j); !slices.Equal(got, tt.want) || j.Cut != tt.cut {
				t.Errorf("got %q, cut %t, want %q", got, j.Cut, tt.want)
			}
			if got := fmt.Sprintf("%s", j.Diagnostics); got != "["+tt.diagnostic+"]" {
				t.Errorf("diagnostics are %s", got)
			}
		})
	}
}

func TestParseJournal_RejectsOtherResponses(t *testing.T) {
	for body, want := range map[string]Journal{
		"<!doctype html>\n<meta name=\"viewport\">\n<pre>\n<a href=\"pods/\">pods/</a>\n</pre>\n":     {Listing: true},
		"<pre>\n<a href=\"pods/\">pods/</a>\n</pre>\n":                                                {Listing: true},
		"\nlog not found for nope\n":                                                                  {NotFound: true},
		"\noptions present and query resolved to log files for [x]\ntry without specifying options\n": {NotFound: true},
	} {
		j := ParseJournal([]byte(body), "x", time.Now())
		if j.Listing != want.Listing || j.NotFound != want.NotFound || len(j.Entries)+len(j.Diagnostics) > 0 {
			t.Errorf("%q: got %+v", body, j)
		}
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add([]byte("Dec 31 23:59:59.250123 h kubelet[42]: a\n      b\n"))
	f.Add([]byte("Dec 31 23:59:59.250123 h"))
	f.Fuzz(func(t *testing.T, body []byte) {
		j := ParseJournal(body, "kubelet", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		for _, e := range j.Entries {
			if len(e.Lines) == 0 || e.Time.Year() < 2016 {
				t.Errorf("entry %+v", e)
			}
		}
	})
}

func TestParseListing_RejectsCutListings(t *testing.T) {
	listing := "<!doctype html>\n<meta>\n<pre>\n<a href=\"0.log\">0.log</a>\n<a href=\"a%20b/\">a b/</a>\n<a href=\"x&amp;y\">x</a>\n<a href=\"../up\">up</a>\n</pre>\n"
	names, ok := ParseListing([]byte(listing))
	if want := []string{"0.log", "a b/", "x&y"}; !ok || !slices.Equal(names, want) {
		t.Errorf("got %q, %t, want %q", names, ok, want)
	}
	if _, ok := ParseListing([]byte("404 page not found\n")); ok {
		t.Error("an error counts as a listing")
	}
	for n := range len(listing) - 1 {
		if _, ok := ParseListing([]byte(listing[:n])); ok {
			t.Fatalf("a listing counts although it is cut after %q", listing[:n])
		}
	}
}
