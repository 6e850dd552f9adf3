package output

import (
	"math"
	"testing"
	"time"
)

func TestTimestamps_Format(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	layouts := map[TimestampFormat]string{TimestampNano: "2006-01-02T15:04:05.000000000Z07:00", TimestampShort: "01-02 15:04:05"}
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
