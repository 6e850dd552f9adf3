package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// server describes the product and version of the servers. The zero value is an unknown
// server.
type server struct {
	known      bool
	openSearch bool // OpenSearch, whatever version number it reports
	basic      bool // Elasticsearch with the features that are not open source
	serverless bool
	major      int
	minor      int
	uuid       string // UUID of the cluster; empty if unknown
}

func (s server) atLeast(major, minor int) bool {
	return s.major > major || s.major == major && s.minor >= minor
}

// String returns product and version.
func (s server) String() string {
	switch {
	case !s.known:
		return "Elasticsearch"
	case s.openSearch:
		return fmt.Sprintf("OpenSearch %d.%d", s.major, s.minor)
	case s.serverless:
		return "Elasticsearch Serverless"
	}
	return fmt.Sprintf("Elasticsearch %d.%d", s.major, s.minor)
}

// hasDataStreams reports whether the default index can be a data stream. An unknown
// server is assumed to be new. Elasticsearch 7 has no data streams unless its build
// flavor is "default": the open source build of 7.10.2 reports "oss" or "unknown".
func (s server) hasDataStreams() bool {
	return !s.known || s.openSearch || s.serverless || s.atLeast(8, 0) || s.atLeast(7, 9) && s.basic
}

// detect returns the product and version of the servers. It returns a clustersError if
// the nodes belong to several clusters: they would share the lines.
func (c *client) detect(ctx context.Context) (server, error) {
	resp, err := c.sendJSON(ctx, http.MethodGet, "/", "")
	switch {
	case err != nil:
		return server{}, err
	case resp.status != http.StatusOK:
		return server{}, resp.serverError()
	}
	found, err := parseServer(resp)
	if err != nil {
		return server{}, err
	}
	c.nodes.detected(resp.node, found.uuid)
	return found, c.checkCluster(ctx)
}

func parseServer(resp *response) (server, error) {
	var root struct {
		Tagline string `json:"tagline"`
		UUID    string `json:"cluster_uuid"`
		Version struct {
			Number       string `json:"number"`
			Distribution string `json:"distribution"`
			Flavor       string `json:"build_flavor"`
		} `json:"version"`
	}
	if err := json.Unmarshal(resp.body, &root); err != nil {
		return server{}, fmt.Errorf("%s does not look like Elasticsearch: %w", resp.node.url.Host, errResponse)
	}
	s := server{known: true, basic: root.Version.Flavor == "default", serverless: root.Version.Flavor == "serverless"}
	s.openSearch = root.Version.Distribution == "opensearch" || strings.HasPrefix(root.Tagline, "The OpenSearch Project")
	if !s.openSearch && root.Tagline != "You Know, for Search" && resp.header.Get("X-Elastic-Product") != "Elasticsearch" {
		return server{}, fmt.Errorf("%s is neither Elasticsearch nor OpenSearch", resp.node.url.Host)
	}
	if root.UUID != "_na_" { // the nodes have not formed a cluster yet
		s.uuid = root.UUID
	}
	numbers := strings.SplitN(root.Version.Number, ".", 3)
	if len(numbers) < 2 {
		return server{uuid: s.uuid}, nil
	}
	s.major, _ = strconv.Atoi(numbers[0])
	s.minor, _ = strconv.Atoi(numbers[1])
	return s, nil
}

// target is the index or data stream that documents are sent to.
type target struct {
	index string // empty: one index per day
	// stream holds the parts of index if that has the name of a data stream; see
	// parseDataStream.
	stream *dataStream
	own    bool // the index is the default, not one that a user named
}

const (
	dailyPrefix  = "ktail-"
	ownStream    = "logs-ktail-default"
	dailyPattern = dailyPrefix + "*"
)

// newTarget returns the target for the name. If the name is empty, the target depends
// on the server.
func newTarget(name string, s server) target {
	switch {
	case name != "":
		return target{index: name, stream: parseDataStream(name)}
	case s.hasDataStreams():
		return target{index: ownStream, stream: parseDataStream(ownStream), own: true}
	}
	return target{own: true}
}

// daily reports whether the index depends on the day of the line.
func (t target) daily() bool { return t.index == "" }

// name returns the index for lines of the day, which has the form 2006-01-02.
func (t target) name(day string) string {
	if t.daily() {
		return dailyPrefix + strings.ReplaceAll(day, "-", ".")
	}
	return t.index
}

// bulkPath returns the path of a bulk request for lines of the day.
func (t target) bulkPath(s server, day, pipeline string) string {
	path := "/" + url.PathEscape(t.name(day))
	if s.known && !s.openSearch && s.major < 7 {
		path += "/_doc" // the type, which 6.x requires
	}
	filter := indexFilterPath
	if t.daily() {
		filter = filterPath
	}
	path += "/_bulk?timeout=" + strconv.Itoa(int(bulkTimeout.Seconds())) + "s&filter_path=" + filter
	if pipeline != "" {
		path += "&pipeline=" + url.QueryEscape(pipeline)
	}
	if t.own && !t.daily() && s.known && !s.openSearch && !s.serverless && s.atLeast(8, 14) {
		path += "&require_data_stream=true" // fail instead of creating a plain index
	}
	return path
}
