package fakesearch

import (
	"net/http"
)

// Flavor is a product and version with its differences from others.
type Flavor struct {
	Number       string // the version
	Distribution string // "opensearch", or empty
	BuildFlavor  string // "default", "oss", "serverless"
	Tagline      string
	// ProductHeader adds the header X-Elastic-Product to each response.
	ProductHeader bool

	Types typesPolicy
	// IndexTemplates means that composable templates (_index_template) exist.
	IndexTemplates bool
	DataStreams    bool
	// LogsTemplate means that there is a built-in template for logs-*-*.
	LogsTemplate bool
	// RequireDataStream means that the parameter require_data_stream exists.
	RequireDataStream bool
	// FailureStore means that documents of a data stream that conflict with its mapping
	// are stored in a failure store and reported as created.
	FailureStore bool
	// BlockStatus is the status of an item if the index has a read-only block.
	BlockStatus int
	// MappingError is the error type of a document that conflicts with the mapping.
	MappingError string
}

// typesPolicy is how a server treats the _type of an action.
type typesPolicy int

const (
	typesAllowed  typesPolicy = iota
	typesRequired             // version 6
	typesRejected
)

const (
	taglineElasticsearch = "You Know, for Search"
	taglineOpenSearch    = "The OpenSearch Project: https://opensearch.org/"
)

// Flavors of servers that ktail supports.
var (
	Elasticsearch64 = Flavor{Number: "6.4.0", BuildFlavor: "default", Tagline: taglineElasticsearch, Types: typesRequired,
		BlockStatus: http.StatusForbidden, MappingError: "mapper_parsing_exception"}
	// Elasticsearch710 is the build without X-Pack.
	Elasticsearch710 = Flavor{Number: "7.10.2", BuildFlavor: "oss", Tagline: taglineElasticsearch, IndexTemplates: true,
		BlockStatus: http.StatusTooManyRequests, MappingError: "mapper_parsing_exception"}
	// Elasticsearch8 is the last version 8, which has a failure store.
	Elasticsearch8 = elasticsearch("8.19.4", "default")
	Elasticsearch9 = elasticsearch("9.1.4", "default")
	// Serverless always reports version 8.11.
	Serverless = elasticsearch("8.11.0", "serverless")

	OpenSearch1 = openSearch("1.3.20", typesAllowed)
	// OpenSearch1Compatible has the setting
	// compatibility.override_main_response_version.
	OpenSearch1Compatible = openSearch("7.10.2", typesAllowed)
	OpenSearch2           = openSearch("2.19.1", typesRejected)
	OpenSearch3           = openSearch("3.8.0", typesRejected)
)

func elasticsearch(number, build string) Flavor {
	return Flavor{Number: number, BuildFlavor: build, Tagline: taglineElasticsearch, ProductHeader: true, Types: typesRejected,
		IndexTemplates: true, DataStreams: true, LogsTemplate: true, RequireDataStream: true, FailureStore: true,
		BlockStatus: http.StatusTooManyRequests, MappingError: "document_parsing_exception"}
}

func openSearch(number string, types typesPolicy) Flavor {
	return Flavor{Number: number, Distribution: "opensearch", Tagline: taglineOpenSearch, Types: types,
		IndexTemplates: true, DataStreams: true,
		BlockStatus: http.StatusTooManyRequests, MappingError: "mapper_parsing_exception"}
}

func (f *Flavor) serverless() bool { return f.BuildFlavor == "serverless" }

// info returns the response to GET / of a cluster with this UUID.
func (f *Flavor) info(uuid string) any {
	version := map[string]any{"number": f.Number, "build_type": "docker", "build_snapshot": false}
	if f.Distribution != "" {
		version["distribution"] = f.Distribution
	}
	if f.BuildFlavor != "" {
		version["build_flavor"] = f.BuildFlavor
	}
	return map[string]any{"name": "fake", "cluster_name": "fakesearch", "cluster_uuid": uuid, "version": version, "tagline": f.Tagline}
}
