package web_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/ktail/ktail/pkg/ktail"
)

// numbered writes n numbered lines.
func (s *site) numbered(n int) {
	for i := 0; i < n; i += 100 {
		batch := make([]ktail.Line, 100)
		for k := range batch {
			s.next++
			s.at = s.at.Add(200 * time.Microsecond)
			batch[k] = ktail.Line{Stream: s.streams[s.next%len(s.streams)], Time: s.at.UnixNano(), Text: fmt.Appendf(nil, "line %07d of the run", s.next)}
		}
		s.write(batch...)
	}
}

// readBack returns the texts of all lines, as the page's own code reads them.
func readBack(b *tab) []string {
	return strings.Split(eval[string](b, `(async () => {
		const { store, fetchRows } = await import('/store.js');
		return (await fetchRows(store.first, store.end)).map((r) => r[7]).join('\n');
	})()`), "\n")
}

// Lines come once and in order, although they come fast, the tab is hidden, and it is
// loaded again.
func TestPage_HasEachLineOnceAndInOrder(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(1000)
	b := s.open(1400, 900, "light")
	writing := make(chan struct{})
	go func() {
		defer close(writing)
		for range 60 {
			s.numbered(1000)
			<-time.After(50 * time.Millisecond)
		}
	}()
	eval[bool](b, `Object.defineProperty(document, 'hidden', {value: true, configurable: true}), document.dispatchEvent(new Event('visibilitychange')), true`)
	<-time.After(time.Second)
	b.do(chromedp.Reload())
	b.until("the page follows", `document.querySelector('.live').dataset.state === 'live'`)
	<-writing
	b.until("the last line is on the screen", `[...document.querySelectorAll('.row:not([hidden])')].at(-1).textContent.includes('line %07d')`, 61000)
	got := readBack(b)
	if len(got) != 61000 {
		t.Fatalf("%d lines, want 61000", len(got))
	}
	for i, text := range got {
		if want := fmt.Sprintf("line %07d of the run", i+1); text != want {
			t.Fatalf("line %d is %q", i+1, text)
		}
	}
	// Scrolling shows the same: the rows at some places.
	for _, at := range []int{1, 12345, 30000, 60990} {
		eval[bool](b, `import('/list.js').then((l) => l.goTo(%d, false, 0)).then(() => true)`, at)
		b.until("the row is there", `document.querySelector('.row[data-n="%d"] .tx')?.textContent === 'line %07d of the run'`, at, at)
	}
	b.noTrouble()
}

// Lines that have left the buffer are reported, also if a link leads to them.
func TestPage_ReportsEvictedLines(t *testing.T) {
	s := newSite(t, 4<<20)
	s.shop(1000, time.Millisecond)
	b := s.open(1400, 900, "light")
	link := eval[string](b, `Promise.all([import('/copy.js'), import('/store.js'), import('/state.js')]).then(([c, s, st]) => st.toHash(c.placeOf(s.row(s.store.first + 5) || s.row(s.store.end - 5))))`)
	s.shop(200_000, time.Millisecond)
	b.until("lines have left", `import('/store.js').then((s) => s.store.evicted[0] > 0)`)
	b.keys("g")
	b.until("the top says so", `/earlier lines \(until .*\) have left the buffer: --web-buffer/.test(document.getElementById('evicted')?.textContent)`)
	eval[bool](b, `location.hash = %q, true`, link)
	b.until("the link says so", `/has left the buffer/.test(document.getElementById('toast').textContent)`)
	b.noTrouble()
}

// The page reports another run on the same port, and does not mix the rows of both.
func TestPage_DetectsAnotherRun(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(2000)
	b := s.open(1400, 900, "light")
	address := s.address
	s.stop()
	<-s.stopped
	b.until("the connection is lost", `/connection to ktail is lost/.test(document.getElementById('banner').textContent)`)
	s.next = 500_000
	s.serve(64<<20, address)
	s.numbered(100)
	b.until("another run", `/ktail was restarted/.test(document.getElementById('banner').textContent)`)
	b.until("its lines are shown", `[...document.querySelectorAll('.row:not([hidden]):not(.wait)')].every((r) => /line 0500/.test(r.textContent)) && document.querySelectorAll('.row:not([hidden]):not(.wait)').length > 0`)
	if lost := b.trouble(); slices.ContainsFunc(lost, func(l string) bool {
		return !strings.Contains(l, "Failed to load resource") && !strings.Contains(l, "ERR_")
	}) {
		t.Error(lost)
	}
}

