package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/ktail/ktail/pkg/output"
)

func TestValues(t *testing.T) {
	values := map[string]func() pflag.Value{
		"regexp": func() pflag.Value { return &regexpValue{new(*regexp.Regexp)} },
		"color":  func() pflag.Value { return &colorValue{} },
		"format": func() pflag.Value { return &formatValue{templates: map[string]string{"mine": "x"}} },
		"times":  func() pflag.Value { return &timestampsValue{} },
		"zone":   func() pflag.Value { return &locationValue{} },
		"extra":  func() pflag.Value { return &userExtraValue{&api.AuthInfo{}} },
	}
	tests := []struct {
		value, set string
		wantErr    string // what the error holds; empty: there is none
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
		{"times", "long", "default, short"},
		{"zone", "UTC", ""},
		{"zone", "Local", ""},
		{"zone", "Asia/Tokyo", ""},
		{"zone", "Mars/Olympus", "UTC"},
		{"format", "", "default, raw, json"},
		{"extra", "no", "key=value"},
		{"extra", "=no", "key=value"},
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
				t.Errorf("it is %q", got)
			}
		})
	}
}

// The zero values are what the help shows as the defaults.
func TestZeroValues(t *testing.T) {
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

func TestFormats(t *testing.T) {
	for _, f := range formats {
		v := formatValue{name: f.name}
		if v.renderer(renderOptions{text: &output.Text{}}) == nil {
			t.Errorf("%s has no renderer", f.name)
		}
	}
}
