package events

import (
	"encoding/json"
	"math/bits"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func decode(t *testing.T, s string) *Event {
	t.Helper()
	e := &Event{}
	if err := json.Unmarshal([]byte(s), e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEvent_CountAndTimeOfEachForm(t *testing.T) {
	tests := []struct {
		name, event string
		times       int
		at          string
	}{
		{"kubelet", `{"count":6,"firstTimestamp":"2026-01-31T10:00:00Z","lastTimestamp":"2026-01-31T10:05:00Z","eventTime":null}`, 6, "2026-01-31T10:05:00Z"},
		{"scheduler", `{"eventTime":"2026-01-31T10:00:00.123456Z","firstTimestamp":null,"lastTimestamp":null}`, 1, "2026-01-31T10:00:00.123456Z"},
		{"series", `{"eventTime":"2026-01-31T10:00:00.1Z","series":{"count":3,"lastObservedTime":"2026-01-31T10:02:00.5Z"}}`, 3, "2026-01-31T10:02:00.5Z"},
		{"only created", `{"metadata":{"creationTimestamp":"2026-01-31T09:00:00Z"}}`, 1, "2026-01-31T09:00:00Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := decode(t, tt.event)
			if got := e.At().UTC().Format(time.RFC3339Nano); e.Times() != tt.times || got != tt.at {
				t.Errorf("got %d at %s, want %d at %s", e.Times(), got, tt.times, tt.at)
			}
		})
	}
}

func TestEvent_TextContainerAndCause(t *testing.T) {
	tests := []struct{ name, event, text, container, cause string }{
		{"back-off", `{"reason":"BackOff","type":"Warning","message":"Back-off restarting failed container web in pod web-1_shop(5f3c0000-0000-4000-8000-000000000001)",
			"involvedObject":{"fieldPath":"spec.containers{web}"}}`, "Back-off restarting failed container web", "web", ""},
		{"probe", `{"reason":"Killing","message":"Container web failed liveness probe, will be restarted","involvedObject":{"fieldPath":"spec.containers{web}"}}`,
			"Container web failed liveness probe, will be restarted", "web", "failed liveness probe"},
		{"end", `{"reason":"Killing","message":"Stopping container web","involvedObject":{"fieldPath":"spec.initContainers{init}"}}`,
			"Stopping container web", "init", ""},
		{"pod first", `{"reason":"MissingClusterDNS","message":"pod: \"web-1_shop(5f3c0000-0000-4000-8000-000000000001)\". kubelet does not have ClusterDNS IP configured"}`,
			"kubelet does not have ClusterDNS IP configured", "", ""},
		{"combined", `{"reason":"Unhealthy","message":"(combined from similar events): Readiness\nprobe  failed"}`, "Readiness probe failed", "", ""},
		{"no message", `{"reason":"NodeNotReady"}`, "NodeNotReady", "", ""},
		{"preempted", `{"reason":"Preempted","message":"Preempted by pod x on node n"}`, "Preempted by pod x on node n", "", "preempted"},
		{"taint", `{"reason":"TaintManagerEviction","message":"Marking for deletion Pod shop/web-1"}`, "Marking for deletion Pod shop/web-1", "", "evicted: taint of the node"},
		{"node", `{"reason":"NodeNotReady","message":"Node n-1 status is now: NodeNotReady","involvedObject":{"kind":"Node","name":"n-1"}}`, "NodeNotReady", "", ""},
		{"node controller", `{"reason":"RegisteredNode","message":"Node n-1 event: Registered Node n-1 in Controller","involvedObject":{"kind":"Node","name":"n-1"}}`,
			"Registered Node n-1 in Controller", "", ""},
		{"taint gone", `{"reason":"TaintManagerEviction","message":"Cancelling deletion of Pod shop/web-1"}`, "Cancelling deletion of Pod shop/web-1", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := decode(t, strings.ReplaceAll(tt.event, "\n\t\t\t", " "))
			if e.Text() != tt.text || e.Container() != tt.container || e.Cause() != tt.cause {
				t.Errorf("got %q, %q, %q, want %q, %q, %q", e.Text(), e.Container(), e.Cause(), tt.text, tt.container, tt.cause)
			}
		})
	}
	if e := decode(t, `{"message":"`+strings.Repeat("ä", 1000)+`"}`); len([]rune(e.Text())) != maxMessage {
		t.Errorf("a long message has %d characters", len([]rune(e.Text())))
	}
}

func TestShown_ThinsOutRepetitions(t *testing.T) {
	var s Shown
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	e := &Event{}
	e.UID = types.UID("a")
	var got []int
	for e.Count = 1; e.Count <= 120; e.Count++ {
		if s.Wants(e, now) {
			got = append(got, e.Count)
			if s.Wants(e, now.Add(time.Hour)) {
				t.Fatalf("count %d is shown twice", e.Count)
			}
		}
		now = now.Add(2 * time.Second)
	}
	want := []int{1, 2, 5, 10, 20, 50, 100}
	if len(got) != len(want) {
		t.Fatalf("shown at %v, want %v", got, want)
	}
	e.Count = 121
	if now = now.Add(6 * time.Minute); !s.Wants(e, now) {
		t.Error("a repetition after minutes is not shown")
	}
	if e.Count = 1000; s.Wants(e, now.Add(time.Second/2)) {
		t.Error("shown twice in a second")
	}
}

func TestShown_IsBounded(t *testing.T) {
	var s Shown
	now := time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC)
	for i := range 100_000 {
		e := &Event{Count: 1}
		e.UID = types.UID(time.Duration(i).String())
		s.Wants(e, now)
		now = now.Add(10 * time.Second)
	}
	if len(s.events) > 4096 {
		t.Errorf("%d events are remembered", len(s.events))
	}
}

func TestStep_IncreasesAtRoundCounts(t *testing.T) {
	steps := map[int]int{32: 28, 64: 56}[bits.UintSize] // up to the largest power of two
	for count, want := range map[int]int{1: 1, 2: 2, 4: 2, 5: 3, 9: 3, 10: 4, 19: 4, 20: 5, 50: 6, 100: 7, 1 << (bits.UintSize - 2): steps} {
		if got := step(count); got != want {
			t.Errorf("step(%d) = %d, want %d", count, got, want)
		}
	}
}
