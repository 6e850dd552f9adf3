package metrics

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/sinktest"
	"github.com/ktail/ktail/pkg/ktail"
)

func pod(name string) *ktail.Stream {
	return &ktail.Stream{Namespace: "ns", Pod: name, PodUID: "uid-" + name, Container: "c"}
}

func log(k *ktail.Stream, text string) ktail.Line {
	return ktail.Line{Stream: k, Time: time.Now().UnixNano(), Text: []byte(text)}
}

func newSink(t testing.TB, o Options, rules ...string) *Sink {
	t.Helper()
	for _, text := range rules {
		r, err := ParseRule(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Rules = append(o.Rules, r)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t testing.TB, s *Sink, lines ...ktail.Line) {
	t.Helper()
	if err := s.Write(context.Background(), lines); err != nil {
		t.Fatal(err)
	}
}

// connection scrapes a sink as one server does.
type connection struct {
	handler *Handler
	ctx     context.Context
	conn    net.Conn
	address string // of the server; empty: that of all others
}

func connect(s *Sink) *connection { return connectFrom(s, "") }

func connectFrom(s *Sink, address string) *connection {
	h, conn := NewHandler(s), &net.TCPConn{}
	return &connection{h, h.connect(context.Background(), conn), conn, address}
}

func (c *connection) request(ctx context.Context) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil).WithContext(ctx)
	if c.address != "" {
		r.RemoteAddr = c.address + ":1234"
	}
	return r
}

// close closes the connection.
func (c *connection) close() { c.handler.disconnect(c.conn) }

// timeOut sends a scrape whose response is not received, and closes the connection.
func (c *connection) timeOut() {
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	c.handler.ServeHTTP(httptest.NewRecorder(), c.request(ctx))
	c.close()
}

// scrape returns the samples by what is in front of their values.
func (c *connection) scrape(t testing.TB) map[string]float64 {
	t.Helper()
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, c.request(c.ctx))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return samples(t, w.Body.String())
}

func samples(t testing.TB, text string) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") || line == "" {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all[line[:i]] = v
	}
	return all
}