// Find hides nothing; filter hides; context shows the same line without filters; Back
// restores the filter; the address keeps everything over a reload.
func TestPage_FindFilterContextAndBack(t *testing.T) {
	s := newSite(t, 64<<20)
	s.shop(5000, 10*time.Millisecond)
	b := s.open(1400, 900, "light")
	total := eval[int](b, `import('/store.js').then((s) => s.store.end)`)
	b.find("order placed\r")
	b.until("a match is selected", `document.querySelector('.row.sel .m')?.textContent === 'order placed'`)
	if n := eval[int](b, `import('/store.js').then((s) => s.store.end)`); n != total {
		t.Errorf("find hides lines: %d of %d", n, total)
	}
	eval[bool](b, `document.getElementById('findFilter').click(), true`)
	b.until("the filter is a chip", `document.querySelectorAll('.chip').length === 1`)
	b.until("only matches are there", `import('/store.js').then((s) => s.store.view && s.store.end - s.store.first < %d && s.store.complete)`, total)
	b.until("each log line matches", `[...document.querySelectorAll('.row:not([hidden]):not(.note):not(.wait)')].length > 3 && [...document.querySelectorAll('.row:not([hidden]):not(.note):not(.wait)')].every((r) => /order placed/.test(r.textContent))`)
	eval[bool](b, `document.getElementById('list').focus(), true`)
	b.keys("kk")
	b.until("the second line is selected", `import('/list.js').then((l) => document.querySelector('.row.sel')?.dataset.n === String(l.list.cursor))`)
	text := eval[string](b, `document.querySelector('.row.sel .tx').textContent`)
	b.keys("c")
	b.until("the filter is off", `document.querySelectorAll('.chip').length === 0`)
	b.until("the line is still there", `document.querySelector('.row.sel .tx')?.textContent === %q`, text)
	b.do(chromedp.NavigateBack())
	b.until("Back restores the filter", `document.querySelectorAll('.chip').length === 1`)
	hash := eval[string](b, `location.hash`)
	b.do(chromedp.Reload())
	b.until("reload keeps the filter", `document.querySelectorAll('.chip').length === 1 && document.querySelector('.row:not([hidden]):not(.wait)')`)
	if got := eval[string](b, `location.hash`); got != hash || strings.Contains(hash, token) {
		t.Errorf("the address was %s and is %s", hash, got)
	}
	b.noTrouble()
}

// A field of the open line becomes a column, which the address keeps, and which a chip
// removes. Hostile names and values are texts.
func TestPage_ShowsFieldsInColumns(t *testing.T) {
	s := newSite(t, 64<<20)
	s.shop(2000, 10*time.Millisecond)
	s.write(ktail.Line{Stream: s.streams[0], Time: s.at.UnixNano(), Text: []byte(`{"user":{"id":"u-<b>\n\u001b[31m","country":"NL"},"<img src=x onerror=alert(1)>":"<script>alert(2)</script>","none":null}`)})
	b := s.open(1400, 900, "light")
	b.keys("k\r")
	b.until("the line is open", `document.querySelectorAll('#drawer dt').length > 3`)
	column := func(name string) {
		t.Helper()
		eval[bool](b, `[...document.querySelectorAll('#drawer button')].find((e) => e.ariaLabel === 'Show ' + %q + ' as a column').click(), true`, name)
	}
	column("user.id")
	column("<img src=x onerror=alert(1)>")
	cells := `[...document.querySelectorAll('.row.sel .cell')].map((c) => c.textContent).join('|')`
	b.until("the values are in the columns", cells+` === %q`, `u-<b>^J^[[31m|<script>alert(2)</script>`)
	b.until("other lines have their own", `[...document.querySelectorAll('.row:not([hidden]) .cell')].filter((c) => /^u-\d+$/.test(c.textContent)).length > 3`)
	b.until("all rows have columns", `[...document.querySelectorAll('.row:not([hidden])')].every((r) => r.querySelectorAll('.cell').length === 2)`)
	b.shot("columns")
	b.do(chromedp.Reload())
	b.until("reload keeps the columns", `document.querySelectorAll('.row:not([hidden]) .cell').length > 10 && document.querySelectorAll('.chip').length === 2`)
	eval[bool](b, `document.querySelector('.chip button').click(), true`)
	b.until("one column is left", `[...document.querySelectorAll('.row:not([hidden])')].every((r) => r.querySelectorAll('.cell').length === 1)`)
	eval[bool](b, `document.querySelector('.chip button').click(), true`)
	b.until("no column is left", `document.querySelectorAll('.row:not([hidden]) .cell').length === 0 && document.querySelectorAll('.chip').length === 0`)
	b.noTrouble()
}

