package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestReadSettings_AcceptsFlagsAndReportsLines(t *testing.T) {
	tests := []struct {
		name, yaml string
		want       []setting
		wantErr    string
	}{
		{name: "nothing"},
		{name: "comments", yaml: "# tail: 1\n---\n"},
		{
			name: "scalars keep their text",
			yaml: "a: 010\nb: 1_000\nc: yes\nd: 12:30\ne: 2024-01-01\nf: ' x '\ng: 1e3\n",
			want: []setting{
				{key: "a", line: 1, kind: isText, text: "010"},
				{key: "b", line: 2, kind: isText, text: "1_000"},
				{key: "c", line: 3, kind: isText, text: "yes"},
				{key: "d", line: 4, kind: isText, text: "12:30"},
				{key: "e", line: 5, kind: isText, text: "2024-01-01"},
				{key: "f", line: 6, kind: isText, text: " x "},
				{key: "g", line: 7, kind: isText, text: "1e3"},
			},
		},
		{
			name: "lines",
			yaml: "\n# first\nz: 1\n\ny: |\n  one\n  two\nx: [a,\n  2]\nw:\nv:\n- c\n",
			want: []setting{
				{key: "z", line: 3, kind: isText, text: "1"},
				{key: "y", line: 5, kind: isText, text: "one\ntwo\n"},
				{key: "x", line: 8, kind: isList, list: []string{"a", "2"}},
				{key: "w", line: 10},
				{key: "v", line: 11, kind: isList, list: []string{"c"}},
			},
		},
		{
			name: "mappings",
			yaml: "presets:\n  shop:\n    tail: 1\n    namespace: [a]\n",
			want: []setting{{key: "presets", line: 1, kind: isMapping, sub: []setting{
				{key: "shop", line: 2, kind: isMapping, sub: []setting{
					{key: "tail", line: 3, kind: isText, text: "1"},
					{key: "namespace", line: 4, kind: isList, list: []string{"a"}},
				}},
			}}},
		},
		{
			name: "aliases",
			yaml: "a: &x [1]\nb: *x\n",
			want: []setting{
				{key: "a", line: 1, kind: isList, list: []string{"1"}},
				{key: "b", line: 2, kind: isList, list: []string{"1"}},
			},
		},
		{
			name: "several documents",
			yaml: "a: 1\n---\nb: 2\n",
			want: []setting{
				{key: "a", line: 1, kind: isText, text: "1"},
				{key: "b", line: 3, kind: isText, text: "2"},
			},
		},
		{
			name: "merge keys: the mapping's own keys win, then the first of a list",
			yaml: "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\n",
			want: []setting{
				{key: "a", line: 1, kind: isMapping, sub: []setting{{key: "x", line: 1, kind: isText, text: "1"}, {key: "y", line: 1, kind: isText, text: "1"}}},
				{key: "b", line: 2, kind: isMapping, sub: []setting{{key: "y", line: 2, kind: isText, text: "2"}, {key: "z", line: 2, kind: isText, text: "2"}}},
				{key: "c", line: 3, kind: isMapping, sub: []setting{
					{key: "x", line: 3, kind: isText, text: "3"}, {key: "y", line: 1, kind: isText, text: "1"}, {key: "z", line: 2, kind: isText, text: "2"},
				}},
			},
		},
		{name: "a mapping that merges itself", yaml: "a: &a\n  <<: *a\n", wantErr: "nested too deeply"},
		{name: "a merge of a list of texts", yaml: "a: {<<: [x]}\n", wantErr: "line 1: <<: must be a mapping or a list of mappings"},
		{name: "a quoted merge key is a key", yaml: "'<<': 1", want: []setting{{key: "<<", line: 1, kind: isText, text: "1"}}},
		{name: "a null key", yaml: "~: 1", want: []setting{{line: 1, kind: isText, text: "1"}}},

		{name: "a text", yaml: "tail", wantErr: "line 1: must be a mapping of flags to values"},
		{name: "a list", yaml: "- tail", wantErr: "line 1: must be a mapping of flags to values"},
		{name: "bad syntax", yaml: "a: 1\nb: [\n", wantErr: "line 2: "},
		{name: "a key twice", yaml: "a: 1\nb: 1\na: 2\n", wantErr: "line 3: a: already set in line 1"},
		{name: "a key twice below", yaml: "a:\n  b: 1\n  b: 2\n", wantErr: "line 3: b: already set in line 2"},
		{name: "a key twice, in two documents", yaml: "a: 1\n---\na: 2\n", wantErr: "line 3: a: already set in line 1"},
		{name: "a list as key", yaml: "a: 1\n[b]: 1\n", wantErr: "line 2: keys must be strings"},
		{name: "mappings in a list", yaml: "a:\n- b: 1\n", wantErr: "line 2: lists can contain only strings"},
		{name: "an alias to itself", yaml: "a: &a\n  b: *a\n", wantErr: "line 1: mappings are nested too deeply"},
		{name: "aliases that expand exponentially", yaml: bomb, wantErr: "nested too deeply"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readSettings(strings.NewReader(tt.yaml))
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Errorf("error is %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, tt.want)
			}
		})
	}
}

// bomb is a document that would fill the memory if its aliases were expanded.
var bomb = func() string {
	var b strings.Builder
	b.WriteString("a: &a0 {x: y}\n")
	for i := range 9 {
		at, before := string(rune('1'+i)), string(rune('0'+i))
		b.WriteString("b" + at + ": &a" + at + " {" + strings.Repeat("k", i+1) + ": *a" + before)
		for j := range 9 {
			b.WriteString(", " + strings.Repeat("l", j+1) + ": *a" + before)
		}
		b.WriteString("}\n")
	}
	return b.String()
}()
