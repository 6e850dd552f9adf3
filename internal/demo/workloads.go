package demo

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

var (
	goods  = []string{"teapot", "lantern", "hammock", "compass", "umbrella", "kettle", "ladder", "blanket"}
	agents = []string{"Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone; CPU iPhone OS 19_2)", "curl/8.14.1", "shop-app/3.2 (Android 16)"}
)

func (w *writer) pick(of []string) string { return of[w.random.IntN(len(of))] }

func (w *writer) id() string { return strconv.FormatUint(w.random.Uint64()|1<<60, 36) }

// frontend writes an access log in plain text.
func frontend(ctx context.Context, w *writer) {
	for w.after(ctx, 120*time.Millisecond) {
		path, status := "/"+w.pick(goods), 200
		switch w.random.IntN(12) {
		case 0:
			path, status = "/favicon.ico", 404
		case 1:
			path = "/healthz"
		case 2:
			path, status = "/cart/add?item="+w.pick(goods), 302
		}
		w.log(fmt.Sprintf(`10.0.%d.%d - - "GET %s HTTP/1.1" %d %d %.3f "%s"`,
			w.random.IntN(256), w.random.IntN(256), path, status, 200+w.random.IntN(9000), w.random.Float64()/3, w.pick(agents)))
	}
}

// cart logs JSON.
func cart(ctx context.Context, w *writer) {
	for w.after(ctx, 250*time.Millisecond) {
		level, message := "info", "item added"
		if w.random.IntN(15) == 0 {
			level, message = "warn", "item out of stock"
		}
		w.log(fmt.Sprintf(`{"level":%q,"msg":%q,"item":%q,"quantity":%d,"cart":%q,"ms":%d}`,
			level, message, w.pick(goods), 1+w.random.IntN(4), w.id(), w.random.IntN(40)))
	}
}

// payments logs logfmt. It writes to stdout and stderr at the same time, so the
// times of its lines sometimes step back.
func payments(ctx context.Context, w *writer) {
	for w.after(ctx, 300*time.Millisecond) {
		now := time.Now()
		charge := w.id()
		w.append(fakeapi.Entry{Time: now.UnixNano(), Text: fmt.Sprintf("level=info msg=%q charge=%s amount=%d.%02d currency=EUR",
			"charge accepted", charge, 3+w.random.IntN(300), w.random.IntN(100))})
		if w.random.IntN(6) == 0 {
			w.append(fakeapi.Entry{Time: now.Add(-40 * time.Microsecond).UnixNano(), Text: fmt.Sprintf(
				"level=error msg=%q charge=%s attempt=%d", "no response from the bank, retrying", charge, 1+w.random.IntN(3))})
		}
	}
}

// sidecar is the proxy in front of payments.
func sidecar(ctx context.Context, w *writer) {
	for w.after(ctx, 400*time.Millisecond) {
		w.log(fmt.Sprintf(`{"upstream":"bank.example:443","method":"POST","path":"/v2/charges","code":%d,"duration_ms":%d,"request_id":%q}`,
			200+w.random.IntN(2)*3, 5+w.random.IntN(200), w.id()))
	}
}

// search writes bursts separated by silence.
func search(ctx context.Context, w *writer) {
	for w.after(ctx, 4*time.Second) {
		batch := w.id()
		for i := range 40 + w.random.IntN(40) {
			w.log(fmt.Sprintf("indexed document %d of batch %s: %s (%d terms)", i+1, batch, w.pick(goods), w.random.IntN(500)))
		}
		w.log(fmt.Sprintf("batch %s committed", batch))
	}
}

// worker crashes repeatedly.
func worker(ctx context.Context, w *writer) {
	for crashes := 2; ; crashes++ {
		for i := range 6 + w.random.IntN(6) {
			if !w.after(ctx, 200*time.Millisecond) {
				return
			}
			w.log(fmt.Sprintf("INFO  [consumer-%d] order %s packed", i%3, w.id()))
		}
		w.log("ERROR [consumer-0] uncaught exception",
			"java.lang.NullPointerException: Cannot invoke \"Parcel.weight()\" because \"parcel\" is null",
			fmt.Sprintf("    at shop.worker.Scale.weigh(Scale.java:%d)", 40+w.random.IntN(9)),
			"    at shop.worker.Main.main(Main.java:17)",
			"last words before exit status 1")
		w.container.Exit(1, "")
		if !w.after(ctx, time.Second) {
			return
		}
		w.backOff(crashes)
		if !w.after(ctx, 2*time.Second) {
			return
		}
		w.waitShown(ctx) // the node keeps only one previous instance
		w.container.Start()
		w.log("INFO  [main] worker starting, version 1.4.2")
	}
}
