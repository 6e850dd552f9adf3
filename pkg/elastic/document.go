package elastic

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// ecsVersion is the version of the Elastic Common Schema that the fields follow.
const ecsVersion = "8.11.0"

// encoder encodes lines as pairs of an action and a document. It encodes the constant
// fields of a stream only once. It must not be used concurrently.
//
// Only the end of a document depends on the target, and it can be changed later; see
// dataStream.convertTo. The index is in the path of the request. So encoded documents
// can be sent to any server.
type encoder struct {
	agent      string  // version of ktail
	fields     []Field // constant fields of all documents
	dataStream *dataStream
	resumed    func(ktail.Key) ktail.Position // see Options.Resumed; may be nil

	last       *ktail.Stream // stream of the last line: lines often come in runs of one stream
	lastState  *streamState
	streams    map[*ktail.Stream]*streamState
	size       int // approximate bytes in streams
	identities map[ktail.Key]*identity
	limits     limits // limits of each identity
	pruneAt    int    // number of identities at which unused ones are removed
	trimmed    time.Time

	times   timeFormatter
	created timeFormatter // for event.created, which is usually in another second than the line
}

// streamState is what the encoder keeps for a stream.
type streamState struct {
	key      ktail.Key
	identity *identity
	constant []byte // bytes after the message, including the end of the document
}

const (
	// maxConstants limits the memory for constant fields, in bytes. Beyond it, all
	// streams are encoded again, because the sink does not learn which streams have
	// ended.
	maxConstants = 4 << 20
	streamCost   = 512 // approximate fixed size of an entry

	// identityAge is how long an unused identity is kept, if there are many.
	identityAge = 10 * time.Minute
	// identityIdle is how long an unused identity keeps all of its lines. Most streams
	// that are silent for longer have ended, which the sink does not learn.
	identityIdle = time.Minute
)

// setDataStream makes later documents belong to that data stream, or to an index if d
// is nil.
func (e *encoder) setDataStream(d *dataStream) {
	e.dataStream = d
	e.last, e.lastState = nil, nil
	clear(e.streams)
	e.size = 0
}

// state returns the state of the stream, and creates it if necessary.
func (e *encoder) state(s *ktail.Stream, now time.Time) *streamState {
	if s == e.last {
		return e.lastState
	}
	if e.last != nil {
		e.lastState.identity.used = now
	}
	st := e.streams[s]
	if st == nil {
		st = &streamState{key: s.Key(), constant: e.appendConstant(nil, s)}
		st.identity = e.identity(st.key, now)
		if e.size += streamCost + len(st.constant); e.streams == nil || e.size > maxConstants {
			e.streams, e.size = map[*ktail.Stream]*streamState{}, streamCost+len(st.constant)
		}
		e.streams[s] = st
	}
	st.identity.used = now
	e.last, e.lastState = s, st
	return st
}

// identity returns the identity for the key, which all instances of a container share.
func (e *encoder) identity(key ktail.Key, now time.Time) *identity {
	if d := e.identities[key]; d != nil {
		return d
	}
	if e.pruneAt = max(e.pruneAt, 1024); len(e.identities) >= e.pruneAt {
		maps.DeleteFunc(e.identities, func(_ ktail.Key, d *identity) bool { return now.Sub(d.used) > identityAge })
		clear(e.streams) // entries point to removed identities
		e.pruneAt, e.size = 2*len(e.identities), 0
	}
	if e.identities == nil {
		e.identities = map[ktail.Key]*identity{}
	}
	if now.Sub(e.trimmed) > identityIdle {
		e.trimmed = now
		for _, d := range e.identities {
			if now.Sub(d.used) > identityIdle {
				d.trim()
			}
		}
	}
	var resumed ktail.Position
	if e.resumed != nil {
		resumed = e.resumed(key)
	}
	d := newIdentity(key, &resumed, &e.limits)
	e.identities[key] = d
	e.limits = newLimits(len(e.identities))
	return d
}

