package text

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

func TestEachPair_ReadsLogfmt(t *testing.T) {
	for line, want := range map[string][]string{
		`level=error msg="no \"room\"" code=500`: {`level=error`, `msg="no \"room\""`, `code=500`},
		`ts=1 done a=`:                           {`ts=1`, `a=`},
		`a=1  b=2	c=3`:                           {`a=1`, `b=2`, `c=3`},
		`a="open`:                                {`a="open"`},
		`a="x\`:                                  {`a="x\"`},
		`a="" b==c`:                              {`a=""`, `b==c`},
		"\x1b[32ma=1":                            {`a=1`},
		`GET /?a=1`:                              nil,
		`{"a":"b=c"}`:                            nil,
		`=1`:                                     nil,
		``:                                       nil,
	} {
		var got []string
		is := EachPair([]byte(line), func(key, value []byte, quoted bool) bool {
			if quoted {
				value = fmt.Appendf(nil, "\"%s\"", value)
			}
			got = append(got, fmt.Sprintf("%s=%s", key, value))
			return true
		})
		if !slices.Equal(got, want) || is != (want != nil) {
			t.Errorf("%q has %q (logfmt: %v), want %q", line, got, is, want)
		}
	}
}

func TestEachPair_StopsOnRequest(t *testing.T) {
	n := 0
	EachPair([]byte("a=1 b=2 c=3"), func(key, _ []byte, _ bool) bool { n++; return string(key) != "b" })
	if n != 2 {
		t.Errorf("%d pairs, want 2", n)
	}
}

func FuzzAppendUnescaped_EqualsEncodingJSON(f *testing.F) {
	for _, s := range []string{`a\nb`, `\u00e4`, `\ud83d\ude00`, `\ud83d`, `\ud83dx`, `\/`, `\\`, `\q`, `\u12`, `\`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		got := AppendUnescaped(nil, s)
		var want string
		if json.Unmarshal(fmt.Appendf(nil, "\"%s\"", s), &want) != nil {
			return
		}
		if valid := []byte(want); string(got) != want && string(bytesToValid(got)) != string(valid) {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	})
}

// bytesToValid replaces bytes that are not UTF-8 as encoding/json does.
func bytesToValid(b []byte) []byte { return []byte(string([]rune(string(b)))) }
