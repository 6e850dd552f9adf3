package elastic

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func created(n int) string {
	return `{"errors":false,"items":[` + strings.TrimSuffix(strings.Repeat(`{"create":{"status":201}},`, n), ",") + `]}`
}

// conflicts returns the response to n documents that are already indexed.
func conflicts(n int) string {
	const one = `{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"[_doc][GI_IeOPODRXL1GPxACyhh2z2E4qXuQOuAAAB]: version conflict, document already exists (current version [1])"}}},`
	return `{"errors":true,"items":[` + strings.TrimSuffix(strings.Repeat(one, n), ",") + `]}`
}

func TestParseAnswer_HasAVerdictForEachDocument(t *testing.T) {
	tests := []struct {
		name, body string
		n          int
		want       []verdict // nil: the response is invalid
	}{
		{"all created", created(3), 3, []verdict{delivered, delivered, delivered}},
		{"all there", conflicts(2), 2, []verdict{present, present}},
		{"another conflict", strings.Replace(conflicts(1), "version_conflict_engine_exception", "odd_exception", 1), 1, []verdict{retry}},
		{"with white space", strings.ReplaceAll(created(2), ",", ", ") + "\n", 2, []verdict{delivered, delivered}},
		{"mixed", `{"errors":true,"items":[
			{"create":{"status":201}},
			{"create":{"status":409,"error":{"type":"version_conflict_engine_exception","reason":"r"}}},
			{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"r"}}},
			{"create":{"status":403,"error":{"type":"cluster_block_exception","reason":"r"}}},
			{"create":{"status":403,"error":{"type":"security_exception","reason":"r"}}},
			{"create":{"status":404,"error":{"type":"index_not_found_exception","reason":"r"}}},
			{"create":{"status":400,"error":{"type":"mapper_parsing_exception","reason":"r","caused_by":{"type":"x","reason":"y"}}}},
			{"create":{"status":503,"error":"a word"}},
			{"create":{"status":201,"failure_store":"used"}}]}`, 9,
			[]verdict{delivered, present, retry, retry, blocked, blocked, rejected, retry, delivered}},
		{"empty", "", 1, nil},
		{"empty object", "{}", 1, nil},
		{"null", "null", 1, nil},
		{"no items", `{"errors":false,"items":[]}`, 1, nil},
		{"too few", created(2), 3, nil},
		{"too many", created(4), 3, nil},
		{"cut", created(3)[:40], 3, nil},
		{"twice", created(1) + created(1), 1, nil},
		{"HTML", "<html></html>", 1, nil},
		{"another action", `{"errors":false,"items":[{"update":{"status":201}}]}`, 1, nil},
		{"two actions", `{"errors":false,"items":[{"create":{"status":201},"index":{"status":201}}]}`, 1, nil},
		{"no status", `{"errors":false,"items":[{"create":{}}]}`, 1, nil},
		{"null item", `{"errors":false,"items":[null]}`, 1, nil},
		{"odd status", `{"errors":false,"items":[{"create":{"status":100}}]}`, 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			items, err := parseBulkResponse(nil, []byte(tt.body), tt.n)
			if tt.want == nil {
				if !errors.Is(err, errResponse) {
					t.Errorf("items %v, error %v, want errResponse", items, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range tt.want {
				if got := judge(ofItem, &items[i]); got != tt.want[i] {
					t.Errorf("item %d: verdict %d, want %d", i, got, tt.want[i])
				}
			}
		})
	}
}

// The fast parser agrees with the full parser.
func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(created(1)), 1)
	f.Add([]byte(created(3)), 3)
	f.Add([]byte(created(3)), 2)
	f.Add([]byte(conflicts(2)), 2)
	f.Add([]byte(strings.Replace(conflicts(2), "409", "201", 1)), 2)
	f.Add([]byte(strings.Replace(conflicts(1), `"reason"`, `"type":"x","reason"`, 1)), 1)
	f.Add([]byte(strings.Replace(conflicts(1), "[_doc]", "\x00", 1)), 1)
	f.Add([]byte(`{"errors":false,"items":[{"create":{"status":201}},]}`), 2)
	f.Add([]byte(`{"errors":false,"items":[{"create":{"status":201}}]}}`), 1)
	f.Add([]byte(`{"errors":true,"items":[{"create":{"status":409,"error":{"type":"t"}}}]}`), 1)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		n = min(max(n, 0), 100)
		quick, ok := parseFast(nil, body, n)
		thorough, err := parseItems(nil, body)
		for i := range thorough {
			if thorough[i].kind() == versionConflict {
				thorough[i].err = errConflict
			}
		}
		if ok && (err != nil || !slices.Equal(quick, thorough)) {
			t.Errorf("%q: %v, but %v %v", body, quick, thorough, err)
		}
		if items, err := parseBulkResponse(nil, body, n); err == nil && (len(items) != n || !json.Valid(body)) {
			t.Errorf("%q is accepted as the response to %d documents", body, n)
		}
	})
}

func BenchmarkParseAnswer(b *testing.B) {
	const n = 8000
	for name, body := range map[string]string{"created": created(n), "there": conflicts(n)} {
		b.Run(name, func(b *testing.B) {
			items, raw := make([]item, 0, n), []byte(body)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseBulkResponse(items, raw, n); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/doc")
		})
	}
}

func TestParseRetryAfter_IsNeitherNegativeNorLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for s, want := range map[string]time.Duration{
			"":         0,
			"7":        7 * time.Second,
			"-7":       0,
			"soon":     0,
			"99999999": maxRetryAfter,
			time.Now().UTC().Add(9 * time.Second).Format(http.TimeFormat): 9 * time.Second,
			"Thu, 01 Jan 1970 00:00:00 GMT":                               0,
			"Thu, 01 Jan 2170 00:00:00 GMT":                               maxRetryAfter,
		} {
			if got := parseRetryAfter(s); got != want {
				t.Errorf("%q is %s, want %s", s, got, want)
			}
		}
	})
}
