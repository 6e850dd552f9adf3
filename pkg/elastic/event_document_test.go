package elastic

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

func TestKubeEvent_IsADocumentWithAnIDOfItsOwn(t *testing.T) {
	e := &encoder{agent: "1.2.3", dataStream: parseDataStream("logs-ktail-default")}
	line := func(at time.Time, count int) ktail.Line {
		return ktail.Line{
			Stream: &ktail.Stream{Namespace: "shop", Owner: ktail.Owner{Kind: "Deployment", Name: "web"}},
			Kind:   ktail.KubeEvent, Time: at.UnixNano(), Text: []byte("Scaled up"),
			Event: &ktail.Event{UID: "u", Reason: "ScalingReplicaSet", Type: "Warning", Count: count, At: testTime.UnixNano(), Object: "deploy/web"},
		}
	}
	id, doc := encode(t, e, line(testTime, 3))
	var want map[string]any
	err := json.Unmarshal([]byte(`{
		"@timestamp": "2026-01-31T10:00:00.123456789Z", "message": "Scaled up",
		"event": {"kind": "event", "dataset": "kubernetes.event", "created": "2026-01-31T10:00:01.000000000Z", "action": "ScalingReplicaSet", "count": 3},
		"log": {"level": "warn"},
		"kubernetes": {"namespace": "shop", "deployment": {"name": "web"}}
	}`), &want)
	if err != nil {
		t.Fatal(err)
	}
	for key := range want {
		if !reflect.DeepEqual(doc[key], want[key]) {
			t.Errorf("%s is %v, want %v", key, doc[key], want[key])
		}
	}
	if again, other := encode(t, e, line(testTime.Add(time.Second), 3)); again != id || other["@timestamp"] != doc["@timestamp"] {
		t.Error("the same event in another run, which shows it at another time, has another ID or time")
	}
	if next, _ := encode(t, e, line(testTime, 4)); next == id {
		t.Error("a repetition has the same ID")
	}
}

func TestNodeLog_DocumentHasNoPodFields(t *testing.T) {
	tests := []struct {
		name string
		line ktail.Line
		want string
	}{
		{"journal", ktail.Line{Stream: ktail.NodeStream("prod", "worker-1", "kubelet")},
			`{"kubernetes": {"node": {"name": "worker-1"}}, "service": {"name": "kubelet"}, "host": {"name": "worker-1"}}`},
		{"event", ktail.Line{Stream: ktail.NodeStream("prod", "worker-1", ""), Kind: ktail.KubeEvent,
			Event: &ktail.Event{UID: "u", Reason: "NodeNotReady", Type: "Normal", Count: 1, Object: "node/worker-1"}},
			`{"kubernetes": {"node": {"name": "worker-1"}}, "service": null, "host": {"name": "worker-1"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &encoder{agent: "1.2.3", dataStream: parseDataStream("logs-ktail-default")}
			tt.line.Time, tt.line.Text = testTime.UnixNano(), []byte("x")
			_, doc := encode(t, e, tt.line)
			var want map[string]any
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			for key := range want {
				if !reflect.DeepEqual(doc[key], want[key]) {
					t.Errorf("%s is %v, want %v", key, doc[key], want[key])
				}
			}
		})
	}
}
