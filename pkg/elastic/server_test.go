package elastic_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

const (
	daily      = "ktail-2026.01.31"
	dataStream = "logs-ktail-default"
)

// version returns a flavor with another version.
func version(f fakesearch.Flavor, number, build string) fakesearch.Flavor {
	f.Number, f.BuildFlavor = number, build
	return f
}

// disguised returns an Elasticsearch that only the product header identifies.
func disguised() fakesearch.Flavor {
	f := fakesearch.Elasticsearch9
	f.Tagline = "You Know, for Something Else"
	return f
}

func TestDetect_RecognizesServers(t *testing.T) {
	old := fakesearch.Elasticsearch710
	old.IndexTemplates = false
	full := fakesearch.Elasticsearch710
	full.DataStreams, full.LogsTemplate = true, true
	tests := []struct {
		name    string
		flavor  fakesearch.Flavor
		index   string
		request string // required request
		server  string
	}{
		{"6.4", fakesearch.Elasticsearch64, daily, "POST /ktail-2026.01.31/_doc/_bulk?", "Elasticsearch 6.4"},
		{"6.4, free", version(fakesearch.Elasticsearch64, "6.4.0", "oss"), daily, "PUT /_template/ktail?", "Elasticsearch 6.4"},
		{"6.2, which does not report a build flavor", version(fakesearch.Elasticsearch64, "6.2.4", ""), daily, "PUT /_template/ktail?", "Elasticsearch 6.2"},
		{"7.7", version(old, "7.7.0", "default"), daily, "PUT /_template/ktail?", "Elasticsearch 7.7"},
		{"7.10, free", fakesearch.Elasticsearch710, daily, "PUT /_index_template/ktail?", "Elasticsearch 7.10"},
		{"7.10, own build", version(fakesearch.Elasticsearch710, "7.10.2", "unknown"), daily, "PUT /_index_template/ktail?", "Elasticsearch 7.10"},
		{"7.17", version(full, "7.17.0", "default"), dataStream, "POST /logs-ktail-default/_bulk?", "Elasticsearch 7.17"},
		{"8", fakesearch.Elasticsearch8, dataStream, "POST /logs-ktail-default/_bulk?timeout=20s&filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by,items.*.failure_store,items.*._index&require_data_stream=true", "Elasticsearch 8.19"},
		{"9", fakesearch.Elasticsearch9, dataStream, "POST /logs-ktail-default/_bulk?", "Elasticsearch 9.1"},
		{"9, by its header", disguised(), dataStream, "POST /logs-ktail-default/_bulk?", "Elasticsearch 9.1"},
		{"serverless", fakesearch.Serverless, dataStream, "POST /logs-ktail-default/_bulk?", "Elasticsearch Serverless"},
		{"OpenSearch 1", fakesearch.OpenSearch1, dataStream, "PUT /_index_template/ktail?", "OpenSearch 1.3"},
		{"OpenSearch 1 in disguise", fakesearch.OpenSearch1Compatible, dataStream, "PUT /_index_template/ktail?", "OpenSearch 7.10"},
		{"OpenSearch 2", fakesearch.OpenSearch2, dataStream, "PUT /_index_template/ktail?", "OpenSearch 2.19"},
		{"OpenSearch 3", fakesearch.OpenSearch3, dataStream, "PUT /_index_template/ktail?", "OpenSearch 3.8"},
	}
	for _, tt := range tests {
		// The server may be detected after the first lines were encoded.
		for _, delay := range []time.Duration{0, 3 * time.Second} {
			t.Run(fmt.Sprint(tt.name, " after ", delay), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := serve(t, fakesearch.Options{Flavor: tt.flavor})
					s.SetFault(func(r *http.Request) *fakesearch.Fault {
						if isBulk(r) {
							return nil
						}
						return &fakesearch.Fault{Delay: delay}
					})
					r := start(t, s)
					begun := time.Now()
					r.write(t, lines("a"))
					if took := time.Since(begun); took > 0 {
						t.Errorf("writing took %s: Write must not wait for the server", took)
					}
					time.Sleep(time.Minute)
					r.write(t, lines("a", "b")[1:])
					r.close(t)
					same(t, s.Indices(), []string{tt.index})
					same(t, s.messages(), []string{"a", "b"})
					checkDataStreams(t, s)
					if s.IsDataStream(tt.index) != (tt.index == dataStream) {
						t.Error("it is not a data stream, or is one")
					}
					if s.countRequests(tt.request) == 0 {
						t.Errorf("requests were %v, want %s", s.Requests(), tt.request)
					}
					if got := r.Server(); got != tt.server {
						t.Errorf("it is detected as %s, want %s", got, tt.server)
					}
				})
			})
		}
	}
}

