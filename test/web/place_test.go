package web_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ktail/ktail/pkg/ktail"
)

const (
	topText      = `document.querySelector('.row:not([hidden]) .tx')?.textContent`
	selectedText = `document.querySelector('.row.sel .tx')?.textContent`
	isWhole      = `((r, box) => r && r.top > box.top - 1 && r.bottom < box.bottom + 1)(document.querySelector('.row.sel')?.getBoundingClientRect(), document.getElementById('box').getBoundingClientRect())`
)

// scroll scrolls by rows and returns the number in the text of the first row on the screen.
func (b *tab) scroll(rows int) int {
	b.t.Helper()
	eval[bool](b, `import('/list.js').then((l) => { l.scrollBy(%d * 20); return true; })`, rows)
	b.until("the rows are there", `import('/list.js').then((l) => !l.list.follow && document.querySelector('.row').dataset.n === String(l.list.anchor) && !document.querySelector('.row.wait:not([hidden])'))`)
	return number(b, topText)
}

// number returns the number in a text like "line 0000012 of the run".
func number(b *tab, text string) int {
	b.t.Helper()
	n, err := strconv.Atoi(strings.Fields(eval[string](b, "%s", text))[1])
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

func numbered(n int) string { return fmt.Sprintf("line %07d of the run", n) }

// next returns the first number, from n on, with a digit; "" is any.
func next(n int, digit string) int {
	for !strings.Contains(numbered(n), digit) {
		n++
	}
	return n
}

func (b *tab) filter(kind, text string) {
	b.t.Helper()
	eval[bool](b, `document.getElementById('addKind').value = %q, document.getElementById('addText').value = %q, document.getElementById('addForm').requestSubmit(), true`, kind, text)
}

// newTab opens an empty tab next to this one: in the same browser context.
func (b *tab) newTab() *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		b.t.Fatal(err)
	}
	return &tab{t: b.t, ctx: ctx, cancel: cancel}
}

// copiedLink returns the link to the selected line that Y copies.
func (b *tab) copiedLink() string {
	b.t.Helper()
	eval[bool](b, `window.copied = '', navigator.clipboard.writeText = async (x) => { window.copied = x; }, true`)
	b.keys("Y")
	b.until("the link is copied", `window.copied`)
	link, _, _ := strings.Cut(eval[string](b, `window.copied`), "\n")
	return link
}

// Whatever their heights, the line that is selected is on the screen.
func TestPage_ShowsTheSelectedLineIfLinesWrap(t *testing.T) {
	for _, width := range []int64{1400, 390} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			s := newSite(t, 64<<20)
			for i := range 2000 {
				level := "info"
				if i == 511 || i == 521 {
					level = "error"
				}
				s.at = s.at.Add(time.Second)
				s.write(ktail.Line{Stream: s.streams[0], Time: s.at.UnixNano(), Text: fmt.Appendf(nil, "level=%s msg=\"line %d %s\"", level, i, strings.Repeat("long words ", 20+i%20))})
			}
			b := s.open(width, 900, "light")
			if width > 720 {
				b.keys("z")
			}
			eval[bool](b, `document.getElementById('list').focus(), true`)
			selected := func(n int) {
				t.Helper()
				b.until(fmt.Sprintf("row %d is on the screen", n), `document.querySelector('.row.sel:not(.wait)')?.dataset.n === '%d' && %s`, n, isWhole)
			}
			b.keys("E")
			selected(522)
			b.keys("E") // near enough for a list with rows of one line
			selected(512)
			for n := 513; n < 530; n++ {
				b.keys("j")
				selected(n)
			}
			for n := 528; n > 508; n-- {
				b.keys("k")
				selected(n)
			}
			eval[bool](b, `import('/store.js').then((s) => { location.hash = '#wrap=1&at=1200.5.' + s.store.epoch; return true; })`)
			selected(1200)
			eval[bool](b, `import('/store.js').then((s) => { location.hash = '#wrap=1&at=2000.5.' + s.store.epoch; return true; })`)
			selected(2000)
			b.until("there is no space after the last line", `(() => { const bottom = (id) => document.getElementById(id).getBoundingClientRect().bottom; return Math.abs(bottom('row2000') - bottom('box')) < 1; })()`)
			eval[bool](b, `document.getElementById('list').scrollBy(0, 100), true`)
			b.until("scrolling on follows the log", `document.querySelector('.live').dataset.state === 'live'`)
			b.noTrouble()
		})
	}
}

