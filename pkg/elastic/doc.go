// Package elastic delivers lines to Elasticsearch or OpenSearch, each once.
//
//	document.go, escape.go  a line as a JSON document, encoded by hand
//	identity.go             its id and its place in its stream
//	datastream.go           the fields that depend on where it goes
//	bulk.go                 documents packed for one request
//	client.go, detect.go, template.go
//	                        the servers: requests, what they are, what they need
//	link.go, health.go      how the senders get on with them
//	answer.go, verdict.go   what a server says of each document
//	sender.go, settle.go    a bulk sent until each of its documents is settled
//	spooled.go, internal/spool
//	                        bulks on disk while the server is away
//	queue.go, order.go      bulks on their way from Write to the senders
//	safe.go, deadletter.go, resend.go
//	                        documents that are refused
//	sink.go, event.go       the Sink, and what it tells
//
// # What once means
//
// A document is delivered when its own item of a bulk answer says so. Whenever
// that is not known, because an answer is late, cut or makes no sense, it is
// sent again. That it is not there twice then is the work of its _id: documents
// are only ever created, and a second one of the same id is refused by the
// server (409), which is as good a proof of delivery as a success.
//
// The ID is built from what identifies the line permanently: the key of its stream
// (pod UID and container, so that it is the same wherever ktail runs), its time, its
// text, and its occurrence number among the lines with that time and text. Only the
// occurrence number is not in the line. It has to be the same whoever counts it:
//
//   - Within a run the engine delivers the lines of a stream in the order of the
//     log, without holes or duplicates. So counting is right, whatever the times do,
//     among the lines delivered last; see identity.
//   - Two runs that overlap (--since) begin at different lines. The server selects
//     lines by their times, and all lines with the same ID but for the number have the
//     same time: a run sees all of them or none, and counts them alike. A filter keeps
//     all of them or none, too.
//   - A run that is resumed does not see the lines delivered before. Its position
//     has their digests, and the count continues from there; see Options.Resumed. The
//     position ends where delivery was acknowledged: what was sent but not
//     acknowledged is read again, and gets the same number again.
//   - A log may begin in the middle of such lines: --tail counts lines, and a rotated
//     file begins anywhere. Then the last k of m lines get the numbers 1 to k. A run
//     that sees all m finds k of them indexed and adds the others; they are equal, so
//     it does not matter which. Only if one run sees nothing but the first of them and
//     another nothing but the last, because the log was rotated in between, do they
//     count as the same line. --resume does not have this problem.
//
// The one window in which a double can arise is the server's: ids are unique in
// an index. When a data stream rolls over, or a daily index changes its name,
// between a try and the next of the same document, the second does not meet
// the first. Daily indices are therefore named for the day of the line.
package elastic
