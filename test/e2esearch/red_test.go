//go:build e2e

package e2esearch

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/ktail/ktail/test/internal/suite"
	"github.com/ktail/ktail/test/search"
)

// One of two shards has no primary. The lines of the other one are delivered without
// delay, the lines of the red one when it has a primary again.
func TestRedShard_DelaysOnlyItsDocuments(t *testing.T) {
	needConnections(t)
	const pods, rate = 10, 20
	const index = "e2e-red"
	onEach(t, func(t *testing.T, s *search.Server) {
		s.Must(t, http.MethodPut, "/"+index, `{"settings":{"index":{"number_of_shards":2,"number_of_replicas":0}}}`, nil)
		node := losePrimary(t, s, index, 1)
		w := newWorld(t, pods)
		stop := w.flow(rate)
		r := w.forward(s, "--elasticsearch-index", index, "--elasticsearch-spool", filepath.Join(t.TempDir(), "spool"))
		started(t, s, index)
		suite.Sleep(t, 60*time.Second)
		// The IDs are hashes, so each shard gets half of the lines.
		due := (w.lines() - 15*pods*rate) * 45 / 100
		healthy := s.Count(t, index)
		if healthy < due {
			t.Errorf("%d of %d lines are indexed after a minute, want at least %d", healthy, w.lines(), due)
		}
		reroute(t, s, fmt.Sprintf(`{"allocate_empty_primary":{"index":%q,"shard":1,"node":%q,"accept_data_loss":true}}`, index, node))
		stop()
		w.finish(t, s, index, r, 90*time.Second, fmt.Sprintf("%d lines indexed after a minute", healthy))
	})
}

// losePrimary deletes the files of a shard and makes the server open it again, which
// fails. It returns the name of the node.
func losePrimary(t *testing.T, s *search.Server, index string, shard int) (node string) {
	t.Helper()
	var nodes, indices []map[string]string
	s.Must(t, http.MethodGet, "/_cat/nodes?format=json&h=name", "", &nodes)
	s.Must(t, http.MethodGet, "/_cat/indices/"+index+"?format=json&h=uuid", "", &indices)
	node = nodes[0]["name"]
	s.RemoveShard(t, indices[0]["uuid"], shard)
	reroute(t, s, fmt.Sprintf(`{"cancel":{"index":%q,"shard":%d,"node":%q,"allow_primary":true}}`, index, shard, node))
	suite.Eventually(t, time.Minute, "a red shard", func() bool {
		var health struct {
			Status       string `json:"status"`
			Initializing int    `json:"initializing_shards"`
		}
		s.Must(t, http.MethodGet, "/_cluster/health/"+index, "", &health)
		return health.Status == "red" && health.Initializing == 0
	})
	return node
}

func reroute(t *testing.T, s *search.Server, command string) {
	t.Helper()
	s.Must(t, http.MethodPost, "/_cluster/reroute", `{"commands":[`+command+`]}`, nil)
}