// checkDataStreams checks that documents in data streams, and no others, have the
// fields of one.
func checkDataStreams(t *testing.T, s server) {
	t.Helper()
	for _, d := range s.documents() {
		want := "<nil>"
		if strings.HasPrefix(d.Index, "logs-") {
			want = "map[dataset:ktail namespace:default type:logs]"
		}
		if got := fmt.Sprint(d.field("data_stream")); got != want {
			t.Errorf("data_stream is %s in %s", got, d.Index)
		}
	}
}

// The user can choose the target, and the template matches it.
func TestIndex_SelectsTargetAndTemplate(t *testing.T) {
	tests := []struct {
		flavor   fakesearch.Flavor
		index    string
		template string // template that must be created
		stream   bool
	}{
		{fakesearch.Elasticsearch64, "mine", "_template/ktail-mine", false},
		{fakesearch.Elasticsearch8, "mine", "_index_template/ktail-mine", false},
		{fakesearch.Elasticsearch8, "logs-shop-prod", "", true},
		{fakesearch.OpenSearch2, "logs-shop-prod", "_index_template/ktail-logs-shop-prod", true},
		{fakesearch.OpenSearch2, "mine", "_index_template/ktail-mine", false},
		// Names with four parts match the server's built-in template for logs-*-* as
		// well.
		{fakesearch.Elasticsearch8, "logs-my-shop-prod", "", true},
		{fakesearch.OpenSearch2, "logs-my-shop-prod", "_index_template/ktail-logs-my-shop-prod", true},
		{fakesearch.Elasticsearch64, "logs-my-shop-prod", "_template/ktail-logs-my-shop-prod", false},
		// Names with characters that are escaped in a path.
		{fakesearch.Elasticsearch64, "логи", "_template/ktail-логи", false},
		{fakesearch.Elasticsearch8, "shop-ü", "_index_template/ktail-shop-ü", false},
		{fakesearch.OpenSearch2, "shop(1)", "_index_template/ktail-shop(1)", false},
		{fakesearch.OpenSearch2, "shop{1}", "_index_template/ktail-shop{1}", false},
		{fakesearch.OpenSearch2, "shop%20'1;2", "_index_template/ktail-shop%20'1;2", false},
	}
	for _, tt := range tests {
		t.Run(tt.flavor.Number+" "+tt.index, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: tt.flavor})
				r := start(t, s, func(o *elastic.Options) { o.Index, o.Pipeline = tt.index, "my pipe" })
				r.write(t, lines("a"))
				r.close(t)
				same(t, s.Indices(), []string{tt.index})
				if s.IsDataStream(tt.index) != tt.stream {
					t.Errorf("data stream: %t", !tt.stream)
				}
				if docs := s.documents(); docs[0].Pipeline != "my pipe" {
					t.Errorf("the pipeline is %q", docs[0].Pipeline)
				}
				if (tt.template != "") != (s.countRequests("PUT /"+tt.template+"?") == 1) {
					t.Errorf("requests were %v, want the template %q", s.Requests(), tt.template)
				}
				if err := elastic.CheckIndex(tt.index); err != nil {
					t.Error(err)
				}
				if s.countRequests("PUT /")+s.countRequests("POST /") > 2 {
					t.Errorf("requests were %v", s.Requests())
				}
			})
		})
	}
}

func TestCheckIndex_RefusesNamesThatServersRefuse(t *testing.T) {
	for _, bad := range []string{"", ".", "..", "_shop", "-shop", "+shop", "shop:logs", "Shop", "a b", "a/b", "a*", "<shop-{now/d}>", "a\nb", "a\xff", strings.Repeat("a", 256)} {
		if elastic.CheckIndex(bad) == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// Without data streams, the index is named after the day of the line.
func TestDailyIndex_IsNamedAfterDayOfLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch64})
		r := start(t, s)
		all := lines("a", "b", "c", "d")
		all[1].Time += int64(24 * time.Hour)
		all[3].Time += int64(24 * time.Hour)
		r.write(t, all)
		r.close(t)
		same(t, s.Indices(), []string{"ktail-2026.01.31", "ktail-2026.02.01"})
		same(t, s.messages(), []string{"a", "b", "c", "d"})
		if body := string(s.Template("_template/ktail")); !strings.Contains(body, `"mappings":{"_doc":{`) {
			t.Errorf("the template is %s", body)
		}
	})
}