// Levels can be hidden, and e goes to the next error.
func TestPage_HidesLevelsAndFindsErrors(t *testing.T) {
	s := newSite(t, 64<<20)
	s.shop(5000, 10*time.Millisecond)
	b := s.open(1400, 900, "light")
	eval[bool](b, `[...document.querySelectorAll('.level')].filter((l) => l.dataset.level !== 'error').forEach((l) => l.click()), true`)
	b.until("only errors are left", `[...document.querySelectorAll('.row:not([hidden]):not(.wait):not(.note)')].length > 0 && [...document.querySelectorAll('.row:not([hidden]):not(.wait):not(.note)')].every((r) => r.classList.contains('error'))`)
	title := b.tooltip(`[...document.querySelectorAll('.row:not([hidden]) time')].at(-1)`)
	at, err := time.Parse("Mon, 2 Jan 2006, 2006-01-02T15:04:05.000000000Z", title)
	if err != nil {
		t.Fatalf("the full time is %q: %v", title, err)
	}
	for zone, ahead := range map[string]time.Duration{"UTC": 0, "Asia/Kathmandu": 5*time.Hour + 45*time.Minute} {
		eval[bool](b, `Promise.all([import('/state.js'), import('/list.js')]).then(([s, l]) => { s.state.zone = %q; l.draw(); return true; })`, zone)
		b.until("times are in "+zone, `[...document.querySelectorAll('.row:not([hidden]) time')].at(-1).textContent.startsWith(%q)`, at.Add(ahead).Format("15:04:05"))
	}
	b.noTrouble()
}

// Ten thousand lines are copied as the terminal prints them, although the page holds
// only some of them.
func TestPage_CopiesManyLines(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(15_000)
	b := s.open(1400, 900, "light")
	b.watchCopies()
	got := eval[string](b, `Promise.all([import('/list.js'), import('/copy.js')]).then(async ([l, c]) => {
		l.goTo(2001, true, 0);
		l.list.mark = 12000;
		await c.copyRows();
		return copied[0];
	})`)
	var want strings.Builder
	for i := 2001; i <= 12_000; i++ {
		stream := s.streams[i%len(s.streams)]
		fmt.Fprintf(&want, "%s %s line %07d of the run\n", stream.Pod, stream.Container, i)
	}
	if got != want.String() {
		t.Errorf("%d bytes are copied, want %d: %.300q", len(got), want.Len(), got)
	}
	if pages := eval[int](b, `import('/store.js').then((s) => s.store.pages.size)`); pages > 24 {
		t.Errorf("the page holds %d pages of rows", pages)
	}
	if size := eval[float64](b, `performance.memory.usedJSHeapSize / 1e6`); size > 30 {
		t.Errorf("the heap has %.1f MB", size)
	}
	b.noTrouble()
}

// watchCopies makes the page keep what it copies in window.copied.
func (b *tab) watchCopies() {
	b.t.Helper()
	eval[bool](b, `window.copied = [], navigator.clipboard.write = async (items) => void copied.push(await (await items[0].getType('text/plain')).text()), true`)
}

// copyRange copies the rows from a number to another one, and returns the message.
func (b *tab) copyRange(from, to int) string {
	b.t.Helper()
	return eval[string](b, `Promise.all([import('/list.js'), import('/copy.js')]).then(async ([l, c]) => {
		document.getElementById('toast').textContent = '';
		l.list.cursor = %d;
		l.list.mark = %d;
		await c.copyRows();
		return document.getElementById('toast').textContent;
	})`, from, to)
}

// Lines that are too long for a row are copied as a whole, and the message counts the
// lines without gaps and exits.
func TestPage_CopiesWholeLines(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(100)
	long := strings.Repeat("long ", 20_000) + "end"
	stream := s.streams[0]
	for range 60 {
		s.write(ktail.Line{Stream: stream, Time: s.at.UnixNano(), Text: []byte(long)})
	}
	s.write(ktail.Line{Stream: stream, Kind: ktail.Exit, Time: s.at.UnixNano(), Text: []byte("OOMKilled exit 137")})
	b := s.open(1400, 900, "light")
	b.watchCopies()
	if got := b.copyRange(100, 161); got != "61 lines copied" {
		t.Errorf("the message is %q", got)
	}
	got := strings.Split(strings.TrimSuffix(eval[string](b, `copied[0]`), "\n"), "\n")
	want := stream.Pod + " " + stream.Container + " " + long
	if len(got) != 61 || slices.ContainsFunc(got[1:], func(line string) bool { return line != want }) {
		t.Errorf("%d lines are copied, the last one of %d bytes, want 61 of %d", len(got), len(got[len(got)-1]), len(want))
	}
	b.noTrouble()
}

