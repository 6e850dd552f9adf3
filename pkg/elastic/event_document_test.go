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
	if again, _ := encode(t, e, line(testTime.Add(time.Second), 3)); again != id {
		t.Error("the same event in another run has another ID")
	}
	if next, _ := encode(t, e, line(testTime, 4)); next == id {
		t.Error("a repetition has the same ID")
	}
}

func TestNodeLog_DocumentHasNoPodFields(t *testing.T) {
	e := &encoder{agent: "1.2.3", dataStream: parseDataStream("logs-ktail-default")}
	_, doc := encode(t, e, ktail.Line{Stream: ktail.NodeStream("prod", "worker-1", "kubelet"), Time: testTime.UnixNano(), Text: []byte("x")})
	var want map[string]any
	err := json.Unmarshal([]byte(`{"kubernetes": {"node": {"name": "worker-1"}}, "service": {"name": "kubelet"}, "host": {"name": "worker-1"}}`), &want)
	if err != nil {
		t.Fatal(err)
	}
	for key := range want {
		if !reflect.DeepEqual(doc[key], want[key]) {
			t.Errorf("%s is %v, want %v", key, doc[key], want[key])
		}
	}
}
