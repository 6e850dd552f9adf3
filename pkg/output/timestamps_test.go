package output

import (
	"math"
	"testing"
	"time"
)

func TestTimestamps_FormatAcrossClockChange(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	layouts := map[TimestampFormat]string{TimestampNano: "2006-01-02T15:04:05.000000000Z07:00", TimestampShort: "01-02 15:04:05", TimestampRFC3339: time.RFC3339}
	summer := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC).UnixNano() // when the clocks change
	times := []int64{
		0, 1, -1, 999_999_999, 1e9, -1e9, -1_000_000_001, summer - 1, summer, summer + 1, summer - 1, math.MaxInt64, math.MinInt64,
	}
	for format, layout := range layouts {
		for _, location := range []*time.Location{time.UTC, berlin, time.FixedZone("", -9000)} {
			ts := NewTimestamps(format, location)
			for _, ns := range times {
				want := time.Unix(0, ns).In(location).Format(layout)
				if got := string(ts.append(nil, ns)); got != want {
					t.Errorf("%d in %s: got %s, want %s", ns, location, got, want)
				}
			}
		}
	}
}

func TestTimestamps_UnixDeltaAndLayout(t *testing.T) {
	const second = int64(time.Second)
	layout, err := TimestampLayout("Mon 15h04 .000")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		format TimestampFormat
		times  []int64
		want   []string
	}{
		{"unix", TimestampUnix, []int64{0, 1, 1769853600*second + 123456789, -1, -1500 * 1e6, -2 * second},
			[]string{"0.000000000", "0.000000001", "1769853600.123456789", "-0.000000001", "-1.500000000", "-2.000000000"}},
		{"delta", TimestampDelta, []int64{10 * second, 10*second + 800e6, 10*second + 798e6, 10*second + 798e6 + 400e3, 5000 * second},
			[]string{"+0.000s", "+0.800s", "-0.002s", "+0.000s", "+4989.202s"}},
		{"delta that does not fit", TimestampDelta, []int64{math.MinInt64, math.MaxInt64},
			[]string{"+0.000s", "+9223372036.855s"}},
		{"layout", layout, []int64{0, 3600*second + 50e6}, []string{"Thu 00h00 .000", "Thu 01h00 .050"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ts := NewTimestamps(tt.format, time.UTC)
			for i, ns := range tt.times {
				if got := string(ts.append(nil, ns)); got != tt.want[i] {
					t.Errorf("%d: got %s, want %s", ns, got, tt.want[i])
				}
			}
		})
	}
}

func TestTimestampLayout_RefusesTextWithoutTime(t *testing.T) {
	for _, layout := range []string{"", "long", "shrt", "::"} {
		if _, err := TimestampLayout(layout); err == nil {
			t.Errorf("%q is accepted", layout)
		}
	}
	for _, layout := range []string{"15:04", "Jan", "MST", "pm", "5.000", "2006"} {
		if _, err := TimestampLayout(layout); err != nil {
			t.Errorf("%q: %v", layout, err)
		}
	}
}
