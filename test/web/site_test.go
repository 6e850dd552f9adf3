// Package web_test tests the page of `ktail --web` in a real browser. It is a module
// of its own, so that the browser driver stays out of ktail's dependencies.
package web_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/web"
)

const token = "0123456789abcdef0123456789abcdef"

// site is a page with lines that the test writes.
type site struct {
	t       *testing.T
	sink    *web.Sink
	url     string
	streams []*ktail.Stream
	next    int
	at      time.Time
	rnd     *rand.Rand
	pods    atomic.Pointer[web.Pods]
	stop    context.CancelFunc
	stopped chan struct{}
	address string
}

// newSite serves a page until the test ends.
func newSite(t *testing.T, buffer int64) *site {
	t.Helper()
	s := &site{t: t, rnd: rand.New(rand.NewPCG(1, 2)), at: time.Now().Add(-10 * time.Minute)}
	for i, pod := range []string{"web-7f9c6d5b48-x2x9z", "web-7f9c6d5b48-qk4tw", "cart-5d4f8c7b9-m8r2p", "checkout-6b7d9f-w5v7q", "search-0", "search-1"} {
		for _, c := range []string{"app", "proxy"}[:1+i%2] {
			s.streams = append(s.streams, &ktail.Stream{
				Namespace: "shop", Pod: pod, PodUID: pod, Container: c, Node: fmt.Sprint("worker-", i%3),
				Labels: map[string]string{"app": pod[:4], "app.kubernetes.io/version": "1.4.2"}, Image: "registry.example/shop/" + c + ":1.4.2",
				Owner: ktail.Owner{Kind: "Deployment", Name: pod[:4]},
			})
		}
	}
	s.serve(buffer, "127.0.0.1:0")
	return s
}

// serve starts a run on an address; a second call is another run.
func (s *site) serve(buffer int64, address string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.sink = web.NewSink(buffer)
	server := web.New(web.Options{Sink: s.sink, Token: token, Title: "deploy/web -n shop", Version: "test", Pods: s.pods.Load})
	var l net.Listener
	var err error
	for range 50 { // the port of the run before may still be in use
		if l, err = web.Listen(ctx, address); err == nil {
			break
		}
		<-time.After(50 * time.Millisecond)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.url, s.address = server.URL(l), l.Addr().String()
	s.stopped = make(chan struct{})
	stopped := s.stopped
	go func() {
		defer close(stopped)
		if err := server.Serve(ctx, l); err != nil {
			s.t.Errorf("serve: %v", err)
		}
	}()
	s.stop = cancel
	s.t.Cleanup(func() { cancel(); <-stopped })
}

func (s *site) write(lines ...ktail.Line) {
	if err := s.sink.Write(context.Background(), lines); err != nil {
		s.t.Error(err)
	}
}

// shop writes n lines like those of a shop, step apart.
func (s *site) shop(n int, step time.Duration) {
	batch := make([]ktail.Line, 0, 500)
	for range n {
		s.at = s.at.Add(time.Duration(float64(step) * (0.25 + s.pace())))
		l := ktail.Line{Stream: s.streams[s.rnd.IntN(len(s.streams))], Time: s.at.UnixNano(), Text: s.shopText()}
		if s.next++; s.next%997 == 0 {
			l.Kind, l.Text = ktail.Exit, []byte("OOMKilled exit 137")
		}
		if batch = append(batch, l); len(batch) == cap(batch) {
			s.write(batch...)
			batch = batch[:0]
		}
	}
	s.write(batch...)
}

// pace makes the log more and less busy over time.
func (s *site) pace() float64 {
	phase := float64(s.next) / 1500
	return 0.75 * (1 + math.Sin(phase)*math.Cos(phase*2.7))
}

func (s *site) shopText() []byte {
	r := s.rnd
	if s.next%4000 > 3700 && r.IntN(3) == 0 { // an outage
		return fmt.Appendf(nil, `{"ts":"%s","level":"error","msg":"payment provider is unreachable","order":%d,"took":30000,"error":"dial tcp 10.4.0.17:443: i/o timeout"}`, s.at.UTC().Format("2006-01-02T15:04:05.000Z"), r.IntN(100000))
	}
	stamp := s.at.UTC().Format("2006-01-02T15:04:05.000Z")
	switch r.IntN(12) {
	case 0, 1, 2:
		return fmt.Appendf(nil, `10.4.%d.%d - - [%s] "GET /product/%d HTTP/1.1" 200 %d "https://shop.example/" "Mozilla/5.0"`, r.IntN(9), r.IntN(255), stamp, r.IntN(900), r.IntN(90000))
	case 3, 4, 5:
		return fmt.Appendf(nil, `{"ts":"%s","level":"info","msg":"order placed","order":%d,"took":%d,"user":{"id":"u-%d","country":"NL"}}`, stamp, r.IntN(100000), r.IntN(900), r.IntN(5000))
	case 6:
		return fmt.Appendf(nil, `{"ts":"%s","level":"warn","msg":"payment provider is slow","order":%d,"took":%d,"attempt":%d}`, stamp, r.IntN(100000), 900+r.IntN(4000), r.IntN(4))
	case 7:
		return fmt.Appendf(nil, "\x1b[32mINFO\x1b[0m  [worker-%d] reindexed \x1b[1;36mproducts\x1b[0m in %dms", r.IntN(8), r.IntN(3000))
	case 8, 9:
		return fmt.Appendf(nil, `time=%s level=debug msg="cache lookup" key=cart:%d hit=%t`, stamp, r.IntN(5000), r.IntN(2) == 0)
	case 10:
		if r.IntN(3) == 0 {
			return fmt.Appendf(nil, "E%s %s.%06d       1 payment.go:%d] charge failed: connection to https://pay.example/v1/charges timed out after 30s", s.at.Format("0102"), s.at.Format("15:04:05"), r.IntN(999999), 40+r.IntN(300))
		}
		fallthrough
	default:
		return fmt.Appendf(nil, "%s INFO  request served path=/api/cart/%d status=200 bytes=%d", s.at.Format("2006-01-02 15:04:05.000"), r.IntN(5000), r.IntN(20000))
	}
}
