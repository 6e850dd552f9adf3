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

func (a *actor) pick(of []string) string { return of[a.random.IntN(len(of))] }

func (a *actor) id() string { return strconv.FormatUint(a.random.Uint64()|1<<60, 36) }

// frontend writes an access log, plain text.
func frontend(ctx context.Context, a *actor) {
	for a.after(ctx, 120*time.Millisecond) {
		path, status := "/"+a.pick(goods), 200
		switch a.random.IntN(12) {
		case 0:
			path, status = "/favicon.ico", 404
		case 1:
			path = "/healthz"
		case 2:
			path, status = "/cart/add?item="+a.pick(goods), 302
		}
		a.say(fmt.Sprintf(`10.0.%d.%d - - "GET %s HTTP/1.1" %d %d %.3f "%s"`,
			a.random.IntN(256), a.random.IntN(256), path, status, 200+a.random.IntN(9000), a.random.Float64()/3, a.pick(agents)))
	}
}

// cart logs JSON.
func cart(ctx context.Context, a *actor) {
	for a.after(ctx, 250*time.Millisecond) {
		level, message := "info", "item added"
		if a.random.IntN(15) == 0 {
			level, message = "warn", "item out of stock"
		}
		a.say(fmt.Sprintf(`{"level":%q,"msg":%q,"item":%q,"quantity":%d,"cart":%q,"ms":%d}`,
			level, message, a.pick(goods), 1+a.random.IntN(4), a.id(), a.random.IntN(40)))
	}
}

// payments logs logfmt. It writes to stdout and stderr at a time, so the times
// of its lines step back now and then.
func payments(ctx context.Context, a *actor) {
	for a.after(ctx, 300*time.Millisecond) {
		now := time.Now()
		charge := a.id()
		a.sayEntry(fakeapi.Entry{Time: now.UnixNano(), Text: fmt.Sprintf("level=info msg=%q charge=%s amount=%d.%02d currency=EUR",
			"charge accepted", charge, 3+a.random.IntN(300), a.random.IntN(100))})
		if a.random.IntN(6) == 0 {
			a.sayEntry(fakeapi.Entry{Time: now.Add(-40 * time.Microsecond).UnixNano(), Text: fmt.Sprintf(
				"level=error msg=%q charge=%s attempt=%d", "bank did not answer, will try again", charge, 1+a.random.IntN(3))})
		}
	}
}

// sidecar is the proxy beside payments.
func sidecar(ctx context.Context, a *actor) {
	for a.after(ctx, 400*time.Millisecond) {
		a.say(fmt.Sprintf(`{"upstream":"bank.example:443","method":"POST","path":"/v2/charges","code":%d,"duration_ms":%d,"request_id":%q}`,
			200+a.random.IntN(2)*3, 5+a.random.IntN(200), a.id()))
	}
}

// search writes nothing for a while, and then a lot at once.
func search(ctx context.Context, a *actor) {
	for a.after(ctx, 4*time.Second) {
		batch := a.id()
		for i := range 40 + a.random.IntN(40) {
			a.say(fmt.Sprintf("indexed document %d of batch %s: %s (%d terms)", i+1, batch, a.pick(goods), a.random.IntN(500)))
		}
		a.say(fmt.Sprintf("batch %s committed", batch))
	}
}

// worker crashes, again and again.
func worker(ctx context.Context, a *actor) {
	for {
		for i := range 6 + a.random.IntN(6) {
			if !a.after(ctx, 200*time.Millisecond) {
				return
			}
			a.say(fmt.Sprintf("INFO  [consumer-%d] order %s packed", i%3, a.id()))
		}
		a.say("ERROR [consumer-0] uncaught exception",
			"java.lang.NullPointerException: Cannot invoke \"Parcel.weight()\" because \"parcel\" is null",
			fmt.Sprintf("    at shop.worker.Scale.weigh(Scale.java:%d)", 40+a.random.IntN(9)),
			"    at shop.worker.Main.main(Main.java:17)",
			"last words before exit status 1")
		a.container.Exit(1, "")
		if !a.after(ctx, time.Second) {
			return
		}
		a.container.BackOff()
		if !a.after(ctx, 2*time.Second) {
			return
		}
		a.settle(ctx) // the node keeps one dead instance only
		a.container.Start()
		a.say("INFO  [main] worker starting, version 1.4.2")
	}
}
