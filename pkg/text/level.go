package text

import "bytes"

// Level is the severity of a line.
type Level uint8

// The levels, in increasing order of severity. NoLevel, the zero Level, means
// that a line does not name a level.
const (
	NoLevel Level = iota
	Trace
	Debug
	Info
	Warn
	Error
	Fatal
)

// String returns the name of the level in lower case, as in the field log.level
// of the Elastic Common Schema. It is empty for NoLevel.
func (l Level) String() string {
	return [...]string{"", "trace", "debug", "info", "warn", "error", "fatal"}[l]
}

// FindLevel returns the level that the text names, and its place:
// text[start:end]. It checks the usual keys of a JSON object or of logfmt, the
// header of klog, and otherwise the first word after any timestamps. It returns
// NoLevel, 0, 0 if it finds none.
func FindLevel(text []byte) (level Level, start, end int) {
	i := skipSpacesAndSGR(text, 0)
	switch {
	case i == len(text):
		return NoLevel, 0, 0
	case text[i] == '{':
		start, end = jsonLevel(text, i)
	case isKlog(text[i:]):
		return klogLevel(text[i]), i, i + len(klogDate)
	case isLogfmt(text[i:]):
		start, end = logfmtLevel(text)
	default:
		start, end = firstWord(text, i)
	}
	if level = ParseLevel(text[start:end]); level == NoLevel {
		return NoLevel, 0, 0
	}
	return level, start, end
}

// ParseLevel returns the level with this name, in any case, or NoLevel. It
// knows the names of common loggers and of syslog, and the numbers of bunyan
// and pino.
func ParseLevel(name []byte) Level {
	var lower [len("informational")]byte
	if len(name) > len(lower) {
		return NoLevel
	}
	for i, b := range name {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	switch string(lower[:len(name)]) {
	case "fatal", "panic", "dpanic", "critical", "crit", "alert", "emerg", "emergency", "60":
		return Fatal
	case "error", "err", "eror", "severe", "50":
		return Error
	case "warn", "warning", "40":
		return Warn
	case "info", "information", "informational", "notice", "30":
		return Info
	case "debug", "dbg", "verbose", "20":
		return Debug
	case "trace", "10":
		return Trace
	}
	return NoLevel
}

// skipSpacesAndSGR returns the index of the first byte from i on that is neither a space
// nor belongs to an SGR sequence.
func skipSpacesAndSGR(text []byte, i int) int {
	for i < len(text) {
		switch text[i] {
		case ' ':
			i++
		case '\x1b':
			n := lengthSGR(text[i:])
			if n == 0 {
				return i
			}
			i += n
		default:
			return i
		}
	}
	return i
}

// isLevelKey reports whether loggers use this key for the level.
func isLevelKey(key []byte) bool {
	switch string(key) {
	case "level", "lvl", "severity", "log.level", "loglevel", "logLevel", "levelname", "Level", "LEVEL", "@l":
		return true
	}
	return false
}

// jsonLevel returns the place of the level in the JSON object that starts at i.
// Both ends are 0 if it has none.
func jsonLevel(text []byte, i int) (start, end int) {
	i = skipJSONSpace(text, i+1)
	for i < len(text) && text[i] == '"' {
		keyEnd := skipString(text, i)
		if keyEnd < 0 {
			break
		}
		key := text[i+1 : keyEnd-1]
		i = skipJSONSpace(text, keyEnd)
		if i == len(text) || text[i] != ':' {
			break
		}
		i = skipJSONSpace(text, i+1)
		valueEnd := skipValue(text, i, 0)
		if valueEnd < 0 {
			break
		}
		if isLevelKey(key) {
			if text[i] == '"' {
				return i + 1, valueEnd - 1
			}
			return i, valueEnd
		}
		i = skipJSONSpace(text, valueEnd)
		if i == len(text) || text[i] != ',' {
			break
		}
		i = skipJSONSpace(text, i+1)
	}
	return 0, 0
}

// klogDate is the pattern of the start of a klog header, the format of the
// Kubernetes components: a letter for the level, the month, and the day. The
// time follows.
// https://github.com/kubernetes/klog/blob/v2.130.1/klog.go#L630-L652
const klogDate = "E0102"

func isKlog(text []byte) bool {
	if len(text) <= len(klogDate) || text[len(klogDate)] != ' ' {
		return false
	}
	for _, b := range text[1:len(klogDate)] {
		if b < '0' || b > '9' {
			return false
		}
	}
	return klogLevel(text[0]) != NoLevel
}

func klogLevel(letter byte) Level {
	switch letter {
	case 'I':
		return Info
	case 'W':
		return Warn
	case 'E':
		return Error
	case 'F':
		return Fatal
	}
	return NoLevel
}

// isLogfmt reports whether the text starts with key=.
func isLogfmt(text []byte) bool {
	for i, b := range text {
		switch {
		case b == '=':
			return i > 0
		case isLetter(b), '0' <= b && b <= '9', b == '_', b == '.', b == '-', b == '@':
		default:
			return false
		}
	}
	return false
}

// logfmtLevel returns the place of the level in key=value pairs. Both ends are
// 0 if they have none.
func logfmtLevel(text []byte) (start, end int) {
	if !mayHaveLevel(text) {
		return 0, 0
	}
	EachPair(text, func(key, value []byte, _ bool) bool {
		if !isLevelKey(key) {
			return true
		}
		start = cap(text) - cap(value) // value is a part of text
		end = start + len(value)
		return false
	})
	return start, end
}

// mayHaveLevel reports whether the text has "=" after the key of a level. It is much
// faster than EachPair, but does not know whether quotes are around them.
func mayHaveLevel(text []byte) bool {
	for i := 0; ; i++ {
		n := bytes.IndexByte(text[i:], '=')
		if n < 0 {
			return false
		}
		i += n
		start := i
		for start > 0 && !isBlank(text[start-1]) {
			start--
		}
		if isLevelKey(text[start:i]) {
			return true
		}
	}
}

// firstWord returns the place of the first word from i on that is not part of a
// timestamp, without the brackets and SGR sequences around it.
func firstWord(text []byte, i int) (start, end int) {
	const maxTimes = 4 // date, time, zone, and process ID
	for range maxTimes + 1 {
		for i = skipSpacesAndSGR(text, i); i < len(text) && opensWord(text[i]); i = skipSpacesAndSGR(text, i+1) {
		}
		start, end = i, i
		for end < len(text) && isLetter(text[end]) {
			end++
		}
		if end > start && (end == len(text) || endsWord(text[end])) {
			return start, end
		}
		for i < len(text) && text[i] != ' ' && text[i] != '\t' && text[i] != '\x1b' {
			if !inTime(text[i]) {
				return 0, 0
			}
			i++
		}
	}
	return 0, 0
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

// opensWord reports whether b may precede the name of a level.
func opensWord(b byte) bool { return b == '\t' || b == '[' || b == '<' || b == '(' || b == '|' }

// endsWord reports whether b may follow the name of a level.
func endsWord(b byte) bool { return bytes.IndexByte([]byte(" \t:]>)|,;!\x1b"), b) >= 0 }

// inTime reports whether b occurs in timestamps: 2026-01-02T15:04:05.000+01:00,
// [02/Jan/2026:15:04:05], 15:04:05,123Z.
func inTime(b byte) bool { return timeBytes[b] }

var timeBytes = func() (table [256]bool) {
	for b := range table {
		table[b] = '0' <= b && b <= '9' || isLetter(byte(b)) || bytes.IndexByte([]byte(":-+.,/[]()|"), byte(b)) >= 0
	}
	return table
}()
