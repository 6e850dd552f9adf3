package metrics

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
)

// units are the units of numbers, in base units: seconds and bytes.
var units = map[string]float64{
	"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600,
	"B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	"%": 0.01,
}

// parseNumber parses a number, which may have a unit: "42.5ms", "1.5KiB", "1m30s".
// It reports false for everything else, such as NaN and numbers that are infinite
// or too large.
func parseNumber(text []byte) (float64, bool) {
	if n, ok := parseDigits(text); ok {
		return n, true
	}
	text = bytes.TrimSpace(text)
	if n, ok := parseDigits(text); ok {
		return n, true
	}
	if len(text) == 0 || len(text) > 64 {
		return 0, false
	}
	split := len(text)
	for split > 0 && !isNumeric(text[split-1]) {
		split--
	}
	if split == 0 || text[0] > '9' { // "Inf" and "NaN" have no digits in front
		return 0, false
	}
	if split == len(text) {
		return parseFloat(string(text))
	}
	if unit, ok := units[string(bytes.TrimSpace(text[split:]))]; ok {
		if n, ok := parseFloat(string(bytes.TrimSpace(text[:split]))); ok {
			return n * unit, true
		}
	}
	if d, err := time.ParseDuration(string(text)); err == nil {
		return d.Seconds(), true
	}
	return 0, false
}

func isNumeric(b byte) bool { return '0' <= b && b <= '9' || b == '.' }

func parseFloat(s string) (float64, bool) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || strings.ContainsAny(s, "xX_") {
		return 0, false
	}
	return n, true
}

// parseDigits returns a number such as 200 or 0.042, the usual case, several times
// as fast as strconv does. Its result is the nearest float64, as both the digits and
// the power of ten are exact.
func parseDigits(text []byte) (float64, bool) {
	const most = 15 // digits that a float64 holds exactly
	if len(text) == 0 || len(text) > most+1 {
		return 0, false
	}
	var n uint64
	point := -1
	for i, b := range text {
		switch {
		case '0' <= b && b <= '9':
			n = n*10 + uint64(b-'0')
		case b == '.' && point < 0 && i > 0 && i+1 < len(text):
			point = i
		default:
			return 0, false
		}
	}
	if point < 0 {
		if len(text) > most {
			return 0, false
		}
		return float64(n), true
	}
	return float64(n) / powers[len(text)-1-point], true
}

var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}
