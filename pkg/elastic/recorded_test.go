package elastic

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/ktail/ktail/internal/fakesearch"
)

// The responses of the real servers get the verdicts that fit what was wrong.
func TestJudge_RecordedResponses(t *testing.T) {
	want := map[string][]verdict{
		"nothing":  {delivered, present},
		"index":    {retry, blocked},
		"document": {failing, rejected},
		"request":  {malformed},
		"size":     {tooLarge},
	}
	for server := range fakesearch.RecordedServers {
		recordings, err := fakesearch.Recordings(server)
		if err != nil {
			t.Fatal(err)
		}
		if len(recordings) < 40 {
			t.Errorf("%s: only %d recordings", server, len(recordings))
		}
		for _, r := range recordings {
			t.Run(server+" "+r.Name, func(t *testing.T) {
				if r.Status != 200 {
					var body struct{ Error json.RawMessage }
					var kind, reason string
					if json.Unmarshal([]byte(r.Body), &body) == nil {
						kind, reason = parseError(body.Error)
					}
					it := failedItem(r.Status, kind, reason)
					v := judge(ofRequest, &it)
					if empty := r.Name == "empty"; empty && v == blocked {
						return // ktail sends no empty request
					}
					if !slices.Contains(want[r.About], v) {
						t.Errorf("verdict %d for %+v", v, it)
					}
					return
				}
				items, err := parseBulkResponse(nil, []byte(r.Body), 3)
				if err != nil {
					t.Fatal(err)
				}
				for n, it := range items {
					if v := judge(ofItem, &it); !slices.Contains(want[r.About], v) && (v != delivered || r.About == "document" && n == 1) {
						t.Errorf("verdict %d for document %d: %+v", v, n, it)
					}
				}
			})
		}
	}
}
