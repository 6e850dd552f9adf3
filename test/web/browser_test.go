package web_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tab is a page in a browser.
type tab struct {
	t      *testing.T
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	console []string
}

var browsers struct {
	once sync.Once
	ctx  context.Context
	err  error
	stop []context.CancelFunc
}

// browser starts one browser for all tests.
func browser(t *testing.T) context.Context {
	t.Helper()
	browsers.once.Do(func() {
		path := "/usr/lib/chromium/chromium"
		if _, err := os.Stat(path); err != nil {
			path = "chromium"
		}
		options := append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true),
			chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("js-flags", "--expose-gc"),
			chromedp.Flag("enable-precise-memory-info", true),
		)
		ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, stop2 := chromedp.NewContext(ctx)
		browsers.ctx, browsers.stop = ctx, []context.CancelFunc{stop2, stop}
		browsers.err = chromedp.Do(ctx)
	})
	if browsers.err != nil {
		t.Fatalf("start chromium (make web-test installs it): %v", browsers.err)
	}
	return browsers.ctx
}

func TestMain(m *testing.M) {
	status := m.Run()
	for _, stop := range browsers.stop {
		stop()
	}
	os.Exit(status)
}

// open opens the page in a tab of its own, without anything stored, in a color scheme.
func (s *site) open(width, height int64, scheme string) *tab {
	s.t.Helper()
	ctx, cancel := chromedp.NewContext(browser(s.t), chromedp.WithNewBrowserContext())
	b := &tab{t: s.t, ctx: ctx, cancel: cancel}
	s.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil { // the tab lives as long as this context
		s.t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(width, height))
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.console = append(b.console, fmt.Sprintf("%+v", m))
			b.mu.Unlock()
		}
	}()
	if _, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchScript}); err != nil {
		s.t.Fatal(err)
	}
	b.do(chromedp.Navigate(s.url))
	b.until("the page has lines", `document.querySelectorAll('.row:not([hidden]):not(.wait)').length > 0 || !document.getElementById('empty').hidden`)
	b.until("the rest of the page is loaded", `document.querySelector('#levels button')`)
	return b
}

// watchScript records violations of the content security policy, errors, and dialogs,
// and how long it takes until the first rows are there.
const watchScript = `
window.trouble = [];
addEventListener('securitypolicyviolation', (e) => trouble.push('CSP: ' + e.violatedDirective + ' ' + e.blockedURI));
addEventListener('error', (e) => trouble.push('error: ' + e.message + ' ' + e.filename + ':' + e.lineno));
addEventListener('unhandledrejection', (e) => trouble.push('rejection: ' + e.reason));
new MutationObserver((_, observer) => {
	if (!document.querySelector('.row:not([hidden]):not(.wait)')) return;
	window.firstRows = performance.now();
	observer.disconnect();
}).observe(document, { subtree: true, childList: true, attributes: true });
for (const name of ['alert', 'confirm', 'prompt', 'open']) window[name] = () => trouble.push(name);
`

// tooltip returns the tooltip of an element when the pointer is there.
func (b *tab) tooltip(element string) string {
	b.t.Helper()
	return eval[string](b, `((e) => { e.dispatchEvent(new PointerEvent('pointerover', { bubbles: true })); return e.title; })(%s)`, element)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// eval returns the value of an expression, which may be a promise.
func eval[T any](b *tab, format string, args ...any) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 60*time.Second)
	defer cancel()
	expression := format
	if len(args) > 0 {
		expression = fmt.Sprintf(format, args...)
	}
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// until waits for a condition, which may be a promise.
func (b *tab) until(what, condition string, args ...any) {
	b.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if eval[bool](b, "Promise.resolve("+condition+").then(Boolean)", args...) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("not within 20 s: %s\n%s", what, strings.Join(b.trouble(), "\n"))
		}
		<-time.After(30 * time.Millisecond)
	}
}

// keys presses keys, one after the other.
func (b *tab) keys(keys string) {
	b.t.Helper()
	for _, k := range keys {
		b.do(chromedp.KeyEvent(string(k)))
	}
}

// find searches for a text. It clears the box first, because the driver also types the
// "/" that moves the focus there, which a keyboard does not.
func (b *tab) find(keys string) {
	b.t.Helper()
	b.keys("/")
	b.until("the search has the focus", `document.activeElement.id === 'find'`)
	eval[bool](b, `document.getElementById('find').value = '', true`)
	b.keys(keys)
}

// trouble returns what watchScript has recorded, and the messages in the console.
func (b *tab) trouble() []string {
	var list []string
	if err := json.Unmarshal([]byte(eval[string](b, "JSON.stringify(window.trouble || [])")), &list); err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return append(list, b.console...)
}

// noTrouble fails the test if watchScript has recorded anything, or if the console has
// messages.
func (b *tab) noTrouble() {
	b.t.Helper()
	for _, line := range b.trouble() {
		b.t.Error(line)
	}
}

// shot saves a picture of the page if SHOTS names a directory.
func (b *tab) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(dir+"/"+name+".png", png, 0o644)
	}
	if err != nil {
		b.t.Error(err)
	}
}
