package elastic_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

func TestResend_SkipsInvalidLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.SetFault(func(*http.Request) *fakesearch.Fault {
			return items(func(document) *fakesearch.Verdict {
				return &fakesearch.Verdict{Status: 400, Type: "strict_dynamic_mapping_exception", Reason: "no"}
			})
		})
		r := start(t, s)
		r.write(t, lines("a", "b", "c"))
		if err := r.Close(t.Context()); err == nil {
			t.Error("no error although all were rejected")
		}
		b, err := os.ReadFile(r.dead)
		if err != nil {
			t.Fatal(err)
		}
		rows := strings.SplitAfter(string(b), "\n")
		file := "\n" + rows[0] + rows[1][:40] + "\n{}\n" + strings.Repeat("x", 40<<20) + "\n" + rows[1] + strings.TrimSuffix(rows[2], "\n")
		s.SetFault(nil)
		r = start(t, s)
		err = r.Resend(t.Context(), strings.NewReader(file))
		if err == nil || !strings.Contains(err.Error(), "skipped 3 lines, the first is line 3") {
			t.Errorf("error is %v", err)
		}
		r.close(t)
		same(t, s.messages(), []string{"a", "b", "c"})
	})
}

func TestResend_DeliversTruncatedLineInFull(t *testing.T) {
	for name, flavor := range map[string]fakesearch.Flavor{
		"index": fakesearch.Elasticsearch64, "data stream": fakesearch.OpenSearch3,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: flavor})
				s.SetFault(func(*http.Request) *fakesearch.Fault {
					return items(func(d document) *fakesearch.Verdict {
						if len(d.Source) < 20_000 {
							return nil
						}
						return &fakesearch.Verdict{Status: http.StatusRequestEntityTooLarge, Reason: "too large"}
					})
				})
				long := strings.Repeat("é", 40_000)
				ls := lines("a", long, "b")
				r := start(t, s)
				r.write(t, ls)
				r.close(t)
				dead := r.dead
				s.SetFault(nil)
				for range 2 {
					letters, err := os.Open(dead)
					if err != nil {
						t.Fatal(err)
					}
					defer letters.Close() //nolint:errcheck // it is only read from
					r = start(t, s)
					if err := r.Resend(t.Context(), letters); err != nil {
						t.Error(err)
					}
					r.close(t)
				}
				want := 3
				if name == "data stream" {
					want++ // the truncated document remains: a data stream replaces nothing
				}
				got := s.messages()
				if len(got) != want || got[len(got)-1] != long {
					t.Errorf("there are %d documents, want %d; the longest message has %d bytes", len(got), want, len(got[len(got)-1]))
				}
				// The line itself is already indexed.
				r = start(t, s)
				r.write(t, ls)
				r.close(t)
				r.status(t, elastic.Status{Delivered: 3, Present: 3})
			})
		})
	}
}
