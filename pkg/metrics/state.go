package metrics

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/durable"
	"github.com/ktail/ktail/pkg/internal/wire"
	"github.com/ktail/ktail/pkg/ktail"
)

// Positions records up to which line each log was counted; tail.Positions does.
type Positions interface {
	// Settled records that n further log lines of the stream were counted.
	Settled(key ktail.Key, n int)
	// AppendSnapshot appends the positions in a form that the next run loads.
	AppendSnapshot(dst []byte) []byte
}

// loaded is the content of the state file.
type loaded struct {
	saved     time.Time          // zero: there was no file
	streams   map[ktail.Key]bool // that were known
	exits     map[ktail.Key]int64
	positions []byte
}

// The state file has the series and the positions at one moment. It is replaced as
// a whole, so whenever the process or the machine stops, there is a complete one.
//
//	magic, length of the content, content, CRC-32C of the content
const stateMagic = "ktail metrics 1\n"

var (
	errOtherState   = errors.New("the file was written by another version of ktail or by another program; move it away to count from 0")
	errDamagedState = errors.New("the file is damaged; move it away to count from 0")
)

// Save saves the state, if there is one to save.
func (s *Sink) Save() error {
	if s.o.State == "" {
		return nil
	}
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	if !s.known { // nothing was read yet, and series of pods that are gone are not known as such
		s.mu.Unlock()
		return nil
	}
	s.buffer = s.encode(s.buffer[:0])
	s.mu.Unlock()
	return s.write(s.buffer)
}

// write replaces the state file. When it returns nil, the new one survives a loss of
// power.
func (s *Sink) write(content []byte) error {
	b := append([]byte(stateMagic), binary.LittleEndian.AppendUint64(nil, uint64(len(content)))...)
	sum := binary.LittleEndian.AppendUint32(nil, wire.Checksum(content))
	if err := durable.Replace(s.o.State, 0o600, b, content, sum); err != nil {
		return fmt.Errorf("save metrics: %w", err)
	}
	return nil
}

// LoadPositions returns the positions in a state file, in the form of
// Positions.AppendSnapshot; nil if there is no file.
func LoadPositions(path string) ([]byte, error) {
	content, err := readState(path)
	if err != nil {
		return nil, fmt.Errorf("read metrics from %s: %w", path, err)
	}
	if content == nil {
		return nil, nil
	}
	d := &wire.Reader{Rest: content}
	d.Varint()
	d.Uvarint()
	positions := d.Text()
	if d.Failed() {
		return nil, fmt.Errorf("read metrics from %s: %w", path, errDamagedState)
	}
	return positions, nil
}

// readState returns the content of the file; nil if there is none.
func readState(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(b, []byte(stateMagic))
	const head, tail = 8, crc32.Size
	switch {
	case !ok && !bytes.HasPrefix([]byte(stateMagic), b): // a part of it is left if the file was cut off
		return nil, errOtherState
	case len(rest) < head+tail, binary.LittleEndian.Uint64(rest) != uint64(len(rest)-head-tail):
		return nil, errDamagedState
	}
	content := rest[head : len(rest)-tail]
	if wire.Checksum(content) != binary.LittleEndian.Uint32(rest[len(rest)-tail:]) {
		return nil, errDamagedState
	}
	return content, nil
}

// encode appends the state. The caller holds mu.
func (s *Sink) encode(b []byte) []byte {
	b = binary.AppendVarint(b, time.Now().UnixNano())
	b = binary.AppendUvarint(b, s.scrapes)
	var positions []byte
	if s.o.Positions != nil {
		positions = s.o.Positions.AppendSnapshot(nil)
	}
	b = wire.AppendText(b, positions)
	b = binary.AppendUvarint(b, uint64(len(s.streams)))
	for key, st := range s.streams {
		b = wire.AppendText(b, key.PodUID)
		b = wire.AppendText(b, key.Container)
		b = binary.AppendVarint(b, st.exitAt)
	}
	b = binary.AppendUvarint(b, uint64(len(s.metrics)))
	for _, m := range s.metrics {
		b = m.encode(b)
	}
	return b
}