func names(all map[string]float64, prefix string) []string {
	var found []string
	for name := range all {
		if strings.HasPrefix(name, prefix) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

const codeRule = `http_responses_total{code}=" (?P<code>\d{3}) `

func code(name, code string) string {
	return fmt.Sprintf(`http_responses_total{code=%q,container="c",namespace="ns",pod=%q}`, code, name)
}

func TestSink_Contract(t *testing.T) {
	sinktest.Run(t, func(t *testing.T, _ context.Context) sinktest.Subject {
		s := newSink(t, Options{Rules: []Rule{{Name: "texts_total", Match: "^(?P<text>.*)$", Labels: []Label{{"text", "text"}}, Limit: 1000}}})
		return sinktest.Subject{Sink: s, Received: func() []string {
			var texts []string
			for _, g := range s.metrics[s.set.rules[0].index].groups {
				for _, sr := range g.series {
					for range int(sr.value) {
						texts = append(texts, sr.values[0])
					}
				}
			}
			slices.Sort(texts)
			return texts
		}, Line: func(text string) ktail.Line { return log(pod("p"), text) }}
	})
}

func TestScrape_NewSeriesIsZeroFirst(t *testing.T) {
	s := newSink(t, Options{}, codeRule)
	k := pod("web")
	s.Streams([]*ktail.Stream{k})
	servers := []*connection{connect(s), connect(s), connect(s)}
	for _, server := range servers {
		server.scrape(t)
	}
	for range 3 {
		write(t, s, log(k, `"GET /" 500 1`))
	}
	for i, server := range servers {
		if v, ok := server.scrape(t)[code("web", "500")]; !ok || v != 0 {
			t.Errorf("server %d sees %v, %v first, want 0", i, v, ok)
		}
	}
	for i, server := range servers {
		if v := server.scrape(t)[code("web", "500")]; v != 3 {
			t.Errorf("server %d sees %v next, want 3", i, v)
		}
	}
	if v := connect(s).scrape(t)[code("web", "500")]; v != 3 {
		t.Errorf("a new server sees %v, want 3: the series is old", v)
	}
}

func TestScrape_KnownValuesAreZeroFromTheStart(t *testing.T) {
	s := newSink(t, Options{Rules: []Rule{
		{Name: "errors_total", Match: "error"},
		{Name: "app_errors_total", Labels: []Label{{"logger", "logger"}}, Values: map[string][]string{"logger": {"cart", "stock"}}},
		{Name: "rows", Value: "rows"},
	}})
	k := pod("web")
	s.Streams([]*ktail.Stream{k})
	c := connect(s)
	all := c.scrape(t)
	for _, name := range []string{
		`errors_total{container="c",namespace="ns",pod="web"}`,
		`app_errors_total{container="c",logger="cart",namespace="ns",pod="web"}`,
		`app_errors_total{container="c",logger="stock",namespace="ns",pod="web"}`,
		`ktail_log_lines_total{container="c",namespace="ns",pod="web"}`,
	} {
		if v, ok := all[name]; !ok || v != 0 {
			t.Errorf("%s is %v, %v; want 0", name, v, ok)
		}
	}
	if found := names(all, "rows"); len(found) > 0 {
		t.Errorf("a gauge without a value is shown: %q", found)
	}
	write(t, s, log(k, `{"logger":"mail"}`), log(k, `{"logger":"cart"}`))
	c.scrape(t)
	all = c.scrape(t)
	if n := all[`ktail_metric_overflows_total{label="logger",metric="app_errors_total"}`]; n != 0 {
		t.Errorf("%v overflows of a label whose other values are not wanted", n)
	}
	if all[`app_errors_total{container="c",logger="other",namespace="ns",pod="web"}`] != 1 || all[`app_errors_total{container="c",logger="cart",namespace="ns",pod="web"}`] != 1 {
		t.Errorf("loggers are %q", names(all, "app_errors_total"))
	}
}

// A level may be written in any notation, in the rule and in the line.
func TestKnownValues_OfLevelsHaveAnyNotation(t *testing.T) {
	s := newSink(t, Options{By: []string{}, Rules: []Rule{
		{Name: "lines_total", Labels: []Label{{"level", "level"}}, Values: map[string][]string{"level": {"ERROR", "WARNING", "warn", "audit"}}},
		{Name: "words_total", Match: `(?P<word>\w+)$`, Labels: []Label{{"word", "word"}}, Values: map[string][]string{"word": {"ERROR"}}},
	}})
	k := pod("web")
	write(t, s, log(k, `{"level":"error"}`), log(k, "ERROR x"), log(k, "W0131 10:00:00.000000 1 main.go:1] x"), log(k, "level=audit"), log(k, "level=info"), log(k, "ERROR"))
	c := connect(s)
	c.scrape(t)
	all := c.scrape(t)
	for name, want := range map[string]float64{
		`lines_total{level="error"}`: 3, `lines_total{level="warn"}`: 1, `lines_total{level="audit"}`: 1, `lines_total{level="other"}`: 1,
		`words_total{word="ERROR"}`: 1,
	} {
		if got := all[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if found := names(all, "lines_total"); len(found) != 4 {
		t.Errorf("the series are %q", found)
	}
}

// Like the page, and like encoding/json, jq, and kr/logfmt.
func TestFields_TheLastOfTwoCounts(t *testing.T) {
	s := newSink(t, Options{}, `http_total{http.status}=.`)
	k := pod("web")
	write(t, s,
		log(k, `{"http":{"status":200},"http":{"status":503}}`), log(k, `{"http.status":200,"http":{"status":503}}`), log(k, `http.status=200 a=b http.status=503`),
		log(k, `{"http":{"status":503,"status":null}}`), log(k, `{"http":{"status":503,"status":[1]}}`),
	)
	c := connect(s)
	c.scrape(t)
	sums := map[string]float64{}
	for name, n := range c.scrape(t) {
		for _, status := range []string{"200", "503"} {
			if strings.Contains(name, `http_status="`+status+`"`) {
				sums[status] += n
			}
		}
	}
	if sums["200"] != 0 || sums["503"] != 3 {
		t.Errorf("the counts by status are %v", sums)
	}
}

func TestFields_AreReadFromJSONLogfmtAndGroups(t *testing.T) {
	s := newSink(t, Options{Rules: []Rule{
		{Name: "calls_total", Where: []Condition{{"msg", []string{"call done"}}}, Labels: []Label{{"code", "http.status"}}, By: []string{}},
		{Name: "call_duration_seconds", Where: []Condition{{"msg", []string{"call done"}}}, Value: "duration_ms", Scale: 0.001, By: []string{}},
		{Name: "level_total", Labels: []Label{{"level", "level"}}, By: []string{"namespace"}},
		{Name: "slow_total", Where: []Condition{{"duration_ms", []string{">=100"}}}, By: []string{}},
		{Name: "api_total", Where: []Condition{{"path", []string{"~^/api/"}}}, By: []string{}},
		{Name: "bad_total", Where: []Condition{{"level", []string{"error", "fatal"}}}, By: []string{}},
		{Name: "took_seconds", Pattern: "took <t> for <_>", Value: "t", By: []string{}},
		{Name: "size_bytes", Type: Gauge, Match: `size=(?P<size>\S+)`, Value: "size", By: []string{"owner", "label_app_kubernetes_io_name"}},
	}})
	k := pod("web")
	k.Owner = ktail.Owner{Kind: "Deployment", Name: "web"}
	k.Labels = map[string]string{"app.kubernetes.io/name": "shop"}
	write(t, s,
		log(k, `{"level":"ERROR","msg":"call done","http":{"status":503},"duration_ms":250}`),
		log(k, `{"level":"info","msg":"call done","http.status":"200","duration_ms":4,"path":"\/api\/x"}`),
		log(k, `level=warn msg="call done" http.status=200 duration_ms=100 path=/x`),
		log(k, `E0131 10:00:00.000000 1 main.go:1] no`),
		log(k, "\x1b[31mERROR\x1b[0m no"),
		log(k, `{"\u006ceve\u006c":"info","http":{"\u0073tatus":"200"}}`),
		log(k, "took 42.5ms for x"),
		log(k, "size=1.5KiB"),
		log(k, `{"level":"error","msg":"call done"`),
	)
	c := connect(s)
	c.scrape(t)
	all := c.scrape(t)
	for name, want := range map[string]float64{
		`calls_total{code="503"}`:     1,
		`calls_total{code="200"}`:     2,
		`call_duration_seconds_count`: 3, `call_duration_seconds_sum`: 0.354, `call_duration_seconds_bucket{le="0.005"}`: 1, `call_duration_seconds_bucket{le="+Inf"}`: 3,
		`level_total{level="error",namespace="ns"}`: 4,
		`level_total{level="info",namespace="ns"}`:  2,
		`level_total{level="warn",namespace="ns"}`:  1,
		`slow_total`: 2, `api_total`: 1, `bad_total`: 4,
		`took_seconds_sum`: 0.0425,
		`size_bytes{label_app_kubernetes_io_name="shop",owner="Deployment/web"}`: 1536,
	} {
		if got, ok := all[name]; !ok || got-want > 1e-9 || want-got > 1e-9 {
			t.Errorf("%s is %v, %v; want %v", name, got, ok, want)
		}
	}
}

// One rule does not change what another one counts, although a name is a scalar in some
// lines and an object in others.
func TestFields_OfOneRuleDoNotHideThoseOfAnother(t *testing.T) {
	s := newSink(t, Options{By: []string{}}, `errors_total{error}=`, `codes_total{error.code}=`, `deep_total{error.code.x}=`)
	k := pod("web")
	write(t, s, log(k, `{"error":"timeout"}`), log(k, `{"error":{"code":5}}`), log(k, `{"error": {"code": {"x":7}}}`), log(k, `{"error":[{"code":5}]}`))
	c := connect(s)
	c.scrape(t)
	all := c.scrape(t)
	for name, want := range map[string]float64{
		`errors_total{error="timeout"}`: 1, `errors_total`: 3,
		`codes_total{error_code="5"}`: 1, `codes_total`: 3,
		`deep_total{error_code_x="7"}`: 1, `deep_total`: 3,
	} {
		if got := all[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// "!=" without a value means: not empty.
func TestWhere_NotEqual(t *testing.T) {
	o := Options{By: []string{}}
	for name, value := range map[string]string{"not_empty_total": "!=", "not_zero_total": "!=0", "not_a_total": "!=a"} {
		o.Rules = append(o.Rules, Rule{Name: name, Where: []Condition{{"user", []string{value}}}})
	}
	s := newSink(t, o)
	k := pod("web")
	for _, user := range []string{`""`, `"0"`, `0`, `"a"`, `""`, `""`} {
		write(t, s, log(k, `{"user":`+user+`}`))
	}
	write(t, s, log(k, `{"other":1}`))
	c := connect(s)
	c.scrape(t)
	all := c.scrape(t)
	for name, want := range map[string]float64{"not_empty_total": 3, "not_zero_total": 4, "not_a_total": 5} {
		if all[name] != want {
			t.Errorf("%s is %v, want %v", name, all[name], want)
		}
	}
}

// Space around a line changes nothing.
func TestFields_OfIndentedLines(t *testing.T) {
	s := newSink(t, Options{By: []string{}}, `users_total{user}=`)
	k := pod("web")
	for _, line := range []string{`{"user":"a"}`, ` {"user":"a"}`, "\t{\"user\":\"a\"}", " \t {\"user\":\"a\"}\t\r", "\tuser=a ok=1 ", "user=a\tok=1"} {
		write(t, s, log(k, line))
	}
	c := connect(s)
	c.scrape(t)
	if got := c.scrape(t)[`users_total{user="a"}`]; got != 6 {
		t.Errorf("%v lines have a user, want 6", got)
	}
}

func TestLimit_FurtherValuesAreOther(t *testing.T) {
	const values = 100_000
	warnings := 0
	s := newSink(t, Options{Warn: func(string, ...any) { warnings++ }}, `users_total{user,ok}=user=(?P<user>\S+) ok=(?P<ok>\S+)`)
	k := pod("web")
	for i := range values {
		write(t, s, log(k, fmt.Sprintf("user=u%d ok=%v", i, i%2 == 0)))
	}
	c := connect(s)
	c.scrape(t)
	all := c.scrape(t)
	found := names(all, "users_total")
	if len(found) != 102 { // 100 users, and "other" with ok=true and ok=false
		t.Errorf("%d series, want 102", len(found))
	}
	sum, good := 0.0, 0.0
	for _, name := range found {
		sum += all[name]
		if strings.Contains(name, `ok="true"`) {
			good += all[name]
		}
	}
	if sum != values || good != values/2 {
		t.Errorf("the sums are %v and %v, want %d and %d", sum, good, values, values/2)
	}
	if n := all[`ktail_metric_overflows_total{label="user",metric="users_total"}`]; n != values-100 || warnings != 1 {
		t.Errorf("%v overflows in %d messages, want %d in one", n, warnings, values-100)
	}
}

func TestMaxSeries_FurtherOnesAreOther(t *testing.T) {
	s := newSink(t, Options{MaxSeries: 50}, `users_total{user}=(?P<user>\S+)`)
	for i := range 1000 {
		write(t, s, log(pod(fmt.Sprintf("p%d", i)), fmt.Sprintf("u%d", i%7)))
	}
	c := connect(s)
	c.scrape(t)
	all := c.scrape(t)
	sum := 0.0
	found := names(all, "users_total")
	for _, name := range found {
		sum += all[name]
	}
	if sum != 1000 || len(found) != 51 {
		t.Errorf("%d series with the sum %v, want 51 with 1000", len(found), sum)
	}
}

// The bound is on what a server stores, so that its sample_limit can be chosen by it. A state
// file brings no more than it had.
func TestMaxSeries_CountsBucketsOfHistograms(t *testing.T) {
	const most = 200
	o := stateOptions(filepath.Join(t.TempDir(), "state"))
	o.MaxSeries = most
	rules := []string{`took_seconds{user}:t=user=(?P<user>\S+) t=(?P<t>\S+)`, `users_total{user}=user=(?P<user>\S+)`}
	k := pod("web")
	s := resumed(t, o, rules, k)
	for i := range 100 {
		write(t, s, log(k, fmt.Sprintf("user=u%d t=0.25", i)))
	}
	check := func(s *Sink) {
		t.Helper()
		c := connect(s)
		c.scrape(t)
		all := c.scrape(t)
		took, users := names(all, "took_seconds"), names(all, "users_total")
		if n := len(took) + len(users); n > most+15 || n < most-14 {
			t.Errorf("%d samples of rules, the bound is %d and one series of each rule for the rest", n, most)
		}
		for name, want := range map[string]int{"took_seconds": len(took), "users_total": len(users)} {
			if got := all[fmt.Sprintf("ktail_metric_series{metric=%q}", name)]; got != float64(want) {
				t.Errorf("ktail_metric_series of %s is %v, there are %d", name, got, want)
			}
		}
		sum := 0.0
		for _, name := range took {
			if strings.HasPrefix(name, "took_seconds_count") {
				sum += all[name]
			}
		}
		if sum != 100 {
			t.Errorf("%v values are counted, want 100", sum)
		}
	}
	check(s)
	next := resumed(t, o, rules, k)
	check(next)
	if next.series != s.series {
		t.Errorf("the next run counts %d series, the first one %d", next.series, s.series)
	}
	next.Streams(nil)
	for range 3 {
		connect(next).scrape(t)
	}
	if next.series > 15 { // those of the rest stay
		t.Errorf("%d series are counted after the pod is gone", next.series)
	}
}

func TestGonePods_SeriesAreRemovedAfterLastScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink(t, Options{Since: time.Now()}, codeRule)
		a, b := connect(s), connect(s)
		a.scrape(t)
		b.scrape(t)
		seen := 0.0
		for round := range 10 {
			var set []*ktail.Stream
			for i := range 200 {
				set = append(set, pod(fmt.Sprintf("web-%d-%d", round, i)))
			}
			s.Streams(set)
			for _, k := range set {
				s.Started(k)
				write(t, s, log(k, `"GET" 200 1`), log(k, `"GET" 200 1`))
			}
			s.Streams(nil)
			for _, k := range set {
				s.Ended(k)
			}
			if a.scrape(t); len(names(b.scrape(t), "http_responses_total")) == 0 {
				t.Fatal("the series are gone before they were seen")
			}
			for _, c := range []*connection{a, b} {
				all := c.scrape(t)
				for _, name := range names(all, "http_responses_total") {
					seen += all[name] / 2
				}
			}
			if left := names(a.scrape(t), "http_responses_total"); len(left) > 0 {
				t.Fatalf("%d series of gone pods are left: %q", len(left), left[:1])
			}
			if left := names(a.scrape(t), "ktail_log_lines_total"); len(left) > 0 {
				t.Fatalf("%d series of gone pods are left: %q", len(left), left[:1])
			}
			time.Sleep(time.Minute)
		}
		if seen != 10*200*2 {
			t.Errorf("the servers have seen %v lines, want %d", seen, 10*200*2)
		}
		if len(s.streams) > 0 || s.series > 0 || len(s.recent) > 0 {
			t.Errorf("%d streams and %d series are kept", len(s.streams), s.series)
		}
	})
}

func TestGonePods_SeriesAreRemovedWithoutScrapers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSink(t, Options{}, codeRule)
		k := pod("web")
		s.Streams([]*ktail.Stream{k})
		write(t, s, log(k, `" 200 `))
		s.Streams(nil)
		time.Sleep(goneMost + time.Second)
		s.Streams(nil)
		if s.series != 0 {
			t.Errorf("%d series are left", s.series)
		}
	})
}

func TestSince_OldLinesDoNotCount(t *testing.T) {
	now := time.Now()
	s := newSink(t, Options{Since: now}, `lines_total=`)
	old, late := pod("old"), pod("late")
	s.Streams([]*ktail.Stream{old})
	line := func(k *ktail.Stream, age time.Duration) ktail.Line {
		return ktail.Line{Stream: k, Time: now.Add(-age).UnixNano(), Text: []byte("x")}
	}
	write(t, s, line(old, time.Hour), line(old, time.Second), line(old, 0))
	s.Streams([]*ktail.Stream{old, late})
	write(t, s, line(late, time.Hour), line(late, 30*time.Second)) // the clock of its node is behind
	c := connect(s)
	c.scrape(t)
	all := c.scrape(t)
	for _, name := range []string{"old", "late"} {
		if v := all[`lines_total{container="c",namespace="ns",pod="`+name+`"}`]; v != 1 {
			t.Errorf("%s has %v lines, want 1", name, v)
		}
	}
}

// The time of a line matters only until a log has reached the start of the run: the clock
// of a node may be set back, and that of a new container's node may be wrong by any amount.
func TestSince_LinesCountWhateverTheClockOfTheNodeShows(t *testing.T) {
	now := time.Now()
	const long = 100 * 365 * 24 * time.Hour // before 1970
	for _, tt := range []struct {
		name  string
		saved time.Duration // how long ago an earlier run has saved its state; 0: there was none
		fresh bool          // the container has started during the run
		ages  []time.Duration
		want  float64
	}{
		{"set back", 0, false, []time.Duration{2 * time.Minute, 0, time.Hour, long, 0}, 4},
		{"behind, new container", 0, true, []time.Duration{time.Hour, long}, 2},
		{"set back, new container", 0, true, []time.Duration{0, time.Hour, long}, 3},
		{"set back between two runs", -time.Hour, false, []time.Duration{time.Hour, 0}, 1},
		{"set back between two runs, new container", -time.Hour, true, []time.Duration{time.Hour, 0}, 2},
		{"set back after another run", time.Hour, false, []time.Duration{2 * time.Hour, 30 * time.Minute, 2 * time.Hour}, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSink(t, Options{Since: now}, `lines_total=`)
			if tt.saved != 0 {
				s.state.saved = now.Add(-tt.saved)
			}
			s.Streams(nil)
			k := pod("web")
			k.New = tt.fresh
			s.Streams([]*ktail.Stream{k})
			for _, age := range tt.ages {
				write(t, s, ktail.Line{Stream: k, Time: now.UnixNano() - int64(age), Text: []byte("x")})
			}
			c := connect(s)
			c.scrape(t)
			all := c.scrape(t)
			const labels = `{container="c",namespace="ns",pod="web"}`
			if all["lines_total"+labels] != tt.want || all["ktail_log_lines_total"+labels] != tt.want {
				t.Errorf("%v and %v lines count, want %v", all["lines_total"+labels], all["ktail_log_lines_total"+labels], tt.want)
			}
		})
	}
}

