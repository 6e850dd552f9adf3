package fakesearch

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
)

//go:embed testdata/recorded
var recordings embed.FS

// Recording is the response of a real server to a bulk of three documents. Either the
// second document or their index is faulty. TestRecordedResponses in test/e2esearch
// makes the recordings.
type Recording struct {
	Name string `json:"name"`
	// About is what is faulty: index (or an alias, a pipeline, the cluster), document
	// (the second one), request, size, or nothing.
	About  string `json:"about"`
	Status int    `json:"status"`
	Body   string `json:"body"`
}

// RecordedServers maps the names of the recorded servers to their flavors.
var RecordedServers = map[string]Flavor{
	"elasticsearch6": Elasticsearch64, "elasticsearch7": Elasticsearch710, "opensearch2": OpenSearch2, "opensearch3": OpenSearch3,
}

// Recordings returns the recordings of one of the RecordedServers.
func Recordings(server string) ([]Recording, error) {
	dir := path.Join("testdata/recorded", server)
	entries, err := recordings.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read recordings: %w", err)
	}
	all := make([]Recording, len(entries))
	for i, e := range entries {
		b, err := recordings.ReadFile(path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read recordings: %w", err)
		}
		if err := json.Unmarshal(b, &all[i]); err != nil {
			return nil, fmt.Errorf("read recording %s: %w", e.Name(), err)
		}
	}
	return all, nil
}

// Fault replays the recording. It does not execute the request.
func (r *Recording) Fault() *Fault {
	return &Fault{Response: &Response{Status: r.Status, Header: http.Header{"Content-Type": {"application/json"}}, Body: r.Body}}
}
