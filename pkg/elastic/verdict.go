package elastic

import (
	"net/http"
	"strings"
)

// verdict is what becomes of a document.
type verdict uint8

const (
	delivered verdict = iota // it is there
	present                  // it was there before: as good
	retry                    // send it again, after a while
	blocked                  // send it again, much later: somebody has to do something first
	tooLarge                 // it is too large for the server
	rejected                 // the server will never take it as it is
)

// versionConflict is the error of a document that is there already. The others
// of its status say nothing about that.
const versionConflict = "version_conflict_engine_exception"

// judge returns what becomes of a document of which the server said that.
func judge(it *item) verdict {
	switch {
	case it.status >= http.StatusOK && it.status < http.StatusMultipleChoices:
		return delivered
	case it.status == http.StatusConflict && (it.kind == "" || it.kind == versionConflict):
		return present
	case it.status == http.StatusConflict: // with whatever else
		return retry
	case it.status == http.StatusTooManyRequests, it.status >= http.StatusInternalServerError:
		return retry
	case it.kind == "cluster_block_exception": // 403 before Elasticsearch 7.9, when the disk is full
		return retry
	case it.status == http.StatusUnauthorized, it.status == http.StatusForbidden, it.status == http.StatusNotFound:
		return blocked
	case strings.HasPrefix(it.reason, "pipeline with id ["): // … does not exist: 400
		return blocked
	case it.status == http.StatusRequestEntityTooLarge:
		return tooLarge
	}
	return rejected
}