// The message says how many of the selected lines had left the buffer.
func TestPage_CopyReportsLinesThatLeft(t *testing.T) {
	s := newSite(t, 1<<20)
	s.shop(60_000, time.Millisecond)
	b := s.open(1400, 900, "light")
	b.watchCopies()
	first := eval[int](b, `import('/store.js').then((s) => s.store.seq[0])`)
	if first < 2000 {
		t.Fatalf("the buffer begins at %d", first)
	}
	if got, want := b.copyRange(first-1500, first+2500), `^\d,\d+ lines copied, 1,[45]\d\d had left the buffer$`; !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("the message is %q, want %s", got, want)
	}
	b.noTrouble()
}

// A filter that changes while lines are copied does not mix the lines of both.
func TestPage_CopyFailsIfTheFilterChanges(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(5000)
	b := s.open(1400, 900, "light")
	b.watchCopies()
	eval[bool](b, `(() => {
		const fetchAll = window.fetch;
		window.fetch = async (...a) => {
			const response = await fetchAll(...a);
			if (String(a[0]).startsWith('/api/lines') && /at=1513/.test(a[0])) {
				window.fetch = fetchAll;
				const { state } = await import('/state.js');
				state.filters.push({ kind: 'e', value: '7' });
			}
			return response;
		};
		return true;
	})()`)
	message := b.copyRange(1001, 4000)
	copied := eval[string](b, `copied.join('')`)
	complete := message == "3,000 lines copied" && strings.Count(copied, "\n") == 3000 && strings.Contains(copied, "line 0003777 ")
	if !complete && !strings.HasPrefix(message, "Copying failed") {
		t.Errorf("the message is %q, %d lines are copied", message, strings.Count(copied, "\n"))
	}
}

// Of two lines that are opened one after the other, the drawer shows the second one,
// without an error.
func TestPage_OpensTheLatestLine(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(5000)
	b := s.open(1400, 900, "light")
	got := eval[string](b, `import('/drawer.js').then(async (d) => {
		await Promise.all([d.openDrawer(17), d.openDrawer(4990), d.openDrawer(4999)]);
		return document.querySelector('.full').textContent + '|' + document.getElementById('toast').textContent;
	})`)
	if got != "line 0004999 of the run|" {
		t.Errorf("the drawer and the message show %q", got)
	}
	b.noTrouble()
}

// The hour that comes twice when summer time ends has both offsets, and nanoseconds
// are kept.
func TestPage_TimesAcrossSummerTime(t *testing.T) {
	s := newSite(t, 64<<20)
	at := time.Date(2025, 11, 2, 5, 30, 0, 123_456_789, time.UTC)
	for range 3 {
		s.write(ktail.Line{Stream: s.streams[0], Time: at.UnixNano(), Text: []byte("a line")})
		at = at.Add(time.Hour)
	}
	b := s.open(1400, 900, "light")
	if _, err := chromedp.Call(b.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "America/Chicago"}); err != nil {
		t.Fatal(err)
	}
	for zone, want := range map[string]string{
		"local":            "00:30:00.123 01:30:00.123 01:30:00.123",
		"America/New_York": "01:30:00.123 01:30:00.123 02:30:00.123",
		"Asia/Kathmandu":   "11:15:00.123 12:15:00.123 13:15:00.123",
		"UTC":              "05:30:00.123 06:30:00.123 07:30:00.123",
	} {
		eval[bool](b, `Promise.all([import('/state.js'), import('/list.js')]).then(([s, l]) => { s.state.zone = %q; l.draw(); return true; })`, zone)
		b.until("times are in "+zone, `[...document.querySelectorAll('.row:not([hidden]) time')].map((t) => t.textContent).join(' ') === %q`, want)
	}
	if got := b.tooltip(`document.querySelector('.row:not([hidden]) time')`); !strings.HasSuffix(got, "2025-11-02T05:30:00.123456789Z") {
		t.Errorf("the full time is %q", got)
	}
	b.noTrouble()
}

