package output_test

import (
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/output"
)

func TestDescribe_NamesWhatHappened(t *testing.T) {
	s := &ktail.Stream{Namespace: "ns", Pod: "pod", Container: "container"}
	at := time.Date(2026, 1, 2, 15, 4, 5, 1, time.UTC).UnixNano()
	gap := func(d time.Duration) ktail.Line {
		return ktail.Line{Kind: ktail.Gap, Since: at, Time: at + int64(d)}
	}
	tests := []struct {
		name string
		line ktail.Line
		want string
	}{
		{
			"gap", ktail.Line{Kind: ktail.Gap, Since: at, Time: at + int64(4200*time.Millisecond), Text: []byte("the log was rotated")},
			"gap in ns/pod[container]: lines between 2026-01-02T15:04:05.000000001Z and 2026-01-02T15:04:09.200000001Z (4.2s) may be missing: the log was rotated",
		},
		{
			"gap of hours, without a reason", gap(2*time.Hour + 1234*time.Millisecond),
			"gap in ns/pod[container]: lines between 2026-01-02T15:04:05.000000001Z and 2026-01-02T17:04:06.234000001Z (2h0m1.2s) may be missing",
		},
		{
			"gap of milliseconds", gap(1234567 * time.Nanosecond),
			"gap in ns/pod[container]: lines between 2026-01-02T15:04:05.000000001Z and 2026-01-02T15:04:05.001234568Z (1ms) may be missing",
		},
		{
			"gap of nanoseconds", gap(234),
			"gap in ns/pod[container]: lines between 2026-01-02T15:04:05.000000001Z and 2026-01-02T15:04:05.000000235Z (234ns) may be missing",
		},
		{
			"gap over a step back in time", gap(-1),
			"gap in ns/pod[container]: lines between 2026-01-02T15:04:05.000000001Z and 2026-01-02T15:04:05.000000000Z may be missing",
		},
		{
			"gap without a beginning", ktail.Line{Kind: ktail.Gap, Time: at},
			"gap in ns/pod[container]: lines before 2026-01-02T15:04:05.000000001Z may be missing",
		},
		{
			"gap without an end", ktail.Line{Kind: ktail.Gap, Since: at, Text: []byte("gone")},
			"gap in ns/pod[container]: lines after 2026-01-02T15:04:05.000000001Z may be missing: gone",
		},
		{
			"gap without bounds", ktail.Line{Kind: ktail.Gap},
			"gap in ns/pod[container]: lines may be missing",
		},
		{
			"diagnostic", ktail.Line{Kind: ktail.Diagnostic, Text: []byte("unable to retrieve container logs")},
			"ns/pod[container]: unable to retrieve container logs",
		},
		{
			"diagnostic that was cut", ktail.Line{Kind: ktail.Diagnostic, Text: []byte("unable"), Cut: true},
			"ns/pod[container]: unable …[line cut by ktail at 6 bytes]",
		},
		{
			"line that was cut", ktail.Line{Time: at, Text: make([]byte, 1<<20), Cut: true},
			"ns/pod[container]: line at 2026-01-02T15:04:05.000000001Z is longer than 1048576 bytes and was cut",
		},
		{
			"line", ktail.Line{Time: at, Text: []byte("hello")},
			"ns/pod[container]: hello",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.line.Stream = s
			if got := output.Describe(&tt.line); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
