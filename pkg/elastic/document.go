package elastic

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/text"
)

// ecsVersion is the version of the Elastic Common Schema that the fields follow.
const ecsVersion = "8.11.0"

// A Field is a constant field of every document.
type Field struct {
	Name  string // dotted: labels.env
	Value string
}

// encoder turns lines into the pairs of an action and a document that a bulk
// request is made of. What is the same in all documents of a stream is encoded
// once. It is used by one goroutine.
//
// What of its output depends on the server is the end of a document of a data
// stream, which can be changed later; see dataStream.convertTo. The index is in the
// path of the request. So what was encoded can be sent to whatever server answers.
type encoder struct {
	agent      string  // version of ktail
	fields     []Field // constant ones
	dataStream *dataStream
	resumed    func(ktail.Key) ktail.Position // may be nil

	last       *ktail.Stream // lines often come in runs of one stream
	lastState  *streamState
	streams    map[*ktail.Stream]*streamState
	size       int // of what streams holds, roughly
	identities map[ktail.Key]*identity
	limits     limits // of each identity
	sweep      int    // identities are looked through when there are so many

	clock   clock
	created clock // the same for when lines were read, which is another second
}

// streamState is what the encoder keeps of a stream.
type streamState struct {
	key      ktail.Key
	identity *identity
	constant []byte // everything behind the message, the end of the document included
}

const (
	// maxConstants bounds what is kept of streams, in bytes; they are encoded
	// again when it is exceeded, since the sink does not learn which streams are gone.
	maxConstants = 4 << 20
	streamCost   = 512 // of an entry, apart from what grows with the stream

	// identities that were not used for so long have nothing left to count.
	identityAge = 10 * time.Minute
)

// setDataStream has documents encoded for that data stream from now on, or for an index
// that is none.
func (e *encoder) setDataStream(d *dataStream) {
	e.dataStream = d
	e.last, e.lastState = nil, nil
	clear(e.streams)
	e.size = 0
}

// state returns what is kept of the stream.
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