// A download contains the lines that the filters show, byte for byte.
func TestPage_DownloadsWhatIsShown(t *testing.T) {
	const lines = 1_000_000
	s := newSite(t, 256<<20)
	s.numbered(lines)
	b := s.open(1400, 900, "light")
	address := eval[string](b, `Promise.all([import('/api.js')]).then(([a]) => a.api('ticket', undefined, undefined, 'POST')).then((t) => '/download?ir=7%%24%%7C7+of&ticket=' + t.ticket)`)
	address = strings.ReplaceAll(address, "%%", "%")
	get := func() (int, string) {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+s.address+address, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	status, got := get()
	var want strings.Builder
	for i := 7; i <= lines; i += 10 {
		fmt.Fprintf(&want, "line %07d of the run\n", i)
	}
	if status != http.StatusOK || got != want.String() {
		t.Errorf("status %d, %d bytes, want %d", status, len(got), want.Len())
	}
	if status, _ := get(); status != http.StatusForbidden {
		t.Errorf("a ticket is valid twice: %d", status)
	}
}

// Eight windows are live at the same time, and can be loaded again, although a browser
// has only six connections for them.
func TestPage_EightWindowsAreLive(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(1000)
	first := s.open(900, 600, "light")
	var tabs []*tab
	for range 7 { // of the same browser context: they share six connections
		ctx, cancel := chromedp.NewContext(first.ctx)
		t.Cleanup(cancel)
		if err := chromedp.Do(ctx); err != nil {
			t.Fatal(err)
		}
		tabs = append(tabs, &tab{t: t, ctx: ctx, cancel: cancel})
	}
	for _, b := range tabs {
		b.do(chromedp.Navigate(s.url))
	}
	s.numbered(100)
	for _, b := range append(tabs, first) {
		b.until("the window is live", `[...document.querySelectorAll('.row:not([hidden])')].at(-1)?.textContent.includes('line 0001100')`)
	}
	tabs[3].do(chromedp.Reload())
	tabs[3].until("it is loaded again", `[...document.querySelectorAll('.row:not([hidden])')].at(-1)?.textContent.includes('line 0001100')`)
}

// The histogram counts the last lines of a burst and the lines of the latest filter at
// once, although the next poll may be answered only after ten seconds.
func TestPage_HistogramIsUpToDate(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(1000)
	b := s.open(1400, 900, "light")
	counts := func(what, want string) {
		t.Helper()
		start := time.Now()
		b.until(what, `document.getElementById('hist').ariaLabel?.startsWith(%q)`, want)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s: after %v", what, d)
		}
	}
	counts("the first lines", "1,000 lines")
	s.numbered(100)
	counts("the burst", "1,100 lines")
	eval[bool](b, `import('/state.js').then(({ addFilter, state }) => {
		const fetchAll = window.fetch;
		window.fetch = async (...a) => { // the filter changes while the answer is on its way
			const response = await fetchAll(...a);
			if (/hist\?e=/.test(a[0])) {
				window.fetch = fetchAll;
				state.filters = [];
				document.getElementById('addKind').value = 'i';
				document.getElementById('addText').value = 'line 000000';
				document.getElementById('addForm').requestSubmit();
				await new Promise((done) => setTimeout(done, 300));
			}
			return response;
		};
		document.getElementById('addKind').value = 'e';
		document.getElementById('addText').value = 'line 0000';
		document.getElementById('addForm').requestSubmit();
		return true;
	})`)
	counts("the latest filter", "9 lines")
	b.noTrouble()
}

// A place that is answered after the filter has changed belongs to other rows.
func TestPage_IgnoresPlacesOfTheFilterBefore(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(5000)
	b := s.open(1400, 900, "light")
	b.keys("g")
	b.until("the oldest line is selected", `document.querySelector('.row.sel')`)
	got := eval[string](b, `(async () => {
		const { store } = await import('/store.js');
		const fetchAll = window.fetch;
		let release;
		const answered = new Promise((done) => {
			window.fetch = async (...a) => {
				if (!/where\?/.test(a[0])) return fetchAll(...a);
				window.fetch = fetchAll;
				const response = await fetchAll(...a);
				await new Promise((go) => { release = go; });
				const read = response.json.bind(response);
				response.json = async () => { const body = await read(); setTimeout(done); return body; };
				return response;
			};
		});
		document.getElementById('list').focus();
		document.dispatchEvent(new KeyboardEvent('keydown', { key: ']' }));
		const before = store.view;
		document.getElementById('addText').value = '7';
		document.getElementById('addForm').requestSubmit();
		while (!store.view || store.view === before || !release) await new Promise((done) => setTimeout(done, 10));
		const { view, first, end } = store;
		release();
		await answered;
		return [store.view === view, store.first === first, store.end === end].join();
	})()`)
	if got != "true,true,true" {
		t.Errorf("view, first, and end are kept: %s", got)
	}
	b.noTrouble()
}

