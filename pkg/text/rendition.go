package text

import (
	"bytes"
	"strconv"
)

// Rendition is the state that the SGR sequences of a text have set so far. This
// state is restored where a color that ktail added ends inside the text. The
// slices are parts of the text.
type Rendition struct {
	attributes uint16 // bit n is set if attribute n is on
	foreground []byte // parameters
	background []byte
	underline  []byte
	other      bool // something that only a reset ends may be set
}

// doubleUnderline is the number of the attribute that code 21 sets.
const doubleUnderline = 10

// clears[n] holds the attributes that code 22+n ends.
var clears = [...]uint16{
	0:       1<<1 | 1<<2,
	23 - 22: 1 << 3,
	24 - 22: 1<<4 | 1<<doubleUnderline,
	25 - 22: 1<<5 | 1<<6,
	26 - 22: 0,
	27 - 22: 1 << 7,
	28 - 22: 1 << 8,
	29 - 22: 1 << 9,
}

// Apply applies a complete SGR sequence.
func (r *Rendition) Apply(sequence []byte) {
	for rest, more := sequence[2:len(sequence)-1], true; more; {
		all := rest
		var param []byte
		param, rest, more = bytes.Cut(rest, []byte{';'})
		code, wide := parseParam(param)
		switch {
		case code == 0:
			*r = Rendition{}
		case code < doubleUnderline:
			r.attributes |= 1 << code
		case code == 21:
			r.attributes |= 1 << doubleUnderline
		case 22 <= code && code <= 29:
			r.attributes &^= clears[code-22]
		case code == 38, code == 48, code == 58:
			if !wide {
				param, rest, more = cutColor(all)
			}
			*r.slot(code) = param
		case code == 39, code == 49, code == 59:
			*r.slot(code - 1) = nil
		case 30 <= code && code <= 37, 90 <= code && code <= 97:
			r.foreground = param
		case 40 <= code && code <= 47, 100 <= code && code <= 107:
			r.background = param
		default:
			r.other = true
		}
	}
}

// Has reports whether the attribute with this code is on: 1 bold, 2 faint, 3 italic,
// 4 underlined, 7 inverse, 9 crossed out.
func (r *Rendition) Has(code int) bool { return r.attributes&(1<<code) != 0 }

// Foreground returns the parameters that set the color of the text, such as "31" or
// "38;5;208". It is nil for the default color.
func (r *Rendition) Foreground() []byte { return r.foreground }

// Background returns the parameters that set the color behind the text. It is nil for
// the default color.
func (r *Rendition) Background() []byte { return r.background }

func (r *Rendition) slot(code int) *[]byte {
	switch code {
	case 38:
		return &r.foreground
	case 48:
		return &r.background
	default:
		return &r.underline
	}
}

// IsSet reports whether any attribute or color is set.
func (r *Rendition) IsSet() bool {
	return r.other || r.attributes != 0 || r.foreground != nil || r.background != nil || r.underline != nil
}

// Append appends a sequence that restores the rendition after a reset.
func (r *Rendition) Append(dst []byte) []byte {
	if r.attributes == 0 && r.foreground == nil && r.background == nil && r.underline == nil {
		return dst
	}
	dst = append(dst, '\x1b', '[')
	for n := 1; n <= doubleUnderline; n++ {
		if r.attributes&(1<<n) != 0 {
			code := n
			if n == doubleUnderline {
				code = 21
			}
			dst = append(strconv.AppendInt(dst, int64(code), 10), ';')
		}
	}
	for _, params := range [][]byte{r.foreground, r.background, r.underline} {
		if params != nil {
			dst = append(append(dst, params...), ';')
		}
	}
	dst[len(dst)-1] = 'm'
	return dst
}

// parseParam returns the code of a parameter, and whether the parameter
// contains a complete color, as 38:5:208 does. An unknown code becomes one
// without a meaning.
func parseParam(param []byte) (code int, wide bool) {
	const none = 1000
	param, _, wide = bytes.Cut(param, []byte{':'})
	for _, b := range param {
		if code = code*10 + int(b-'0'); code >= none {
			return none, wide
		}
	}
	return code, wide
}

// cutColor removes 38;5;n or 38;2;r;g;b from the start of the parameters.
func cutColor(params []byte) (color, rest []byte, more bool) {
	fields := 2
	if _, after, ok := bytes.Cut(params, []byte{';'}); ok {
		switch kind, _, _ := bytes.Cut(after, []byte{';'}); string(kind) {
		case "5":
			fields = 3
		case "2":
			fields = 5
		}
	}
	for i, b := range params {
		if b == ';' {
			if fields--; fields == 0 {
				return params[:i], params[i+1:], true
			}
		}
	}
	return params, nil, false
}
