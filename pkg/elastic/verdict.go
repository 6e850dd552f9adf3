package elastic

import (
	"net/http"
	"slices"
	"strings"
)

// verdict is what a response means for a document, or for all documents of a request.
type verdict uint8

const (
	delivered verdict = iota // the document is in the index
	present                  // the document was already in the index
	retry                    // the node, shard or queue is busy: send it again soon
	blocked                  // an index, pipeline or permission is missing: report it, send it again later
	failing                  // the server failed to process the document, which may be the cause
	tooLarge                 // split the request, or truncate the message
	malformed                // the server cannot parse the request: split it to find the document
	doubtful                 // unknown error: the document is the cause only if others are accepted
	rejected                 // the document is the cause: send its minimal form, then save it as a dead letter
)

// versionConflict is the error type for a document that is already indexed. Other
// errors with status 409 do not mean that.
const versionConflict = "version_conflict_engine_exception"

// scope is what a response is about.
type scope uint8

const (
	ofItem    scope = 1 << iota // one document of a bulk
	ofRequest                   // a request as a whole
)

// A rule maps a response to a verdict. Empty conditions match everything.
type rule struct {
	scope   scope
	from    int      // lowest HTTP status
	to      int      // highest HTTP status
	types   []string // exact error types
	reasons []string // prefixes of the error's reason
	verdict verdict
}

func (r *rule) matches(s scope, it *item) bool {
	return r.scope&s != 0 && r.from <= int(it.status) && int(it.status) <= r.to &&
		(r.types == nil || slices.Contains(r.types, it.kind())) &&
		(r.reasons == nil || slices.ContainsFunc(r.reasons, func(part string) bool { return strings.HasPrefix(it.reason(), part) }))
}

const (
	anywhere  = ofItem | ofRequest
	anyStatus = 599
)

// shardErrors are temporary errors of nodes, shards and the master.
var shardErrors = []string{
	"unavailable_shards_exception", "no_shard_available_action_exception", "primary_missing_action_exception",
	"process_cluster_event_timeout_exception", "timeout_exception", "receive_timeout_transport_exception",
	"node_closed_exception", "node_not_connected_exception", "node_disconnected_exception", "connect_transport_exception",
	"master_not_discovered_exception", "cluster_manager_not_discovered_exception", "not_master_exception", "not_cluster_manager_exception",
	"es_rejected_execution_exception", "open_search_rejected_execution_exception", "opensearch_rejected_execution_exception", "rejected_execution_exception",
	"circuit_breaking_exception", "already_closed_exception", "engine_closed_exception",
	"index_shard_closed_exception", "illegal_index_shard_state_exception", "index_shard_not_started_exception", "shard_not_in_primary_mode_exception",
	"retry_on_primary_exception", "retry_on_replica_exception", "no_longer_primary_shard_exception", "task_cancelled_exception",
	"mapper_exception", // the master did not update the mapping in time
	"i_o_exception", "file_system_exception", "translog_exception", "out_of_memory_error", "snapshot_in_progress_exception",
}

// indexErrors are errors of an index, alias, data stream, pipeline or the cluster. The
// document is not their cause.
var indexErrors = []string{
	"index_not_found_exception", "index_closed_exception", "invalid_index_name_exception", "invalid_alias_name_exception",
	"resource_not_found_exception", "resource_already_exists_exception", "validation_exception", "action_request_validation_exception",
	"invalid_index_template_exception", "index_template_missing_exception", "index_creation_exception", "type_missing_exception",
	"security_exception", "status_exception", "invalid_type_name_exception", "unsupported_operation_exception",
	"cluster_block_exception", "shard_not_found_exception", "index_primary_shard_not_allocated_exception", "routing_missing_exception",
}