// If ktail numbers the rows anew, the page stays at its line.
func TestPage_StaysAtItsLineWhenRowsAreNumberedAnew(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(5000)
	b := s.open(1400, 900, "light")
	eval[bool](b, `document.getElementById('addText').value = '7', document.getElementById('addForm').requestSubmit(), document.getElementById('list').focus(), true`)
	b.until("the filter is there", `import('/store.js').then((s) => s.store.view > 1 && s.store.complete)`)
	b.keys("kkkkk")
	const line = "line 0004977 of the run" // the fifth one from the end with a 7
	b.until("the line is selected", `document.querySelector('.row.sel .tx')?.textContent === %q`, line)
	s.numbered(1000)
	view := eval[int](b, `import('/store.js').then((s) => s.store.view)`)
	s.numbered(100)
	// Eight other views replace that of the page, unless it has just been used.
	b.until("the rows are numbered anew", `Promise.all([import('/api.js'), import('/store.js')]).then(async ([{ api }, { store }]) => {
		window.other ||= 0;
		for (let i = 0; i < 8; i++) await api('hist', new URLSearchParams({ i: 'other' + other++ }));
		for (let i = 0; i < 12 && store.view === %d; i++) await new Promise((done) => setTimeout(done, 50));
		return store.view > %[1]d;
	})`, view)
	b.until("the line is still selected", `document.querySelector('.row.sel .tx')?.textContent === %q`, line)
	b.noTrouble()
}

// A filter lists two million lines; the top says that there are more, and the search
// ends.
func TestPage_ReportsLinesThatAreNotListed(t *testing.T) {
	s := newSite(t, 256<<20)
	s.numbered(2_200_000)
	b := s.open(1400, 900, "light")
	eval[bool](b, `document.getElementById('addText').value = 'line', document.getElementById('addForm').requestSubmit(), document.getElementById('list').focus(), true`)
	b.until("the search is over", `import('/store.js').then((s) => s.store.limited)`)
	b.keys("g")
	b.until("the top says so", `/select more lines, which are not listed/.test(document.getElementById('evicted')?.textContent)`)
	b.find("run")
	b.until("the total is a minimum", `/^(1 of )?2,\d+,\d+…$/.test(document.getElementById('findCount').textContent)`)
	eval[bool](b, `window.asked = 0, window.fetch = ((f) => (...a) => { if (/where/.test(a[0])) asked++; return f(...a); })(window.fetch), true`)
	b.until("the search has ended", `(async () => {
		const before = asked;
		await new Promise((done) => setTimeout(done, 300));
		return asked === before;
	})()`)
	b.noTrouble()
}

// Times of another day have a date, where there is no other hint to it.
func TestPage_DatesOfOtherDays(t *testing.T) {
	s := newSite(t, 64<<20)
	start := time.Now().Add(-48 * time.Hour)
	for i := range 49 {
		s.write(ktail.Line{Stream: s.streams[0], Time: start.Add(time.Duration(i) * time.Hour).UnixNano(), Text: fmt.Appendf(nil, "line %d", i)})
	}
	b := s.open(1400, 900, "light")
	day := func(at time.Time) string { return at.UTC().Format("2 Jan") + "t? " } // or 2 Sept
	clock := `\d\d:\d\d:\d\d`
	eval[bool](b, `(() => { const z = document.getElementById('zone'); z.value = 'UTC'; z.dispatchEvent(new Event('change')); return true; })()`)
	b.until("the axis has dates", `new RegExp(%q).test([...document.querySelectorAll('.axis span')].map((e) => e.textContent).join())`,
		"^"+day(start)+clock+","+day(start.Add(24*time.Hour))+clock+","+clock+"$")
	if got := eval[string](b, `document.getElementById('hist').getAttribute('aria-label')`); !regexp.MustCompile("from " + day(start)).MatchString(got) {
		t.Errorf("the histogram is described as %s", got)
	}
	b.noTrouble()
}