// identity returns that of the key, which the instances of a container share.
func (e *encoder) identity(key ktail.Key, now time.Time) *identity {
	if d := e.identities[key]; d != nil {
		return d
	}
	if e.sweep = max(e.sweep, 1024); len(e.identities) >= e.sweep {
		maps.DeleteFunc(e.identities, func(_ ktail.Key, d *identity) bool { return now.Sub(d.used) > identityAge })
		clear(e.streams) // they point to identities
		e.sweep, e.size = 2*len(e.identities), 0
	}
	if e.identities == nil {
		e.identities = map[ktail.Key]*identity{}
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

// append appends action and document of the line. now is when it was read.
func (e *encoder) append(dst []byte, l *ktail.Line, now time.Time) []byte {
	st := e.state(l.Stream, now)
	m := l.Mark()
	stream := st.identity.hash
	if l.Kind == ktail.Gap {
		// Not one of the log's own lines: with an id that none of them has.
		m.Digest += uint64(l.Since)*0x9e3779b97f4a7c15 + 1
		stream = ^stream
	}
	n, sequence := 1, st.identity.sequence
	if l.Kind == ktail.Log {
		n = st.identity.next(m)
		sequence = st.identity.nextSequence(l.Time)
	}
	dst = append(dst, createAction...)
	dst = appendID(dst, m, stream, n)
	dst = append(dst, actionEnd+documentStart...)
	dst = e.clock.append(dst, documentTime(l, now))
	dst = append(dst, `","event":{"sequence":`...)
	dst = strconv.AppendInt(dst, sequence, 10)
	dst = append(dst, `,"kind":"event","dataset":"`+dataset+`","created":"`...)
	dst = e.created.append(dst, now.UnixNano())
	dst = append(dst, '"')
	if l.Kind == ktail.Gap {
		dst = e.appendGap(dst, l)
	} else {
		dst = append(dst, `},"message":"`...)
		dst = text.AppendEscaped(dst, l.Text)
		dst = append(dst, '"')
	}
	return append(appendLog(dst, l), st.constant...)
}

const (
	// documentStart is what each document begins with. The time follows, with
	// the day of the line.
	documentStart = `{"@timestamp":"`
	dataset       = "ktail"
	flagTruncated = `,"log":{"flags":["truncated"]}`
)

// appendLog appends the object log of a line, if there is something to say: the level
// that the text names, and whether the text was truncated.
func appendLog(dst []byte, l *ktail.Line) []byte {
	level := text.NoLevel
	if l.Kind == ktail.Log {
		level, _, _ = text.FindLevel(l.Text)
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

// documentTime returns the time of the document of a line, in Unix nanoseconds. A gap
// whose end is not known has that of its start, or of now.
func documentTime(l *ktail.Line, now time.Time) int64 {
	switch {
	case l.Kind != ktail.Gap || l.Time != 0:
		return l.Time
	case l.Since != 0:
		return l.Since
	}
	return now.UnixNano()
}

// appendGap appends what is special about a gap: the rest of event, and the
// message.
func (e *encoder) appendGap(dst []byte, l *ktail.Line) []byte {
	message := "lines may be missing"
	dst = append(dst, `,"action":"gap","outcome":"failure"`...)
	if l.Since != 0 {
		dst = append(e.clock.append(append(dst, `,"start":"`...), l.Since), '"')
		message = "lines since " + time.Unix(0, l.Since).UTC().Format(time.RFC3339Nano) + " may be missing"
	}
	if l.Time != 0 {
		dst = append(e.clock.append(append(dst, `,"end":"`...), l.Time), '"')
	}
	dst = appendQuoted(append(dst, `,"reason":`...), l.Text)
	if len(l.Text) > 0 {
		message += ": " + string(l.Text)
	}
	return appendQuoted(append(dst, `},"message":`...), message)
}

// appendConstant appends the fields of the stream, and the end of the document.
func (e *encoder) appendConstant(dst []byte, s *ktail.Stream) []byte {
	o := object{dst: append(dst, ',')}
	if !s.Key().IsZero() { // lines of stdin may come from anywhere
		o.kubernetes(s)
	}
	o.nested("agent", "type", "ktail", "version", e.agent)
	o.nested("ecs", "version", ecsVersion)
	for _, f := range e.fields {
		o.add(f.Name, f.Value)
	}
	return e.dataStream.appendEnd(o.dst)
}

// kubernetes adds where in Kubernetes the stream is.
func (o *object) kubernetes(s *ktail.Stream) {
	o.open("kubernetes")
	o.add("namespace", s.Namespace)
	o.nested("pod", "name", s.Pod, "uid", s.PodUID)
	o.nested("container", "name", s.Container)
	o.nested("node", "name", s.Node)
	if kind, ok := ownerFields[s.Owner.Kind]; ok {
		o.nested(kind, "name", s.Owner.Name)
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

// ownerFields are the names of the objects that describe a pod's owner, by its
// kind. An owner of another kind is left out: any name would be as good.
var ownerFields = map[string]string{
	"Deployment": "deployment", "ReplicaSet": "replicaset", "StatefulSet": "statefulset",
	"DaemonSet": "daemonset", "Job": "job", "CronJob": "cronjob",
}

// object appends members to a JSON object, and leaves out empty ones.
type object struct{ dst []byte }

func (o *object) comma() {
	if last := o.dst[len(o.dst)-1]; last != '{' && last != ',' {
		o.dst = append(o.dst, ',')
	}
}

func (o *object) open(name string) {
	o.comma()
	o.dst = append(appendQuoted(o.dst, name), ":{"...)
}

func (o *object) end() { o.dst = append(o.dst, '}') }

func (o *object) add(name, value string) {
	if value == "" {
		return
	}
	o.comma()
	o.dst = appendQuoted(append(appendQuoted(o.dst, name), ':'), value)
}

// nested adds an object of names and values.
func (o *object) nested(name string, members ...string) {
	empty := true
	for i := 1; i < len(members); i += 2 {
		empty = empty && members[i] == ""
	}
	if empty {
		return
	}
	o.open(name)
	for i := 0; i < len(members); i += 2 {
		o.add(members[i], members[i+1])
	}
	o.end()
}

// labels adds the labels of the pod. A dot in a key would make an object of it,
// so that app and app.kubernetes.io/name could not both be fields: it becomes
// an underscore. Where that makes two keys the same, one gets more of them.
func (o *object) labels(labels map[string]string) {
	if len(labels) == 0 {
		return
	}
	o.open("labels")
	taken := make(map[string]bool, len(labels))
	for key := range labels {
		if !strings.Contains(key, ".") {
			taken[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		name := key
		if strings.Contains(key, ".") {
			for name = strings.ReplaceAll(key, ".", "_"); taken[name]; {
				name += "_"
			}
			taken[name] = true
		}
		o.comma()
		o.dst = appendQuoted(append(appendQuoted(o.dst, name), ':'), labels[key])
	}
	o.end()
}

// ParseFields parses constant fields, each name=value. No name may come twice,
// or be one that every document has anyway.
func ParseFields(all []string) ([]Field, error) {
	var fields []Field
	for _, s := range all {
		f, err := parseField(s)
		if err != nil {
			return nil, err
		}
		for _, o := range fields {
			switch {
			case o.Name == f.Name:
				return nil, fmt.Errorf("field %s is given twice", f.Name)
			case strings.HasPrefix(o.Name, f.Name+"."), strings.HasPrefix(f.Name, o.Name+"."):
				return nil, fmt.Errorf("fields %s and %s conflict: one would have to be both text and an object", o.Name, f.Name)
			}
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func parseField(s string) (Field, error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" || value == "" {
		return Field{}, fmt.Errorf("%q is not name=value", s)
	}
	top, _, _ := strings.Cut(name, ".")
	switch top {
	case "@timestamp", "event", "message", "kubernetes", "container", "orchestrator", "host", "data_stream", "agent", "ecs", "log", "ktail":
		return Field{}, fmt.Errorf("field %s: %s is a field of ktail's own; labels.… is free", name, top)
	}
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") || top[0] == '_' {
		return Field{}, fmt.Errorf("%q is not the name of a field", name)
	}
	return Field{Name: name, Value: value}, nil
}

// clock formats times; most are in the same second as the previous one.
type clock struct {
	second int64
	text   [len("2006-01-02T15:04:05.")]byte
}

// append appends the time, in Unix nanoseconds, with all nine digits.
func (c *clock) append(dst []byte, ns int64) []byte {
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