// append appends the action and the document of the line. now is the time at which it
// was read.
func (e *encoder) append(dst []byte, l *ktail.Line, now time.Time) []byte {
	st := e.state(l.Stream, now)
	m := l.Mark()
	stream := st.identity.hash
	if l.Kind == ktail.Gap {
		// A gap is not a line of the log, so its ID must differ from those of all
		// lines.
		m.Digest += uint64(l.Since)*0x9e3779b97f4a7c15 + 1
		stream = ^stream
	}
	if l.Kind == ktail.KubeEvent {
		m, stream = eventMark(l.Event), ^stream
	}
	n, sequence := 1, st.identity.sequence
	if l.Kind == ktail.Log {
		n = st.identity.next(m)
		sequence = st.identity.nextSequence(l.Time)
	}
	dst = append(dst, createAction...)
	dst = appendID(dst, m, stream, n)
	dst = append(dst, actionEnd+documentStart...)
	dst = e.times.append(dst, documentTime(l, now))
	if l.Kind == ktail.KubeEvent {
		// Without a sequence: history has the lines of logs only.
		dst = append(dst, `","event":{"kind":"event","dataset":"`+eventDataset+`","created":"`...)
	} else {
		dst = append(dst, `","event":{"sequence":`...)
		dst = strconv.AppendInt(dst, sequence, 10)
		dst = append(dst, `,"kind":"event","dataset":"`+dataset+`","created":"`...)
	}
	dst = e.created.append(dst, now.UnixNano())
	dst = append(dst, '"')
	switch l.Kind {
	case ktail.Gap:
		dst = e.appendGap(dst, l)
	case ktail.KubeEvent:
		dst = appendEvent(dst, l)
	default:
		dst = append(dst, `},"message":"`...)
		dst = text.AppendEscaped(dst, l.Text)
		dst = append(dst, '"')
	}
	return append(appendLog(dst, l), st.constant...)
}

const (
	// documentStart begins each document. The time of the line follows, starting with
	// its day.
	documentStart = `{"@timestamp":"`
	dataset       = "ktail"
	flagTruncated = `,"log":{"flags":["truncated"]}`
)

// appendLog appends the object "log" with the level that the text contains and a flag
// for a truncated text. It appends nothing if there is neither.
func appendLog(dst []byte, l *ktail.Line) []byte {
	level := text.NoLevel
	switch {
	case l.Kind == ktail.Log:
		level, _, _ = text.FindLevel(l.Text)
	case l.Kind == ktail.KubeEvent && l.Event.IsWarning():
		level = text.Warn
	case l.Kind == ktail.KubeEvent:
		level = text.Info
	}
	switch {
	case level == text.NoLevel && !l.Cut:
		return dst
	case level == text.NoLevel:
		return append(dst, flagTruncated...)
	}
	dst = append(dst, `,"log":{"level":"`...)
	dst = append(append(dst, level.String()...), '"')
	if l.Cut {
		dst = append(dst, `,"flags":["truncated"]`...)
	}
	return append(dst, '}')
}

// documentTime returns the time of the document for a line, in Unix nanoseconds. A gap
// without a known end has the time of its start, or the current time.
func documentTime(l *ktail.Line, now time.Time) int64 {
	switch {
	case l.Kind == ktail.KubeEvent && l.Event.At != 0:
		return l.Event.At // Time is its place among the lines
	case l.Kind != ktail.Gap || l.Time != 0:
		return l.Time
	case l.Since != 0:
		return l.Since
	}
	return now.UnixNano()
}

