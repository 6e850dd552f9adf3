package output

import "bytes"

// findLevel finds the word that tells the level of a line, if it is an error or
// worse, or a warning: the value of a key that is usual for it in a JSON object
// or in logfmt, the header of klog, or a word at the beginning, behind times at the most. A text
// that has colors has its own idea of that.
func findLevel(text []byte) (mark, bool) {
	trimmed := bytes.TrimLeft(text, " ")
	if len(trimmed) == 0 || bytes.IndexByte(text, '\x1b') >= 0 {
		return mark{}, false
	}
	var start, end int
	switch offset := len(text) - len(trimmed); {
	case trimmed[0] == '{':
		start, end = jsonLevel(text, offset)
	case isKlog(trimmed):
		c := klogColor(trimmed[0])
		return mark{offset, offset + len(klogDate), c}, c != nil
	case isLogfmt(trimmed):
		start, end = logfmtLevel(text)
	default:
		start, end = firstWord(text, offset)
	}
	c := levelColor(text[start:end])
	return mark{start, end, c}, c != nil
}

// levelColor returns the color of a level, or nil for one that is none or that
// needs no attention. The numbers are those of bunyan and pino.
func levelColor(word []byte) *sgr {
	var lower [len("critical")]byte
	if len(word) > len(lower) {
		return nil
	}
	for i, b := range word {
		if 'A' <= b && b <= 'Z' {
			b += 'a' - 'A'
		}
		lower[i] = b
	}
	switch string(lower[:len(word)]) {
	case "error", "err", "eror", "severe", "fatal", "panic", "dpanic", "critical", "crit", "alert", "emerg", "50", "60":
		return &errorColor
	case "warn", "warning", "40":
		return &warningColor
	}
	return nil
}

// isLevelKey reports whether loggers use the key for the level.
func isLevelKey(key []byte) bool {
	switch string(key) {
	case "level", "lvl", "severity", "log.level", "loglevel", "logLevel", "levelname", "Level", "LEVEL", "@l":
		return true
	}
	return false
}

// jsonLevel returns where the level in the JSON object is that begins at i. Both
// are 0 if there is none.
func jsonLevel(text []byte, i int) (start, end int) {
	i = skipSpace(text, i+1)
	for i < len(text) && text[i] == '"' {
		keyEnd := skipString(text, i)
		if keyEnd < 0 {
			break
		}
		key := text[i+1 : keyEnd-1]
		i = skipSpace(text, keyEnd)
		if i == len(text) || text[i] != ':' {
			break
		}
		i = skipSpace(text, i+1)
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
		i = skipSpace(text, valueEnd)
		if i == len(text) || text[i] != ',' {
			break
		}
		i = skipSpace(text, i+1)
	}
	return 0, 0
}

// klogDate is how a header of klog begins, the format of the components of
// Kubernetes: a letter for the level, month and day, before the time.
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
	return bytes.IndexByte([]byte("IWEF"), text[0]) >= 0
}

func klogColor(level byte) *sgr {
	switch level {
	case 'E', 'F':
		return &errorColor
	case 'W':
		return &warningColor
	}
	return nil
}

// isLogfmt reports whether the text begins with key=.
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

// logfmtLevel returns where the level in key=value pairs is. Both are 0 if there
// is none.
func logfmtLevel(text []byte) (start, end int) {
	for i := 0; ; i++ {
		n := bytes.IndexByte(text[i:], '=')
		if n < 0 {
			return 0, 0
		}
		i += n
		key := text[bytes.LastIndexByte(text[:i], ' ')+1 : i]
		if !isLevelKey(key) {
			continue
		}
		start = i + 1
		if start < len(text) && text[start] == '"' {
			start++
		}
		end = start
		for end < len(text) && text[end] != ' ' && text[end] != '"' {
			end++
		}
		return start, end
	}
}

// firstWord returns where the first word from i on is that is no time. Brackets
// around it do not count.
func firstWord(text []byte, i int) (start, end int) {
	const maxTimes = 4 // date, time, zone, and the number of a process
	for range maxTimes + 1 {
		for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '[' || text[i] == '<' || text[i] == '(' || text[i] == '|') {
			i++
		}
		start, end = i, i
		for end < len(text) && isLetter(text[end]) {
			end++
		}
		if end > start && (end == len(text) || endsWord(text[end])) {
			return start, end
		}
		for i < len(text) && text[i] != ' ' && text[i] != '\t' {
			if !inTime(text[i]) {
				return 0, 0
			}
			i++
		}
	}
	return 0, 0
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

// endsWord reports whether a word that tells a level may be followed by b.
func endsWord(b byte) bool { return bytes.IndexByte([]byte(" \t:]>)|,;!"), b) >= 0 }

// inTime reports whether b is found in times: 2026-01-02T15:04:05.000+01:00,
// [02/Jan/2026:15:04:05], 15:04:05,123Z.
func inTime(b byte) bool {
	return '0' <= b && b <= '9' || isLetter(b) || bytes.IndexByte([]byte(":-+.,/[]()|"), b) >= 0
}
