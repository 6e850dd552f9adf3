package web

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
)

// get returns the answer to a request.
func get(t *testing.T, h http.Handler, path string, params url.Values, answer any) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:7477/api/"+path+"?"+params.Encode(), nil)
	r.Header.Set("Authorization", "Bearer "+testToken)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := json.Unmarshal(w.Body.Bytes(), answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%s?%s: %d %v: %s", path, params.Encode(), w.Code, err, w.Body)
	}
}

// A condition that is made of what the drawer shows of a line selects this line, and its
// opposite the other one, whatever is in the name and in the value.
func TestFieldCondition_OfWhatIsShown(t *testing.T) {
	h := newTestServer(t,
		`{"msg":"a\u001b[31mb\tc","a=b":"1","n>m":"2","sql":"a != 5","x":"l1\nl2","bell":"\u0007","bidi":"\u202eabc","q\"=\\":"3","\u202ename":"4","\"":"5","^x":"<y>","c":"^G"}`,
		`{"msg":"other","c":"\u0000"}`).Handler()
	var line lineAnswer
	get(t, h, "line", url.Values{"seq": {"1"}}, &line)
	if len(line.Fields) != 12 {
		t.Fatalf("fields %q", line.Fields)
	}
	var names struct{ Fields map[string]int }
	get(t, h, "fields", nil, &names)
	for _, f := range line.Fields {
		for operator, want := range map[string]uint64{"=": 1, "!=": 2} {
			var a liveAnswer
			get(t, h, "live", url.Values{"field": {f[2] + operator + f[1]}, "rows": {"9"}, "wait": {"0"}}, &a)
			var row []any
			if len(a.Rows) == 1 {
				if err := json.Unmarshal(a.Rows[0], &row); err != nil {
					t.Fatal(err)
				}
			}
			if len(row) == 0 || row[0] != float64(want) {
				t.Errorf("%s%s%s selects %s, want line %d", f[2], operator, f[1], a.Rows, want)
			}
		}
		if names.Fields[f[2]] == 0 {
			t.Errorf("%s is not offered, only %v", f[2], names.Fields)
		}
	}
}
