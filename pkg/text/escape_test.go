package text_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ktail/ktail/pkg/text"
)

// checkEscaped compares AppendEscapedHTML with encoding/json, and AppendEscaped
// with a loop over characters.
func checkEscaped(t *testing.T, s []byte) {
	t.Helper()
	want, err := json.Marshal(string(s))
	if err != nil {
		t.Fatal(err)
	}
	if got := append(text.AppendEscapedHTML([]byte{'"'}, s), '"'); !bytes.Equal(got, want) {
		t.Errorf("AppendEscapedHTML(%q) = %s, want %s", s, got, want)
	}
	want = want[:0]
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRune(s[i:])
		want = appendEscapedRune(want, r, size)
		i += size
	}
	if got := text.AppendEscaped(nil, s); !bytes.Equal(got, want) {
		t.Errorf("AppendEscaped(%q) = %s, want %s", s, got, want)
	}
}

func appendEscapedRune(dst []byte, r rune, size int) []byte {
	switch {
	case r == utf8.RuneError && size == 1:
		return append(dst, `\ufffd`...)
	case r == '"', r == '\\':
		return append(dst, '\\', byte(r))
	case r < ' ':
		if i := strings.IndexRune("\b\f\n\r\t", r); i >= 0 {
			return append(dst, '\\', "bfnrt"[i])
		}
		return fmt.Appendf(dst, `\u%04x`, r)
	}
	return utf8.AppendRune(dst, r)
}

func TestAppendEscaped_EveryByteInEveryPlace(t *testing.T) {
	for length := range 20 {
		for place := range length {
			for b := range 256 {
				s := bytes.Repeat([]byte{'~'}, length)
				s[place] = byte(b)
				checkEscaped(t, s)
			}
		}
	}
}

func TestAppendEscaped_EveryRune(t *testing.T) {
	const block = 256
	for first := rune(0); first <= utf8.MaxRune; first += block {
		var s []byte
		for r := range rune(block) {
			s = utf8.AppendRune(s, first+r)
		}
		checkEscaped(t, s)
	}
}

// The first two bytes determine which third bytes are valid; a fourth byte only
// follows a first byte of 0xF0 or more.
func TestAppendEscaped_EveryInvalidSequence(t *testing.T) {
	edges := []byte{'"', 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xA8, 0xA9, 0xBF, 0xC0}
	for a := 0x80; a <= 0xFF; a++ {
		for b := 0x7F; b <= 0xFF; b++ {
			var s []byte
			for _, c := range edges {
				s = append(s, byte(a), byte(b), c, '|', byte(a), byte(b), c, 0x80, '|')
			}
			checkEscaped(t, append(s, byte(a), byte(b)))
		}
		checkEscaped(t, []byte{'x', byte(a)})
	}
}

func FuzzAppendEscaped(f *testing.F) {
	for _, s := range []string{
		"",
		"GET /index.html HTTP/1.1 200",
		`{"level":"info","path":"C:\\temp"}`,
		"<script>a && b</script>",
		"\x00\x01\b\t\n\f\r\x1b[31mred\x1b[0m\x7f",
		"ü日本語🙂\u2027\u2028\u2029\u202a\ufffd",
		"\xff\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80 cut off: \xe2\x80",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(checkEscaped)
}

func BenchmarkAppendEscaped(b *testing.B) {
	for name, unit := range map[string]string{
		"ascii":    "GET /index.html 200 12ms ",
		"json":     `{"level":"info","msg":"hello world","n":12},`,
		"cyrillic": "Привет мир, это журнал. ",
		"cjk":      "日志消息测试内容",
	} {
		line := []byte(strings.Repeat(unit, 10)[:158])
		for escaper, appendEscaped := range map[string]func(dst, s []byte) []byte{
			"minimal": text.AppendEscaped, "html": text.AppendEscapedHTML,
		} {
			b.Run(escaper+"/"+name, func(b *testing.B) {
				var dst []byte
				b.SetBytes(int64(len(line)))
				for b.Loop() {
					dst = appendEscaped(dst[:0], line)
				}
			})
		}
	}
}
