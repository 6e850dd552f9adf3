package promise_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// heldBack is a log that is rotated every ten seconds, while the output keeps ktail, and
// therefore the kubelet, waiting.
type heldBack struct {
	*run
	c    *fakeapi.Container
	file []string
}

// write writes five lines a second for so many seconds.
func (h *heldBack) write(seconds int) {
	for range 5 * seconds {
		if len(h.file)%50 == 0 && len(h.file) > 0 {
			h.c.Rotate()
		}
		h.file = append(h.file, fmt.Sprintf("line %d %s", len(h.file), strings.Repeat("x", 200_000)))
		h.c.Log(h.file[len(h.file)-1])
		pass(200 * time.Millisecond)
	}
}

// A kubelet that had to wait skips files of the log and repeats others. What it has skipped
// is reported, and nothing is written twice.
func TestKubeletHeldBack_LosesNothingSilently(t *testing.T) {
	for _, tt := range []struct {
		name string
		slow func(*heldBack)
		lost bool
	}{
		{"not at all", func(h *heldBack) { h.write(60) }, false},
		{"for less than a rotation", func(h *heldBack) { h.block(); h.write(8); h.unblock() }, false},
		{"while the container pauses", func(h *heldBack) { h.block(); h.write(2); pass(5 * time.Second); h.write(2); h.unblock() }, false},
		{"while the container pauses before a rotation", func(h *heldBack) { h.block(); h.write(4); pass(5 * time.Second); h.write(3); h.unblock() }, false},
		{"while the container pauses and the log is rotated", func(h *heldBack) { h.block(); h.write(5); pass(5 * time.Second); h.write(3); h.unblock() }, false},
		{"by one long pause", func(h *heldBack) { h.block(); h.write(45); h.unblock() }, true},
		{"by several pauses", func(h *heldBack) {
			for range 3 {
				h.block()
				h.write(25)
				h.unblock()
				h.write(15)
			}
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newServer(t, fakeapi.Options{QueueRotations: true})
				c := api.RunPod("default", "web", "app").Container("app")
				h := &heldBack{run: followAll(t, connect(t, api)), c: c}
				h.write(5)
				tt.slow(h)
				h.write(15)
				pass(time.Minute)
				(&scheduler{run: h.run}).wantsNothingSilent(t, h.file)
				if got := len(h.lines) < len(h.file); got != tt.lost {
					t.Errorf("%d of %d lines, %d gaps; lost: %v, want %v", len(h.lines), len(h.file), len(h.gaps), got, tt.lost)
				}
				if last := h.lines[len(h.lines)-1]; last != h.file[len(h.file)-1] {
					t.Errorf("the last line was not written")
				}
			})
		})
	}
}

// If a pod is deleted while its log is read late, the rest cannot be read any more. That is
// reported.
func TestDeletedPod_UnreadEndIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := newServer(t, fakeapi.Options{QueueRotations: true})
		pod := api.RunPod("default", "web", "app")
		h := &heldBack{run: followAll(t, connect(t, api)), c: pod.Container("app")}
		h.write(5)
		h.block()
		h.write(30)
		pod.Remove()
		api.CutAll(true)
		h.unblock()
		pass(time.Minute)
		(&scheduler{run: h.run}).wantsNothingSilent(t, h.file)
		if len(h.gaps) != 1 || !strings.Contains(string(h.gaps[0].Text), "deleted") {
			t.Fatalf("gaps: %v", h.gaps)
		}
		if last := h.screen[len(h.screen)-1]; last != "- deleted" {
			t.Errorf("the last line on the screen is %.40q", last)
		}
	})
}
