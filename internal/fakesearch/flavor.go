package fakesearch

import (
	"net/http"
)

// Flavor is a product and version, and what it does differently from others.
type Flavor struct {
	Number       string // the version
	Distribution string // "opensearch", or empty
	BuildFlavor  string // "default", "oss", "serverless"
	Tagline      string
	// ProductHeader adds X-Elastic-Product to each answer.
	ProductHeader bool

	Types typesPolicy
	// IndexTemplates are the composable ones, _index_template.
	IndexTemplates bool
	DataStreams    bool
	// LogsTemplate is the template for logs-*-* that is there from the start.
	LogsTemplate bool
	// RequireDataStream knows the parameter of that name.
	RequireDataStream bool
	// FailureStore keeps documents of a data stream that its mapping refuses,
	// and calls them created.
	FailureStore bool
	// BlockStatus is the status of an item for an index with a read-only block.
	BlockStatus int
	// MappingError is the type of the error of a document that does not fit.
	MappingError string
}

// typesPolicy is what a server thinks of the _type of an action.
type typesPolicy int

const (
	typesAllowed  typesPolicy = iota
	typesRequired             // in version 6
	typesRefused
)

const (
	taglineElasticsearch = "You Know, for Search"
	taglineOpenSearch    = "The OpenSearch Project: https://opensearch.org/"
)

// The servers that a client may meet.
var (
	Elasticsearch64 = Flavor{Number: "6.4.0", BuildFlavor: "default", Tagline: taglineElasticsearch, Types: typesRequired,
		BlockStatus: http.StatusForbidden, MappingError: "mapper_parsing_exception"}
	// Elasticsearch710 is the build without X-Pack.
	Elasticsearch710 = Flavor{Number: "7.10.2", BuildFlavor: "oss", Tagline: taglineElasticsearch, IndexTemplates: true,
		BlockStatus: http.StatusTooManyRequests, MappingError: "mapper_parsing_exception"}
	// Elasticsearch8 is the last of its line, which has a failure store.
	Elasticsearch8 = elasticsearch("8.19.4", "default")
	Elasticsearch9 = elasticsearch("9.1.4", "default")
	// Serverless calls itself 8.11, whatever it is.
	Serverless = elasticsearch("8.11.0", "serverless")

	OpenSearch1 = openSearch("1.3.20", typesAllowed)
	// OpenSearch1Compatible has compatibility.override_main_response_version.
	OpenSearch1Compatible = openSearch("7.10.2", typesAllowed)
	OpenSearch2           = openSearch("2.19.1", typesRefused)
	OpenSearch3           = openSearch("3.8.0", typesRefused)
)

func elasticsearch(number, build string) Flavor {
	return Flavor{Number: number, BuildFlavor: build, Tagline: taglineElasticsearch, ProductHeader: true, Types: typesRefused,
		IndexTemplates: true, DataStreams: true, LogsTemplate: true, RequireDataStream: true, FailureStore: true,
		BlockStatus: http.StatusTooManyRequests, MappingError: "document_parsing_exception"}
}

func openSearch(number string, types typesPolicy) Flavor {
	return Flavor{Number: number, Distribution: "opensearch", Tagline: taglineOpenSearch, Types: types,
		IndexTemplates: true, DataStreams: true,
		BlockStatus: http.StatusTooManyRequests, MappingError: "mapper_parsing_exception"}
}

func (f *Flavor) serverless() bool { return f.BuildFlavor == "serverless" }

// info is the answer to GET /.
func (f *Flavor) info() any {
	version := map[string]any{"number": f.Number, "build_type": "docker", "build_snapshot": false}
	if f.Distribution != "" {
		version["distribution"] = f.Distribution
	}
	if f.BuildFlavor != "" {
		version["build_flavor"] = f.BuildFlavor
	}
	return map[string]any{"name": "fake", "cluster_name": "fakesearch", "cluster_uuid": "Zm9yIHRlc3RzIG9ubHkhIQ", "version": version, "tagline": f.Tagline}
}
