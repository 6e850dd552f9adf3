package elastic

import (
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/ktail/ktail/pkg/elastic/internal/spool"
	"github.com/ktail/ktail/pkg/ktail"
)

// Options configure a Sink. Only Nodes is required.
type Options struct {
	Nodes []*url.URL // addresses of the nodes of one cluster
	// Credentials, if set, returns the current credentials. The Sink calls it at the
	// start, every minute, and when the servers reject the previous credentials.
	Credentials func() (Credentials, error)
	// Transport, if set, is used whatever Credentials say about TLS. The default is
	// NewTransport.
	Transport http.RoundTripper
	Index     string // index, alias, or data stream; empty: depends on the server, see newTarget
	Pipeline  string // ingest pipeline; empty: none
	Fields    []Field
	Version   string // version of ktail

	// Dir is the directory for data that outlives the run; empty: none. Only one
	// process at a time may use it; see LockDir.
	Dir string
	// SpoolSize is the maximum size of the spool in Dir, in bytes. The spool stores
	// documents while the servers are unreachable. 0 means no spool.
	SpoolSize int64
	// DropOldest makes a full buffer drop its oldest documents. By default, Write
	// waits for room.
	DropOldest bool
	// DeadLetters is the path of the file for documents that the servers reject
	// permanently, one DeadLetter per line. If it is empty, they are lost.
	DeadLetters string
	// DeadLettersSize is the maximum size, in bytes, of that file and its predecessor
	// with the suffix .1 together; 0 means no limit. When both are full, the older
	// file is deleted and LettersDropped is reported.
	DeadLettersSize int64

	// CheckCluster, if set, is called with the UUID of the cluster after each
	// connection; the UUID is empty if the servers do not report one. If it returns
	// an error, the Sink sends nothing and reports the error as Blocked.
	CheckCluster func(uuid string) error
	// ShutdownTimeout limits how long Write and Close take after the context of Run
	// has ended. Remaining documents go to the spool, at once if the servers are
	// unreachable. 0 means no limit as long as documents are being delivered.
	ShutdownTimeout time.Duration

	// Resumed, if set, returns the position from which the stream was resumed.
	Resumed func(ktail.Key) ktail.Position
	// Settled, if set, is called with the number of lines that can no longer be
	// lost: delivered, on disk, or dropped. The calls follow the order of the lines.
	Settled func(key ktail.Key, lines int)
	// OnEvent, if set, receives events for the user. It must not block.
	OnEvent func(Event)

	fs        spool.FS // file system of Dir and DeadLetters; nil: spool.OS
	queueSize int      // 0: queueSize
}

// ErrLocked is the error of LockDir if another process uses the directory.
var ErrLocked = spool.ErrLocked

// LockDir reserves the directory of Options.Dir, which must exist, for this process.
// The lock ends when the closer is closed or the process exits for any reason.
func LockDir(dir string) (io.Closer, error) { return spool.Lock(dir) }