func (m *metric) encode(b []byte) []byte {
	b = wire.AppendText(b, m.name)
	b = wire.AppendText(b, m.definition())
	b = binary.AppendUvarint(b, m.errors)
	for _, n := range m.overflows {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(m.groups)))
	for _, g := range m.groups {
		for _, v := range g.values {
			b = wire.AppendText(b, v)
		}
		b = binary.AppendUvarint(b, uint64(len(g.series)))
		for _, sr := range g.series {
			for _, v := range sr.values {
				b = wire.AppendText(b, v)
			}
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(sr.value))
			for _, n := range sr.counts {
				b = binary.AppendUvarint(b, n)
			}
			b = binary.AppendUvarint(b, sr.birth)
			b = binary.AppendUvarint(b, sr.changed)
			b = binary.AppendVarint(b, sr.created.AsTime().UnixNano())
		}
	}
	return b
}

// load takes the state of an earlier run. Series of a rule that is gone, or makes a
// metric with other labels, are left out.
func (s *Sink) load() error {
	s.state = loaded{streams: map[ktail.Key]bool{}, exits: map[ktail.Key]int64{}}
	content, err := readState(s.o.State)
	if content == nil || err != nil {
		return err
	}
	d := &wire.Reader{Rest: content}
	s.state.saved = time.Unix(0, d.Varint())
	s.scrapes = d.Uvarint()
	s.state.positions = d.Text()
	for range d.Count() {
		key := ktail.Key{PodUID: string(d.Text()), Container: string(d.Text())}
		s.state.streams[key] = true
		s.state.exits[key] = d.Varint()
	}
	byName := map[string]*metric{}
	for _, m := range s.metrics {
		byName[m.name] = m
	}
	for range d.Count() {
		name, definition := string(d.Text()), string(d.Text())
		m := byName[name]
		if m != nil && m.definition() != definition {
			s.warn("warning: metric %s starts from 0, because its rule has changed", name)
			m = nil
		}
		s.decode(d, m, definition)
	}
	if d.Failed() || len(d.Rest) > 0 {
		return errDamagedState
	}
	return nil
}

// decode reads the series of a metric, and drops them if m is nil.
func (s *Sink) decode(d *wire.Reader, m *metric, definition string) {
	by, labels, buckets := shape(definition)
	lost := d.Uvarint()
	overflows := make([]uint64, labels)
	for i := range overflows {
		overflows[i] = d.Uvarint()
	}
	if m != nil {
		m.errors, m.overflows = lost, overflows
	}
	for range d.Count() {
		if d.Failed() { // do not allocate for each entry that is not there
			return
		}
		values := make([]string, by)
		for i := range values {
			values[i] = string(d.Text())
		}
		var g *group
		if m != nil {
			g = m.groupOf(values)
		}
		for range d.Count() {
			if s.decodeSeries(d, g, labels, buckets); d.Failed() {
				return
			}
		}
	}
}

func (s *Sink) decodeSeries(d *wire.Reader, g *group, labels, buckets int) {
	values := make([]string, labels)
	for i := range values {
		values[i] = string(d.Text())
	}
	value := math.Float64frombits(d.Uint64())
	counts := make([]uint64, buckets)
	for i := range counts {
		counts[i] = d.Uvarint()
	}
	birth, changed, created := d.Uvarint(), d.Uvarint(), time.Unix(0, d.Varint())
	if g == nil || d.Failed() {
		return
	}
	sr := g.add(values, birth, created)
	sr.value, sr.changed = value, changed
	copy(sr.counts, counts)
	if g.metric.rule != nil {
		s.series += g.metric.width()
	}
}

// shape returns how many labels of sources and fields, and how many counts a series
// of the definition has.
func shape(definition string) (by, labels, counts int) {
	count := func(list string) int {
		if list == "" {
			return 0
		}
		return strings.Count(list, ",") + 1
	}
	parts := strings.Split(definition, "\x00")
	if len(parts) != 4 {
		return 0, 0, 0
	}
	if Type(parts[0]) == Histogram {
		counts = count(parts[3]) + 1
	}
	return count(parts[1]), count(parts[2]), counts
}

// claim marks the series of pods that were deleted between two runs as gone, except for those
// of the rest, which have no pod. It is called once the first set of streams is known.
func (s *Sink) claim() {
	now := time.Now()
	for _, m := range s.metrics {
		for _, g := range m.groups {
			switch {
			case g.isRest():
				g.streams++ // it stays
			case g.streams == 0:
				g.goneAt = now
			}
		}
	}
	s.state.positions = nil
}

func formatFloats(all []float64) string {
	texts := make([]string, len(all))
	for i, f := range all {
		texts[i] = strconv.FormatFloat(f, 'g', -1, 64)
	}
	return strings.Join(texts, ",")
}
