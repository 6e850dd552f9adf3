package main

import "testing"

// The end of a burst is reported once, after two quiet intervals, however long it was and
// however slowly it ends. A steady rate is not a burst.
func TestBurstDetector_ReportsTheEndOnce(t *testing.T) {
	const mb = 1 << 20
	tests := []struct {
		name      string
		allocated []uint64 // MB in each interval
		want      int      // the interval after which it is reported; -1: never
	}{
		{"quiet all the time", []uint64{1, 0, 1, 0, 1}, -1},
		{"a steady rate", []uint64{8, 8, 8, 8, 8}, -1},
		{"a burst", []uint64{0, 100, 0, 0, 0, 0}, 3},
		{"a long burst", []uint64{100, 100, 100, 1, 1, 0}, 4},
		{"a burst that ends slowly", []uint64{100, 8, 8, 1, 8, 1, 1, 1}, 6},
		{"a pause in a burst", []uint64{100, 0, 100, 0, 100}, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var d burstDetector
			got, total := -1, uint64(0)
			for i, n := range tt.allocated {
				total += n * mb
				if d.isOver(total) {
					if got >= 0 {
						t.Fatalf("reported after interval %d and again after %d", got, i)
					}
					got = i
				}
			}
			if got != tt.want {
				t.Errorf("reported after interval %d, want %d", got, tt.want)
			}
		})
	}
}