// Filters, Back, and Forward change which lines are shown, not where in the log the page is.
func TestPage_KeepsItsPlaceOverFilters(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(20_000)
	b := s.open(1400, 900, "light")
	eval[bool](b, `document.querySelectorAll('.row:not([hidden]) time')[5].click(), true`)
	b.until("a line is selected", selectedText)
	at := b.scroll(-15_000) // the selected line is off the screen
	shows := func(n int, digit string) {
		t.Helper()
		b.until(fmt.Sprintf("line %d is the first of those on the screen", n), `[...document.querySelectorAll('.row:not([hidden]) .tx')].slice(0, 2).map((r) => r.textContent).join() === %q`, numbered(n)+","+numbered(next(n+1, digit)))
		b.until("there are no new lines", `document.getElementById('toEnd').textContent === 'Newest ↓'`)
	}
	b.filter("i", "7")
	at = next(at, "7")
	shows(at, "7")
	b.filter("e", "line")
	b.until("no line is left", `!document.getElementById('empty').hidden`)
	b.do(chromedp.NavigateBack())
	shows(at, "7")
	b.do(chromedp.NavigateBack())
	shows(at, "")
	b.do(chromedp.NavigateForward())
	shows(at, "7")
	eval[bool](b, `document.querySelector('.chip button').click(), true`)
	shows(at, "")

	// A line that is selected on the screen keeps its place there.
	eval[bool](b, `document.querySelectorAll('.row:not([hidden]) time')[8].click(), true`)
	b.until("a line is selected", selectedText)
	place := `(document.querySelector('.row.sel').getBoundingClientRect().top - document.getElementById('box').getBoundingClientRect().top)`
	y := eval[float64](b, "%s", place)
	b.filter("i", "9")
	b.until("the next line that matches is selected at the same place", `%s === %q && Math.abs(%s - %f) < 1`, selectedText, numbered(next(at+8, "9")), place, y)
	b.noTrouble()
}

// The server removes the view of a page that has not used it for a while, or if other windows
// use many. The numbers of rows then change, and nothing else.
func TestPage_KeepsItsPlaceInANewView(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(3000)
	b := s.open(1400, 900, "light")
	b.filter("i", "line")
	b.until("the filter is on", `import('/store.js').then((s) => s.store.view && s.store.complete && s.store.first < 0)`)
	s.numbered(500)
	b.until("the lines are there", `import('/store.js').then((s) => s.store.end === 500)`)
	at := b.scroll(-200)
	eval[bool](b, `document.querySelectorAll('.row:not([hidden]) .tx')[5].click(), true`)
	b.until("the line is open", `document.querySelector('#drawer .full')?.textContent === %q`, numbered(at+5))
	view := eval[int](b, `import('/store.js').then((s) => s.store.view)`)
	eval[bool](b, `import('/api.js').then((a) => Promise.all([...Array(9).keys()].map((i) => a.api('where', new URLSearchParams({ find: 'x' + i, after: 1, dir: 0 }))))).then(() => true)`)
	s.numbered(100)
	b.until("the page has another view", `import('/store.js').then((s) => s.store.view && s.store.view !== %d)`, view)
	b.until("it shows the same lines", `%s === %q && %s === %q && !document.getElementById('drawer').hidden`, topText, numbered(at), selectedText, numbered(at+5))
	eval[bool](b, `window.copied = '', navigator.clipboard.writeText = async (x) => { window.copied = x; }, [...document.querySelectorAll('#drawer button')].find((x) => x.textContent === 'Copy link').click(), true`)
	b.until("the open line has a link", `window.copied.includes('at=%d.')`, at+5)
	b.noTrouble()
}

// restart ends the run and starts another one with n lines, which the page sees at once.
func (s *site) restart(b *tab, n int) {
	s.t.Helper()
	address := s.address
	s.stop()
	<-s.stopped
	b.until("the connection is lost", `/connection to ktail is lost/.test(document.getElementById('banner').textContent)`)
	eval[bool](b, `Object.defineProperty(document, 'hidden', { value: true, configurable: true }), true`)
	s.serve(64<<20, address)
	s.numbered(n)
	eval[bool](b, `delete document.hidden, document.dispatchEvent(new Event('visibilitychange')), true`)
	b.until("another run", `/ktail was restarted/.test(document.getElementById('banner').textContent)`)
}