// appendGap appends the fields of a gap: the rest of the object "event", and the
// message.
func (e *encoder) appendGap(dst []byte, l *ktail.Line) []byte {
	message := "lines may be missing"
	dst = append(dst, `,"action":"gap","outcome":"failure"`...)
	if l.Since != 0 {
		dst = append(e.times.append(append(dst, `,"start":"`...), l.Since), '"')
		message = "lines since " + time.Unix(0, l.Since).UTC().Format(time.RFC3339Nano) + " may be missing"
	}
	if l.Time != 0 {
		dst = append(e.times.append(append(dst, `,"end":"`...), l.Time), '"')
	}
	dst = appendQuoted(append(dst, `,"reason":`...), l.Text)
	if len(l.Text) > 0 {
		message += ": " + string(l.Text)
	}
	return appendQuoted(append(dst, `},"message":`...), message)
}

// appendConstant appends the fields of the stream and the end of the document.
func (e *encoder) appendConstant(dst []byte, s *ktail.Stream) []byte {
	o := object{dst: append(dst, ',')}
	if !s.Key().IsZero() || s.Namespace != "" { // lines from stdin may come from anywhere
		o.kubernetes(s)
	}
	o.nested("agent", "type", "ktail", "version", e.agent)
	o.nested("ecs", "version", ecsVersion)
	for _, f := range e.fields {
		o.add(f.Name, f.Value)
	}
	return e.dataStream.appendEnd(o.dst)
}

// kubernetes adds the Kubernetes metadata of the stream.
func (o *object) kubernetes(s *ktail.Stream) {
	if s.IsNode() {
		o.node(s)
		return
	}
	o.open("kubernetes")
	o.add("namespace", s.Namespace)
	o.nested("pod", "name", s.Pod, "uid", s.PodUID)
	o.nested("container", "name", s.Container)
	o.nested("node", "name", s.Node)
	if kind, ok := ownerFields[s.Owner.Kind]; ok {
		o.nested(kind, "name", s.Owner.Name)
	} else {
		o.nested("owner", "kind", s.Owner.Kind, "name", s.Owner.Name)
	}
	o.labels(s.Labels)
	o.end()
	runtime, id, ok := strings.Cut(s.Instance.ID, "://")
	if !ok {
		runtime, id = "", s.Instance.ID
	}
	if id != "" || s.Image != "" {
		o.open("container")
		o.add("id", id)
		o.add("runtime", runtime)
		o.nested("image", "name", s.Image)
		o.end()
	}
	o.open("orchestrator")
	o.add("type", "kubernetes")
	o.nested("cluster", "name", s.Cluster)
	o.end()
	o.nested("host", "name", s.Node)
}

// node adds the metadata of a system component on a node.
func (o *object) node(s *ktail.Stream) {
	o.open("kubernetes")
	o.nested("node", "name", s.Node)
	o.end()
	o.nested("service", "name", s.Container)
	o.open("orchestrator")
	o.add("type", "kubernetes")
	o.nested("cluster", "name", s.Cluster)
	o.end()
	o.nested("host", "name", s.Node)
}

// ownerFields maps the kind of a pod's owner to its field. Other kinds share the field
// owner, which other programs do not write.
var ownerFields = map[string]string{
	"Deployment": "deployment", "ReplicaSet": "replicaset", "StatefulSet": "statefulset",
	"DaemonSet": "daemonset", "Job": "job", "CronJob": "cronjob",
}

// timeFormatter formats times. It is fast for times in the same second as the previous one.
type timeFormatter struct {
	second int64
	text   [len("2006-01-02T15:04:05.")]byte
}

// append appends the time, in Unix nanoseconds, with all nine digits.
func (c *timeFormatter) append(dst []byte, ns int64) []byte {
	sec, frac := ns/int64(time.Second), ns%int64(time.Second)
	if frac < 0 {
		sec, frac = sec-1, frac+int64(time.Second)
	}
	if sec != c.second || c.text[0] == 0 {
		c.second = sec
		time.Unix(sec, 0).UTC().AppendFormat(c.text[:0], "2006-01-02T15:04:05.")
	}
	dst = append(dst, c.text[:]...)
	var digits [10]byte
	for i := 8; i >= 0; i-- {
		digits[i] = byte('0' + frac%10)
		frac /= 10
	}
	digits[9] = 'Z'
	return append(dst, digits[:]...)
}
