//go:build unix

package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

const accessLine = `10.1.2.3 - - [31/Jan/2026:10:00:00 +0000] "GET /cart/%d HTTP/1.1" %d %d "https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0" 0.0%d`

// accessLines are lines of 50 containers.
func accessLines() []ktail.Line {
	lines := make([]ktail.Line, 1000)
	streams := make([]*ktail.Stream, 50)
	for i := range streams {
		streams[i] = pod(fmt.Sprintf("web-%d", i))
	}
	for i := range lines {
		code := 200
		if i%50 == 0 {
			code = 503
		}
		lines[i] = ktail.Line{Stream: streams[i%50], Time: time.Now().UnixNano(), Text: fmt.Appendf(nil, accessLine, i, code, 100+i, 10+i%90)}
	}
	return lines
}

func benchmarkRules(b *testing.B, rules ...Rule) {
	s, err := New(Options{Rules: rules})
	if err != nil {
		b.Fatal(err)
	}
	lines := accessLines()
	write(b, s, lines...)
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		write(b, s, lines...)
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/float64(len(lines)), "cpu-ns/line")
}

// cpuTime is the time that the process has used. It does not depend on what else the
// machine does.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkWrite_NoRules(b *testing.B) { benchmarkRules(b) }

func BenchmarkWrite_ThreePatterns(b *testing.B) {
	benchmarkRules(b,
		Rule{Name: "http_errors_total", Pattern: `<_>" <code> <_>`, Where: []Condition{{"code", []string{">=500"}}}},
		Rule{Name: "http_request_duration_seconds", Pattern: `<_>" "<_>" <time>`, Value: "time"},
		Rule{Name: "http_response_size_total", Pattern: `<_>" <_> <bytes> <_>`, Value: "bytes"})
}

func BenchmarkWrite_ThreeRulesOfOnePattern(b *testing.B) {
	const pattern = `<_>" <code> <bytes> "<_>" "<_>" <time>`
	benchmarkRules(b,
		Rule{Name: "http_errors_total", Pattern: pattern, Where: []Condition{{"code", []string{">=500"}}}},
		Rule{Name: "http_request_duration_seconds", Pattern: pattern, Value: "time"},
		Rule{Name: "http_response_size_total", Pattern: pattern, Value: "bytes", Labels: []Label{{"code", "code"}}})
}

func BenchmarkWrite_ThreeExpressionsThatMiss(b *testing.B) {
	benchmarkRules(b,
		Rule{Name: "a_total", Match: `ERROR|FATAL`},
		Rule{Name: "b_total", Match: `panic: (?P<what>\w+)`, Labels: []Label{{"what", "what"}}},
		Rule{Name: "c_total", Match: `^(?:[\w$]+\.)+[\w$]+(?:Exception|Error)(?::|$)`})
}

func BenchmarkWrite_JSON(b *testing.B) {
	s, err := New(Options{Rules: []Rule{{Name: "a_total", Where: []Condition{{"level", []string{"error"}}}, Labels: []Label{{"logger", "logger"}}}}})
	if err != nil {
		b.Fatal(err)
	}
	k := pod("web")
	line := log(k, `{"ts":"2026-01-31T10:00:00.000Z","level":"info","logger":"cart","msg":"call done","http":{"status":200,"method":"GET"},"duration_ms":42}`)
	for b.Loop() {
		write(b, s, line)
	}
}

func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, err := New(Options{Rules: []Rule{{Name: "a_total", Match: `(?P<x>\d+)`, Labels: []Label{{"x", "x"}}, Limit: 10_000}}})
			if err != nil {
				b.Fatal(err)
			}
			k := pod("web")
			for i := range n {
				write(b, s, log(k, fmt.Sprint(i)))
			}
			c := connect(s)
			b.ReportAllocs()
			before := cpuTime()
			for b.Loop() {
				r := httptest.NewRequest(http.MethodGet, "/metrics", nil).WithContext(c.ctx)
				r.Header.Set("Accept-Encoding", "gzip")
				c.handler.ServeHTTP(httptest.NewRecorder(), r)
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N)/1e6, "cpu-ms/scrape")
		})
	}
}