// After a restart, the page shows the same time. Nothing that belongs to a line of the run
// before is left.
func TestPage_KeepsItsPlaceOverARestart(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(1500)
	again := s.at
	s.numbered(500)
	b := s.open(1400, 900, "light")
	at := b.scroll(-20)
	eval[bool](b, `document.querySelectorAll('.row:not([hidden]) .tx')[5].click(), true`)
	b.until("the line is open", `document.querySelector('#drawer .full')`)
	s.next, s.at = 1500, again // the log from later on, as with --since
	s.restart(b, 5000)
	b.until("nothing is selected", `import('/list.js').then((l) => Number.isNaN(l.list.cursor) && !%s)`, `document.querySelector('.row.sel')`)
	b.until("no line is open", `document.getElementById('drawer').hidden`)
	b.until("the rows are there", `import('/list.js').then((l) => document.querySelector('.row').dataset.n === String(l.list.anchor) && !document.querySelector('.row.wait:not([hidden])'))`)
	if got := number(b, topText); got > at+5 || got < at-5 { // as exact as milliseconds
		t.Errorf("the first line on the screen is %d, was %d", got, at)
	}
}

func TestPage_FollowsOverARestart(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(2000)
	b := s.open(1400, 900, "light")
	b.scroll(-20)
	b.keys("zzF")
	b.until("the page follows", `document.querySelector('.live').dataset.state === 'live'`)
	s.restart(b, 5000)
	b.until("the page follows", `document.querySelector('.live').dataset.state === 'live' && [...document.querySelectorAll('.row:not([hidden])')].at(-1)?.textContent.includes(%q)`, numbered(7000))
}

// A link works in another tab of the browser, which gets the token from the first one.
// Elsewhere, the page says what is missing.
func TestPage_LinkWorksNextToAnOpenPage(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(5000)
	b := s.open(1400, 900, "light")
	b.keys("kkk")
	b.until("a line is selected", selectedText+` === %q`, numbered(4998))
	link := b.copiedLink()
	if strings.Contains(link, token) {
		t.Fatalf("the link %s contains the token", link)
	}
	other := b.newTab()
	other.do(chromedp.Navigate(link))
	other.until("the line is there", selectedText+` === %q`, numbered(4998))
	other.do(chromedp.Reload())
	other.until("the line is still there", selectedText+` === %q`, numbered(4998))

	ctx, cancel := chromedp.NewContext(browser(t), chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	alone := &tab{t: t, ctx: ctx, cancel: cancel}
	alone.do(chromedp.Navigate(link))
	alone.until("the page says what is missing", `/contains no token/.test(document.getElementById('banner').textContent)`)
	alone.newTab().do(chromedp.Navigate(s.url))
	alone.until("the line is there", selectedText+` === %q && document.getElementById('banner').hidden`, numbered(4998))
}

// The count of matches grows with the log.
func TestPage_FindsMatchesThatComeLater(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(100)
	b := s.open(1400, 900, "light")
	b.find("needle")
	count := `document.getElementById('findCount').textContent === %q`
	b.until("there is none", count, "0")
	s.write(ktail.Line{Stream: s.streams[0], Time: s.at.UnixNano(), Text: []byte("a needle")})
	b.until("there is one", count, "1")
	eval[bool](b, `document.getElementById('findPrev').click(), true`)
	b.until("it is selected", selectedText+` === 'a needle'`)
	s.write(ktail.Line{Stream: s.streams[0], Time: s.at.UnixNano(), Text: []byte("another needle")})
	b.until("it is one of two", count, "1 of 2")
	b.noTrouble()
}

// Keys that are repeated faster than lines are opened show the last line, and no errors.
func TestPage_OpensLinesWhileKeysRepeat(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(2000)
	b := s.open(1400, 900, "light")
	eval[bool](b, `document.querySelectorAll('.row:not([hidden]) .tx')[5].click(), true`)
	b.until("a line is open", `document.querySelector('#drawer .full')`)
	for range 3 {
		eval[bool](b, `[1, 2, 3, 4, 5].forEach(() => document.getElementById('list').dispatchEvent(new KeyboardEvent('keydown', { key: 'j', bubbles: true }))), true`)
		b.until("the last line is open", `document.querySelector('#drawer .full')?.textContent === %s`, selectedText)
	}
	if toast := eval[string](b, `document.getElementById('toast').textContent`); toast != "" {
		t.Error(toast)
	}
	b.noTrouble()
}

// A double click on a level is one step for Back.
func TestPage_DoubleClickIsOneStep(t *testing.T) {
	s := newSite(t, 64<<20)
	s.shop(500, 10*time.Millisecond)
	b := s.open(1400, 900, "light")
	steps := eval[int](b, `history.length`)
	b.do(chromedp.Click(`[data-level=error]`), chromedp.DoubleClick(`[data-level=error]`)) // the driver counts 1 and 2
	b.until("only errors are shown", `location.hash === '#hide=warn%2Cinfo%2Cdebug%2Cnone'`)
	if n := eval[int](b, `history.length`) - steps; n != 1 {
		t.Errorf("%d entries in the history", n)
	}
	b.noTrouble()
}