// indexReasons are prefixes of the reason of an illegal_argument_exception about an
// index, alias, data stream or pipeline. The servers use the same type for errors of
// documents. A reason may quote a log line, but not at its beginning.
var indexReasons = []string{
	"pipeline with id [",       // Elasticsearch, OpenSearch: the pipeline does not exist
	"pipeline [",               // Elasticsearch 8: the same
	"no write index is",        // an alias of several indices
	"Alias [",                  // the same on 6.x: the alias has more than one index
	"number of documents in",   // Lucene's limit of 2^31 documents in a shard
	"Number of documents in",   // the same, Elasticsearch 8
	"only write ops with",      // operations other than create in a data stream
	"Validation Failed: ",      // too many shards in the cluster, or an incomplete request
	"Rejecting mapping update", // an index of 6.x whose type is not _doc
	"index template [",         // a template that cannot be applied
	"composable template [",    // the same
	"no matching index templ",  // a data stream without a template
	"request [",                // an unknown parameter of the request
	"Action/metadata line [",   // an unknown parameter of an action, such as _type
	"unknown setting [",        // a template for another version
	"Cannot write to a read-o", // searchable snapshots
	"cannot write to ",         // the same
}

// documentErrors are errors that the document causes.
var documentErrors = []string{
	"mapper_parsing_exception", "document_parsing_exception", "strict_dynamic_mapping_exception", "illegal_argument_exception",
	"parse_exception", "parsing_exception", "x_content_parse_exception", "json_parse_exception", "json_e_o_f_exception", "script_exception",
	"number_format_exception", "date_time_parse_exception", "max_bytes_length_exceeded_exception", "ingest_processor_exception", "fail_processor_exception",
	"not_x_content_exception", "input_coercion_exception", "invalid_ip_address_exception", "elasticsearch_parse_exception", "open_search_parse_exception", "opensearch_parse_exception",
}

// rules is the only place that decides what a response means. The first matching rule
// wins. The recorded responses in internal/fakesearch/testdata show the differences
// between the four servers.
var rules = []rule{
	{ofItem, 200, 299, nil, nil, delivered},
	{ofItem, 409, 409, []string{"", versionConflict}, nil, present},
	{anywhere, 409, 409, nil, nil, retry},
	{anywhere, 413, 413, nil, nil, tooLarge},

	// Blocks of the index or the cluster: the disk is too full, there is no master, or
	// the index is read-only. The status is 403 before Elasticsearch 7.9, even if the
	// server lifts the block by itself.
	{anywhere, 400, anyStatus, []string{"cluster_block_exception"}, nil, retry},
	{anywhere, 429, 429, nil, nil, retry},
	{anywhere, 500, anyStatus, shardErrors, nil, retry},
	{anywhere, 500, anyStatus, indexErrors, nil, blocked},
	{ofItem, 500, 500, nil, nil, failing}, // Elasticsearch 6 and 7: an ingest processor failed
	{ofItem, 501, anyStatus, nil, nil, retry},
	{ofRequest, 500, anyStatus, []string{"json_parse_exception", "parse_exception", "x_content_parse_exception"}, nil, malformed}, // 6.x
	{ofRequest, 500, anyStatus, nil, nil, retry},

	{anywhere, 401, 401, nil, nil, blocked},
	{anywhere, 403, 405, nil, nil, blocked},
	{anywhere, 300, 399, nil, nil, blocked},
	{ofRequest, 408, 408, nil, nil, retry},
	{anywhere, 400, 499, indexErrors, nil, blocked},
	{anywhere, 400, 499, []string{"mapper_parsing_exception"}, []string{"Failed to parse mapping"}, blocked}, // invalid mapping of a template when the index is created
	{anywhere, 400, 499, []string{"", "illegal_argument_exception", "illegal_state_exception"}, indexReasons, blocked},
	{ofRequest, 400, 400, nil, nil, malformed},
	{ofRequest, 400, 499, nil, nil, blocked},
	{ofItem, 400, 499, shardErrors, nil, retry},
	{ofItem, 400, 499, documentErrors, nil, rejected},
	{ofItem, 400, 499, nil, nil, doubtful},
}

// judge returns what a response about a document, or about a request, means.
func judge(s scope, it *item) verdict {
	if s == ofItem && it.status == http.StatusCreated {
		return delivered // fast path of the most frequent result
	}
	for i := range rules {
		if rules[i].matches(s, it) {
			return rules[i].verdict
		}
	}
	return retry
}
