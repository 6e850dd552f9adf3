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

// Recording is the answer of a real server to a bulk of three documents: the second
// is odd, or their index is in trouble. The recordings are made by
// TestRecordedAnswers in test/e2esearch.
type Recording struct {
	Name string `json:"name"`
	// About is what is in trouble: index (or an alias, pipeline, the cluster),
	// document (the second), request, size, or nothing.
	About  string `json:"about"`
	Status int    `json:"status"`
	Body   string `json:"body"`
}

// RecordedServers are the names of the servers that there are recordings of, with
// their flavors.
var RecordedServers = map[string]Flavor{
	"elasticsearch6": Elasticsearch64, "elasticsearch7": Elasticsearch710, "opensearch2": OpenSearch2, "opensearch3": OpenSearch3,
}

// Recordings returns those of one of the RecordedServers.
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

// Fault replays the recording. The request is not carried out.
func (r *Recording) Fault() *Fault {
	return &Fault{Answer: &Answer{Status: r.Status, Header: http.Header{"Content-Type": {"application/json"}}, Body: r.Body}}
}
