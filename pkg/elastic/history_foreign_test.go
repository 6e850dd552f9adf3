package elastic_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/internal/shippers"
	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/ktail"
)

// put indexes documents as other programs do.
func put(t *testing.T, s server, index string, documents ...string) {
	t.Helper()
	var body strings.Builder
	for i, document := range documents {
		fmt.Fprintf(&body, `{"create":{"_index":%q,"_id":"%s-%d"}}`+"\n%s\n", index, index, i, document)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/_bulk", strings.NewReader(body.String()))
	r.Header.Set("Content-Type", "application/x-ndjson")
	s.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"errors":false`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

// shippedLines returns lines of several pods of a Deployment. Their times have nanoseconds
// without leading zeros, and several lines share a millisecond.
func shippedLines(n int) []ktail.Line {
	lines := make([]ktail.Line, n)
	for i := range lines {
		s := podStream(i % 3)
		s.Pod = fmt.Sprintf("web-5d4f8c7b9-abcd%d", i%3)
		lines[i] = ktail.Line{Stream: s, Time: begin + int64(i)*400_003 + 7, Text: fmt.Appendf(nil, "%d \"\\ €", i)}
	}
	return lines
}

func ofIndex(pattern string) func(*elastic.HistoryOptions) {
	return func(o *elastic.HistoryOptions) { o.Index = pattern }
}

func ship(t *testing.T, s server, program shippers.Shipper, index string, lines []ktail.Line) {
	t.Helper()
	documents := make([]string, len(lines))
	for i := range lines {
		documents[i] = program.Document(&lines[i], i)
	}
	put(t, s, index, documents...)
}

func TestHistory_ReadsDocumentsOfOtherShippers(t *testing.T) {
	for _, program := range shippers.All {
		t.Run(program.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
				want := shippedLines(60)
				ship(t, s, program, "theirs-1", want)
				got, h, err := history(t, s, ofIndex("theirs-*"))
				if err != nil {
					t.Fatal(err)
				}
				checkShipped(t, program, got, want)
				if (h.Inexact() == "") != program.Exact {
					t.Errorf("the times of %q are inexact", h.Inexact())
				}
				for i := range want {
					if h.IsNew(&want[i]) {
						t.Errorf("the live line %q is shown again", want[i].Text)
					}
				}
				next := want[59]
				next.Time += int64(time.Millisecond)
				late := want[58] // shipped later than the lines around it
				late.Text = []byte("late")
				if !h.IsNew(&next) || !h.IsNew(&late) {
					t.Error("a live line that was not shipped is not shown")
				}
				if p := h.Position(want[59].Stream.Key()); p.IsZero() == program.Exact || p.Time == 0 {
					t.Errorf("the live log continues at %+v", p)
				}
			})
		})
	}
}

func checkShipped(t *testing.T, program shippers.Shipper, got, want []ktail.Line) {
	t.Helper()
	same(t, texts(got), texts(want))
	for i := range got {
		at := want[i].Time
		if !program.Exact {
			at -= at % 1e6
		}
		if got[i].Time != at || got[i].Stream.Key() != want[i].Stream.Key() {
			t.Fatalf("line %d is %d of %s, want %d of %s", i, got[i].Time, got[i].Stream, at, want[i].Stream)
		}
	}
	a, b := *got[0].Stream, *want[0].Stream
	if program.NoCluster {
		b.Cluster = ""
	}
	if a.Labels["app"] != "web" {
		t.Errorf("the labels are %v", a.Labels)
	}
	_, b.Instance.ID, _ = strings.Cut(b.Instance.ID, "://")
	_, id, ok := strings.Cut(a.Instance.ID, "://")
	if !ok {
		id = a.Instance.ID
	}
	if program.Name == "Fluentd" {
		id = "id-1" // in another field
	}
	b.Instance.ID, a.Instance.ID = "id-1", id
	a.Labels, b.Labels = nil, nil
	if fmt.Sprintf("%+v", a) != fmt.Sprintf("%+v", b) {
		t.Errorf("the stream is  %+v\nwant %+v", a, b)
	}
}

// One pattern can cover documents of several programs. Lines that two of them have
// forwarded are shown once.
func TestHistory_MergesDocumentsOfSeveralShippers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		want := shippedLines(300)
		of := func(n int, from, to int) []ktail.Line {
			var lines []ktail.Line
			for _, l := range want[from:to] {
				if l.Stream.PodUID == podStream(n).PodUID {
					lines = append(lines, l)
				}
			}
			return lines
		}
		deliver(t, s, of(0, 0, 300))
		ship(t, s, shippers.All[0], "filebeat-1", of(1, 0, 300))
		ship(t, s, shippers.All[2], "fluent-1", of(2, 0, 150))
		deliver(t, s, of(2, 150, 300)) // ktail has taken over
		ship(t, s, shippers.All[2], "fluent-2", of(2, 150, 270))
		got, _, err := history(t, s, ofIndex("*"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, sortedTexts(got), sortedTexts(want))
		for n := range 3 {
			var mine []ktail.Line
			for _, l := range got {
				if l.Stream.PodUID == podStream(n).PodUID {
					mine = append(mine, l)
				}
			}
			same(t, texts(mine), texts(of(n, 0, 300)))
		}
		for i := 1; i < len(got); i++ {
			if got[i].Time < got[i-1].Time-1e6 { // Filebeat's times are rounded down
				t.Fatalf("line %d is earlier than the line before it", i)
			}
		}
	})
}

func sortedTexts(lines []ktail.Line) []string {
	all := texts(lines)
	slices.Sort(all)
	return all
}

func TestHistory_SelectsDocumentsOfOtherShippers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		all := shippedLines(30)
		at := begin - begin%1e6
		for i := range all {
			all[i].Time = at + int64(i/6)*1e6 // six lines, two of each stream, share a millisecond
			all[i].Text = fmt.Appendf(nil, "%02d", i)
		}
		ship(t, s, shippers.All[0], "filebeat-1", all)
		for _, tt := range []struct {
			name   string
			change func(*elastic.HistoryOptions)
			want   string
		}{
			{"the last lines of each stream", func(o *elastic.HistoryOptions) { o.Tail = 1 }, "27 28 29"},
			{"the last lines, of which some share a time with unwanted ones", func(o *elastic.HistoryOptions) { o.Tail = 3 }, "21 22 23 24 25 26 27 28 29"},
			{"a range of time", func(o *elastic.HistoryOptions) {
				o.Since, o.Until = time.Unix(0, at+1e6), time.Unix(0, at+2e6)
			}, "06 07 08 09 10 11"},
			{"one pod", func(o *elastic.HistoryOptions) {
				o.Select = func(s *ktail.Stream) bool { return s.PodUID == "uid-1" }
				o.Tail = 4
			}, "19 22 25 28"},
			{"by owner", func(o *elastic.HistoryOptions) {
				o.Select = func(s *ktail.Stream) bool { return s.Owner == ktail.Owner{Kind: "Deployment", Name: "web"} }
				o.Tail = 1
			}, "27 28 29"},
		} {
			got, _, err := history(t, s, ofIndex("filebeat-*"), tt.change)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if joined := strings.Join(texts(got), " "); joined != tt.want {
				t.Errorf("%s: got  %s\nwant %s", tt.name, joined, tt.want)
			}
		}
	})
}

// A response has at most 10,000 documents, however many there are in a millisecond.
func TestHistory_ReadsBurstsOfOtherShippersCompletely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		burst := shippedLines(12_000)
		for i := range burst {
			burst[i].Time = begin + int64(i)/4000*1e6
		}
		ship(t, s, shippers.All[0], "filebeat-1", burst)
		got, _, err := history(t, s, ofIndex("filebeat-*"))
		if err != nil {
			t.Fatal(err)
		}
		same(t, texts(got), texts(burst))

		ship(t, s, shippers.All[0], "filebeat-2", slices.Repeat(burst[:1], 10_001))
		if _, _, err = history(t, s, ofIndex("filebeat-2")); err == nil || !strings.Contains(err.Error(), "more than 10000 lines have the same @timestamp") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestHistory_ReportsDocumentsThatNameNoPod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		put(t, s, "other-1", `{"@timestamp":"2026-01-31T10:00:00.000Z","kubernetes":"text"}`)
		_, _, err := history(t, s, ofIndex("other-*"))
		unknown, ok := errors.AsType[*elastic.UnknownDocumentsError](err)
		if !ok || unknown.Index != "other-*" || unknown.Example != "other-1" {
			t.Errorf("the error is %v", err)
		}
	})
}

// mapKeywords makes the strings of the index keywords, instead of text with a subfield
// keyword.
func mapKeywords(t *testing.T, s server, index string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodPut, "/_index_template/"+index, strings.NewReader(fmt.Sprintf(`{"index_patterns":[%q]}`, index))))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

func TestHistory_ReadsIndicesWithAndWithoutTemplate(t *testing.T) {
	for _, tail := range []int64{-1, 2} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
			mapKeywords(t, s, "mapped-1")
			all := shippedLines(9)
			want := texts(all)
			if tail > 0 {
				want = want[3:]
			}
			for _, index := range []string{"mapped-1", "text-1"} {
				ship(t, s, shippers.All[0], index, all)
				got, _, err := history(t, s, ofIndex(index), func(o *elastic.HistoryOptions) { o.Tail = tail })
				if err != nil {
					t.Fatalf("%s: %v", index, err)
				}
				same(t, texts(got), want)
			}
		})
	}
}

// If indices map the name of a pod or a container differently, the server cannot tell the
// streams of all documents apart, so the result would not be complete.
func TestHistory_ReportsIndicesWithDifferentMappings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
		mapKeywords(t, s, "mapped-1")
		ship(t, s, shippers.All[0], "text-1", shippedLines(30)[:20])
		ship(t, s, shippers.All[0], "mapped-1", shippedLines(30)[20:])
		_, _, err := history(t, s, ofIndex("*"), func(o *elastic.HistoryOptions) { o.Tail = 3 })
		if err == nil || !strings.Contains(err.Error(), "is mapped differently in the indices text-1 and mapped-1") || !strings.Contains(err.Error(), "--history-index") {
			t.Errorf("the error is %v, want one that names the index and the field", err)
		}
	})
}

// Without permission to install a template, servers map the fields of ktail's documents as
// text.
func TestHistory_ReadsOwnDocumentsWithoutTemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
		s.SetFault(func(r *http.Request) *fakesearch.Fault {
			if strings.HasPrefix(r.URL.Path, "/_index_template") {
				return failing(http.StatusForbidden, "security_exception", "no permission")
			}
			return nil
		})
		all := shippedLines(30)
		deliver(t, s, all)
		for _, tail := range []int64{-1, 2} {
			got, _, err := history(t, s, func(o *elastic.HistoryOptions) {
				o.Tail, o.Namespaces = tail, []string{"shop"}
				o.Select = func(s *ktail.Stream) bool { return s.PodUID == "uid-1" }
			})
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for i := 1; i < len(all); i += 3 {
				want = append(want, string(all[i].Text))
			}
			if tail > 0 {
				want = want[len(want)-int(tail):]
			}
			same(t, texts(got), want)
		}
	})
}

// An index without matching lines is not an error, even beside documents of others.
func TestHistory_NoMatchIsNotAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		if got, _, err := history(t, s, ofIndex("*")); err != nil || len(got) > 0 {
			t.Errorf("an empty server: %d lines, error %v", len(got), err)
		}
		ship(t, s, shippers.All[0], "filebeat-1", shippedLines(3))
		deliver(t, s, lines(numbered(5)...))
		got, _, err := history(t, s, ofIndex("*"), func(o *elastic.HistoryOptions) {
			o.Until = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
		})
		if err != nil || len(got) > 0 {
			t.Errorf("%d lines, error %v", len(got), err)
		}
	})
}

// Servers accept more forms of times than RFC 3339, and a mapping can have its own. No
// line is lost, whatever the form is.
func TestHistory_ReadsAllFormsOfTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		at := func(d time.Duration) int64 {
			return time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC).Add(d).UnixNano()
		}
		times := []struct {
			json string
			want int64
		}{
			{`"2026-11-30"`, at(0)},
			{`"2026-11-30T01+00"`, at(time.Hour)},
			{`"2026-11-30T04:00+0200"`, at(2 * time.Hour)},
			{`"2026-11-30T03:00:00"`, at(3 * time.Hour)},
			{`"2026-11-30T04:00:00.100"`, at(4*time.Hour + 100*time.Millisecond)},
			{`"2026-11-30T05:00:00,1"`, at(5*time.Hour + 100*time.Millisecond)},
			{`"2026-11-30T07:30:00.123456789+0130"`, at(6*time.Hour + 123456789)},
			{`"2026-11-30T07:00:00.000000+00:00"`, at(7 * time.Hour)},
			{fmt.Sprint(at(8*time.Hour) / 1e6), at(8 * time.Hour)},
			{fmt.Sprintf("%q", fmt.Sprint(at(9*time.Hour)/1e6)), at(9 * time.Hour)},
			{`"30/Nov/2026:12:00:00 +0200"`, at(10 * time.Hour)}, // the format of an own mapping
		}
		var want []string
		for i, tt := range times {
			text := fmt.Sprintf("%02d", i)
			want = append(want, text)
			put(t, s, fmt.Sprintf("theirs-%02d", i), fmt.Sprintf(
				`{"@timestamp":%s,"message":%q,"kubernetes":{"namespace":"shop","pod":{"name":"web-1"},"container":{"name":"app"}}}`, tt.json, text))
		}
		for _, tail := range []int64{-1, 100} {
			got, _, err := history(t, s, ofIndex("theirs-*"), func(o *elastic.HistoryOptions) {
				o.Since, o.Until, o.Tail = time.Unix(0, at(0)), time.Unix(0, at(11*time.Hour)), tail
			})
			if err != nil {
				t.Fatal(err)
			}
			same(t, texts(got), want)
			for i := range min(len(got), len(times)) {
				if got[i].Time != times[i].want {
					t.Errorf("the time %s is read as %s", times[i].json, time.Unix(0, got[i].Time).UTC())
				}
			}
		}
	})
}

// The engine gives lines of the source's instance the stream of the source.
func TestHistory_LinesWithoutAnInstanceKeepTheirStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		put(t, s, "theirs-1", `{"@timestamp":"2026-01-31T10:00:00.000Z","message":"one","kubernetes":{"namespace":"shop","pod":{"name":"web-1"},"container":{"name":"app"}}}`)
		got, h, err := history(t, s, ofIndex("theirs-*"))
		if err != nil || len(got) != 1 {
			t.Fatalf("%d lines, %v", len(got), err)
		}
		err = h.Watch(t.Context(), func(set []ktail.Source) {
			if set[0].Stream().Instance == got[0].Stream.Instance {
				t.Errorf("the source has the instance of the line: %+v", got[0].Stream.Instance)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Servers name what failed in a shard only as the root cause.
func TestHistory_ReportsWhyAShardFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		deliver(t, s, lines("one"))
		s.SetFault(func(*http.Request) *fakesearch.Fault {
			return &fakesearch.Fault{Response: &fakesearch.Response{Status: http.StatusBadRequest, Body: `{"error":{"root_cause":[{"type":"illegal_argument_exception",` +
				`"reason":"Fielddata is disabled on text fields by default. Set fielddata=true on [kubernetes.pod.uid]"}],"type":"search_phase_execution_exception","reason":"Partial shards failure"}}`}}
		})
		_, _, err := history(t, s)
		if err == nil || !strings.Contains(err.Error(), "kubernetes.pod.uid") {
			t.Errorf("the error is %v, want one that names the field", err)
		}
	})
}
