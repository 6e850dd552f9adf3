package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/ktail/ktail/pkg/output"
)

func TestValues_StringIsWhatWasSet(t *testing.T) {
	values := map[string]func() pflag.Value{
		"regexp": func() pflag.Value { return &regexpValue{new(*regexp.Regexp)} },
		"color":  func() pflag.Value { return &colorValue{} },
		"format": func() pflag.Value { return &formatValue{templates: map[string]string{"mine": "x"}} },
		"times":  func() pflag.Value { return &timestampsValue{} },
		"zone":   func() pflag.Value { return &locationValue{} },
		"age":    func() pflag.Value { return new(durationValue) },
		"time":   func() pflag.Value { return &moment{} },
		"extra":  func() pflag.Value { return &userExtraValue{&api.AuthInfo{}} },
	}
	tests := []struct {
		value, set string
		wantErr    string // part of the error; empty: no error
	}{
		{"regexp", "^a|b$", ""},
		{"regexp", "a(", "missing closing )"},
		{"color", "auto", ""},
		{"color", "always", ""},
		{"color", "never", ""},
		{"color", "Always", "auto, always, never"},
		{"color", "", "auto, always, never"},
		{"format", "default", ""},
		{"format", "raw", ""},
		{"format", "json", ""},
		{"format", "extjson", ""},
		{"format", "ppextjson", ""},
		{"format", "mine", ""},
		{"format", "xml", "default, raw, json, extjson, ppextjson, mine"},
		{"times", "", ""},
		{"times", "default", ""},
		{"times", "short", ""},
		{"times", "rfc3339", ""},
		{"times", "delta", ""},
		{"times", "15:04:05.000", ""},
		{"times", "long", "default, short, rfc3339, unix, delta, or a Go layout"},
		{"zone", "UTC", ""},
		{"zone", "Local", ""},
		{"zone", "Asia/Tokyo", ""},
		{"zone", "Mars/Olympus", "UTC"},
		{"format", "", "default, raw, json"},
		{"age", "5s", ""},
		{"age", "36h0m0s", ""},
		{"age", "0s", ""},
		{"age", "yesterday", "must be a duration such as 5s, 2m, 3h, or 1d"},
		{"age", "", "must be a duration"},
		{"age", "5", "must be a duration"},
		{"age", "1h2d", "must be a duration"},
		{"age", "999999d", "must be a duration"},
		{"time", "2026-01-31T10:00:00Z", ""},
		{"time", "2026-01-31T10:00:00.5+02:00", ""},
		{"time", "2026-01-31", ""},
		{"time", "yesterday 10:00", ""},
		{"time", "tomorrow", "must be a duration such as 5m or 1d, or a time such as"},
		{"time", "-5m", "must not be negative"},
		{"extra", "no", "KEY=VALUE"},
		{"extra", "=no", "KEY=VALUE"},
	}
	for _, tt := range tests {
		t.Run(tt.value+"="+tt.set, func(t *testing.T) {
			v := values[tt.value]()
			err := v.Set(tt.set)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error is %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := v.String(); got != tt.set {
				t.Errorf("got %q", got)
			}
		})
	}
}

// The help shows the zero values as defaults.
func TestZeroValues_AreTheDefaults(t *testing.T) {
	for want, v := range map[string]pflag.Value{
		"":        &regexpValue{},
		"auto":    &colorValue{},
		"default": new(formatValue),
		"Local":   &locationValue{},
	} {
		if got := v.String(); got != want {
			t.Errorf("%s is %q, want %q", v.Type(), got, want)
		}
	}
}

func TestFormats_HaveRenderers(t *testing.T) {
	for _, f := range formats {
		v := formatValue{name: f.name}
		if v.renderer(renderOptions{text: &output.Text{}}) == nil {
			t.Errorf("%s has no renderer", f.name)
		}
	}
}

func TestDuration_TakesDays(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1d": 24 * time.Hour, "2d3h": 51 * time.Hour, "-1d": -24 * time.Hour, "0d": 0, "7d0.5h": 168*time.Hour + 30*time.Minute, "0": 0,
	} {
		var v durationValue
		if err := v.Set(text); err != nil || time.Duration(v) != want {
			t.Errorf("%s is %s, %v; want %s", text, time.Duration(v), err, want)
		}
	}
}