// After an upgrade of the server, lines go to the same target as before.
func TestUpgrade_KeepsTarget(t *testing.T) {
	tests := []struct{ before, after fakesearch.Flavor }{
		{fakesearch.Elasticsearch64, fakesearch.Elasticsearch710},
		{fakesearch.Elasticsearch710, fakesearch.Elasticsearch8},
		{fakesearch.OpenSearch2, fakesearch.OpenSearch3},
	}
	for _, tt := range tests {
		t.Run(tt.before.Number+" to "+tt.after.Number, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: tt.before})
				r := start(t, s)
				r.write(t, lines("a"))
				time.Sleep(5 * time.Second)
				// The document is stored, but the response is lost.
				s.fault(func(int, *http.Request) *fakesearch.Fault {
					return &fakesearch.Fault{Cut: fakesearch.CutBeforeResponse}
				})
				r.write(t, lines("a", "b")[1:])
				time.Sleep(5 * time.Second)
				s.SetFlavor(tt.after)
				s.SetFault(nil)
				time.Sleep(time.Minute)
				r.write(t, lines("a", "b", "c")[2:])
				r.close(t)
				same(t, s.messages(), []string{"a", "b", "c"})
				if got := s.Indices(); len(got) != 1 {
					t.Errorf("the lines are in %q", got)
				}
				if got, want := r.Server(), tt.after.Number[:3]; !strings.Contains(got, want) {
					t.Errorf("it is detected as %s, want %s", got, want)
				}
			})
		})
	}
}

// The kind of the target is remembered from run to run.
func TestUpgrade_BetweenRunsKeepsTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dir := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch64}), t.TempDir()
		for _, flavor := range []fakesearch.Flavor{fakesearch.Elasticsearch64, fakesearch.Elasticsearch8} {
			s.SetFlavor(flavor)
			r := start(t, s, func(o *elastic.Options) { o.Dir = dir })
			r.write(t, lines("a", "b"))
			r.close(t)
		}
		same(t, s.messages(), []string{"a", "b"})
		same(t, s.Indices(), []string{daily})
	})
}

// A user without the right to detect the server or to create a template can still
// deliver lines.
func TestMissingPrivileges_DoNotStopDelivery(t *testing.T) {
	for _, denied := range []string{"GET", "HEAD", "PUT"} {
		for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
			t.Run(fmt.Sprint(denied, status), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch2})
					s.SetFault(func(r *http.Request) *fakesearch.Fault {
						if r.Method == denied {
							return fakesearch.Denied(status)
						}
						return nil
					})
					r := start(t, s)
					r.write(t, lines("a"))
					r.close(t)
					same(t, s.messages(), []string{"a"})
					if reported := slices.Contains(r.events.kinds(), elastic.NoTemplate); reported != (denied == "PUT") {
						t.Errorf("reported %v: %s", r.events.kinds(), r.events.text())
					}
				})
			})
		}
	}
}

// A server that is not a search server receives no lines.
func TestDetect_OtherServerGetsNothing(t *testing.T) {
	for page, want := range map[string]string{
		"<html>welcome</html>": "es1:9200 does not look like Elasticsearch",
		`{"tagline":"a shop"}`: "es1:9200 is n",
	} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, fakesearch.Options{})
			s.SetFault(func(*http.Request) *fakesearch.Fault {
				return &fakesearch.Fault{Response: &fakesearch.Response{Body: page}}
			})
			r := start(t, s)
			r.write(t, lines("a"))
			time.Sleep(10 * time.Second)
			if n := s.Counts().Bulks; n > 0 || !strings.Contains(r.events.text(), want) {
				t.Errorf("%d bulks, reported %s", n, r.events.text())
			}
			s.SetFault(nil)
			r.close(t)
			same(t, s.messages(), []string{"a"})
		})
	}
}
