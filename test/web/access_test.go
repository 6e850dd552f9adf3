package web_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axe-core, including its best practices, finds nothing in any state of the page, in
// both themes and at two widths.
func TestPage_IsAccessible(t *testing.T) {
	axe, err := os.ReadFile(os.Getenv("AXE"))
	if err != nil {
		t.Skip("without axe-core: set AXE to axe.min.js; make web-test fetches it if there is npm")
	}
	for _, width := range []int64{1400, 390} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprint(width, scheme), func(t *testing.T) {
				s := newSite(t, 64<<20)
				s.shop(3000, 10*time.Millisecond)
				s.pods.Store(shopPods(s))
				b := s.open(width, 900, scheme)
				eval[bool](b, "%s", "(() => {"+string(axe)+"\nreturn true;})()")
				check := func(state string) {
					t.Helper()
					got := eval[string](b, `axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations.map((v) => v.id + ': ' + v.help + '\n  ' + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + ' ' + n.any.map((a) => a.message).join('; ')).join('\n  ')).join('\n'))`)
					if got != "" {
						t.Errorf("%s:\n%s", state, got)
					}
				}
				check("live")
				b.keys("p")
				b.until("paused", `document.querySelector('.live').dataset.state === 'paused'`)
				check("paused")
				b.keys("s")
				b.until("the pods are there", `document.querySelectorAll('.pod').length === 6`)
				check("pods")
				b.keys("sE")
				b.until("an error is selected", `document.querySelector('.row.sel.error')`)
				b.keys("\r")
				b.until("the drawer is open", `!document.getElementById('drawer').hidden`)
				check("drawer")
				eval[bool](b, `location.hash = %q, true`, "#i=order&e=nothing&src=shop%2Fsearch-0%2F&find=placed")
				b.until("filtered", `document.querySelectorAll('.chip').length === 3 && document.querySelector('.row .m')`)
				check("filtered")
				eval[bool](b, `document.getElementById('list').focus(), true`)
				b.keys("?")
				b.until("the help is open", `document.getElementById('helpDialog').open`)
				check("help")
				b.noTrouble()
			})
		}
	}
}

// Everything works without a mouse, and the focus is always visible.
func TestPage_WorksByKeyboard(t *testing.T) {
	s := newSite(t, 64<<20)
	s.shop(5000, 10*time.Millisecond)
	b := s.open(1400, 900, "light")
	if _, err := chromedp.Call(b.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		t.Fatal(err)
	}
	eval[bool](b, `window.copied = [], navigator.clipboard.writeText = async (t) => void copied.push(t), navigator.clipboard.write = async (i) => void copied.push(await (await i[0].getType('text/plain')).text()), window.clicked = [], HTMLAnchorElement.prototype.click = function () { clicked.push(this.href); }, true`)
	b.find("order placed\r")
	b.until("found", `document.querySelector('.row.sel .m')`)
	eval[bool](b, `document.getElementById('list').focus(), true`)
	first := eval[string](b, `document.querySelector('.row.sel').dataset.n`)
	b.keys("N")
	b.until("the match before", `document.querySelector('.row.sel')?.dataset.n !== %q`, first)
	b.keys("E")
	b.until("an error", `document.querySelector('.row.sel.error')`)
	b.keys("\r")
	b.until("the drawer is open and has the focus", `document.activeElement.closest('#drawer')`)
	if eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`) == "none" {
		t.Error("the focus is not visible")
	}
	b.keys("\r\r") // a key that is held repeats
	if eval[bool](b, `document.getElementById('drawer').hidden`) {
		t.Error("a repeated Enter closed the line that it had opened")
	}
	b.keys("\x1b")
	b.until("the drawer is closed, the list has the focus", `document.getElementById('drawer').hidden && document.activeElement.id === 'list'`)
	b.keys("Y")
	b.until("the link is copied", `copied.length === 1 && /^http.*#.*at=\d+\.\d+\./.test(copied[0]) && !/k=/.test(copied[0])`)
	b.keys("y")
	b.until("the line is copied", `copied.length === 2 && copied[1].endsWith('\n')`)
	b.keys("d")
	b.until("the download starts", `clicked.length === 1 && /\/download\?.*ticket=/.test(clicked[0])`)
	for _, toggle := range [][2]string{{"z", "wrapToggle"}, {"f", "fieldsToggle"}, {"s", "podsToggle"}} {
		b.keys(toggle[0])
		b.until(toggle[1]+" is on", `document.getElementById(%q).getAttribute('aria-pressed') === 'true'`, toggle[1])
	}
	b.keys("F")
	b.until("it follows", `document.querySelector('.live').dataset.state === 'live'`)
	b.noTrouble()
}
