// Package elastic delivers lines to Elasticsearch or OpenSearch, each once.
//
// A Sink encodes each line as a document, packs documents into bulk requests, and
// queues them in memory or, while the server is unreachable, in a spool on disk.
// Senders send each bulk request to a node of the cluster until all of its
// documents are settled. A verdict says what the response means for a document:
// delivered, to be sent again, blocked by a problem of the index or the cluster, or
// rejected. A rejected document of a line is sent once more in a minimal form. If that is
// rejected as well, or if the document is of a Kubernetes event, it becomes a dead letter,
// which Resend can send later. The Sink acknowledges lines in their order and reports
// what happens as Events. History reads documents back as lines.
//
// # Exactly once
//
// A document is delivered when its own item of a bulk response says so. If the
// result is unknown because a response is late, truncated or invalid, the document
// is sent again. This does not create a duplicate: documents are only created, never
// overwritten, and the server rejects a second document with the same ID (409),
// which proves delivery as well as a success does.
//
// The ID is built from what identifies the line permanently: the key of its stream
// (pod UID and container, so that it is the same wherever ktail runs), its time, its
// text, and its occurrence number among the lines with that time and text. The
// occurrence number is the only part that is not in the line itself, so every run must
// compute the same number:
//
//   - Within a run the engine delivers the lines of a stream in the order of the
//     log, without gaps or duplicates. So it is correct to count among the lines
//     delivered last, whatever their timestamps are; see identity.
//   - Two runs that overlap (--since) start at different lines. The API server selects
//     lines by time, and lines whose IDs differ only in the number have the same time.
//     So a run reads either all of them or none, and counts them alike. A filter also
//     keeps either all of them or none.
//   - A run that is resumed does not see the lines delivered before. Its position
//     has their digests, and the count continues from there; see Options.Resumed. The
//     position ends where delivery was acknowledged. Lines that were sent but not
//     acknowledged are read again and get the same number again.
//   - A log may start in the middle of such lines: --tail counts lines, and a rotated
//     file starts anywhere. Then the last k of m lines get the numbers 1 to k. A run
//     that sees all m finds k of them indexed and adds the others; they are equal, so
//     it does not matter which. If the log is rotated, and one run reads only the first
//     of them while another run reads only the last, the two count as the same line.
//     --resume does not have this problem.
//
// IDs are unique in one index only. Daily indices are therefore named after the day of
// the line. If the target is a data stream or an alias, which can be rolled over between
// two attempts to send a document, ktail looks up the ID in the older indices; see
// dedupe.go. A duplicate is possible only if the clock of a node is more than
// clockTolerance ahead of the server's, or if ktail has no permission to read the index.
package elastic
