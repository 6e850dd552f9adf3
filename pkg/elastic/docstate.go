package elastic

import "time"

const (
	// failingFor is how long a document that the server fails to process is sent again
	// unchanged, and then again in its minimal form, before it becomes a dead letter.
	failingFor = 2 * time.Minute
	// crowdedFor is the same if there are so many such documents that they delay others.
	crowdedFor = 30 * time.Second
	// failingTimes is the minimum number of tries within this time.
	failingTimes = 3
)

// docState is the state of a document that was not accepted at once.
type docState struct {
	rejection   item      // first rejection of the unchanged document
	minimal     bool      // the document is sent in its minimal form
	truncations int       // how often the message was halved
	tries       int       // failures of the server to process this form
	first       time.Time // time of the first failure
	since       time.Time // time of the first failure of this form
	large       int       // consecutive 413 responses
}

// apply returns the document in the form that is to be sent. It does not change pair. A
// nil state returns pair.
func (h *docState) apply(pair []byte) []byte {
	if h == nil {
		return pair
	}
	if h.minimal {
		pair = minimalDocument(pair, h.rejection.reason())
	}
	for range h.truncations {
		pair = truncateMessage(pair)
	}
	return pair
}

// fail counts a failure of the server. It returns true if it has failed for that long, and
// often enough, to give up this form.
func (h *docState) fail(giveUpAfter time.Duration) bool {
	if h.tries++; h.tries == 1 {
		h.since = time.Now()
	}
	if h.first.IsZero() {
		h.first = h.since
	}
	return h.tries >= failingTimes && time.Since(h.since) >= giveUpAfter
}

// next returns the state with the form to try after this response, or nil if there is
// none.
func (h *docState) next(v verdict, reply *item, pair []byte) *docState {
	next := docState{rejection: *reply}
	if h != nil {
		next = *h
		if h.rejection.status == 0 {
			next.rejection = *reply
		}
	}
	switch {
	case v == tooLarge:
		next.truncations++
	case !next.minimal && next.truncations == 0:
		next.minimal = true
	default:
		return nil
	}
	next.tries, next.large = 0, 0
	if next.apply(pair) == nil {
		return nil
	}
	return &next
}