// A container that ends after the clock was set back has ended once more.
func TestTerminations_CountAfterTheClockWasSetBack(t *testing.T) {
	s := newSink(t, Options{Since: time.Now()})
	k := pod("web")
	for _, age := range []time.Duration{0, time.Hour, time.Hour, 30 * time.Minute} { // one is reported twice
		at := time.Now().Truncate(time.Minute).Add(time.Minute - age).UnixNano()
		write(t, s, log(k, "x"), ktail.Line{Stream: k, Kind: ktail.Exit, Time: at, Text: []byte("OOMKilled")})
	}
	c := connect(s)
	c.scrape(t)
	if n := c.scrape(t)[`ktail_container_terminations_total{container="c",namespace="ns",pod="web",reason="OOMKilled"}`]; n != 3 {
		t.Errorf("%v terminations, want 3", n)
	}
}

func TestOwnMetrics_CountGapsAndTerminations(t *testing.T) {
	s := newSink(t, Options{})
	k := pod("web")
	now := time.Now().UnixNano()
	exit := func(at int64, text string) ktail.Line {
		return ktail.Line{Stream: k, Kind: ktail.Exit, Time: at, Text: []byte(text)}
	}
	write(t, s, log(k, "héllo"), ktail.Line{Stream: k, Kind: ktail.Gap, Since: now - 5e9, Time: now},
		exit(now, "OOMKilled"), exit(now, "OOMKilled"), exit(now+1, "Error exit 3"), exit(0, ""),
		ktail.Line{Stream: k, Kind: ktail.Exit, StreamEnd: true}, ktail.Line{Stream: k, Kind: ktail.Diagnostic})
	c := connect(s)
	c.scrape(t)
	all := c.scrape(t)
	const labels = `{container="c",namespace="ns",pod="web"}`
	for name, want := range map[string]float64{
		"ktail_log_lines_total" + labels: 1, "ktail_log_bytes_total" + labels: 6,
		"ktail_log_gaps_total" + labels: 1, "ktail_log_gap_seconds_total" + labels: 5,
		`ktail_container_terminations_total{container="c",namespace="ns",pod="web",reason="OOMKilled"}`: 1,
		`ktail_container_terminations_total{container="c",namespace="ns",pod="web",reason="Error"}`:     1,
		`ktail_container_terminations_total{container="c",namespace="ns",pod="web",reason="Unknown"}`:   1,
	} {
		if got := all[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if at := all["ktail_log_last_line_timestamp_seconds"+labels]; at < float64(now)/1e9-60 {
		t.Errorf("the last line was at %v", at)
	}
}

func TestErrors_AreCountedAndReportedOnce(t *testing.T) {
	var messages []string
	s := newSink(t, Options{Warn: func(format string, args ...any) { messages = append(messages, fmt.Sprintf(format, args...)) }},
		`rows_total:rows=rows=(?P<rows>\S+)`)
	k := pod("web")
	for _, v := range []string{"x", "NaN", "1e400", "-3", "Inf", "7", "1e308", "1e308"} {
		write(t, s, log(k, "rows="+v))
	}
	c := connect(s)
	c.scrape(t)
	all := c.scrape(t)
	if got := all[`rows_total{container="c",namespace="ns",pod="web"}`]; got != 1e308 {
		t.Errorf("the sum is %v", got)
	}
	if n := all[`ktail_metric_errors_total{metric="rows_total"}`]; n != 6 || len(messages) != 1 || !strings.Contains(messages[0], "rows=x") {
		t.Errorf("%v errors, messages %q", n, messages)
	}
}

// A gauge is set to any value, whatever the one before was. A sum stays finite.
func TestLargeValues_OnlySumsOverflow(t *testing.T) {
	var messages []string
	s := newSink(t, Options{By: []string{}, Warn: func(format string, args ...any) { messages = append(messages, fmt.Sprintf(format, args...)) }, Rules: []Rule{
		{Name: "gauge", Match: `v=(?P<v>\S+)`, Value: "v"},
		{Name: "scaled", Match: `v=(?P<v>\S+)`, Value: "v", Scale: 10},
		{Name: "sum_total", Match: `v=(?P<v>\S+)`, Value: "v"},
		{Name: "size_bytes", Match: `v=(?P<v>\S+)`, Value: "v"},
	}})
	k := pod("web")
	for _, v := range []string{"1.5e308", "-1.5e308", "1.2e308", "1.1e308", "1e307"} {
		write(t, s, log(k, "v="+v))
	}
	c := connect(s)
	c.scrape(t)
	all := c.scrape(t)
	for name, want := range map[string]float64{
		"gauge": 1e307, `ktail_metric_errors_total{metric="gauge"}`: 0,
		"scaled": 1e308, `ktail_metric_errors_total{metric="scaled"}`: 4,
		"sum_total": 1.5e308 + 1e307, `ktail_metric_errors_total{metric="sum_total"}`: 3,
		"size_bytes_count": 4, `ktail_metric_errors_total{metric="size_bytes"}`: 1,
	} {
		if got := all[name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if len(messages) != 3 || !strings.Contains(messages[0], `v "1.5e308" is too large`) || !strings.Contains(messages[2], `v "1.1e308" makes the sum too large`) {
		t.Errorf("the messages are %q", messages)
	}
}
