package web_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/ktail/ktail/pkg/web"
)

// change makes the pods of the page those of a new version.
func (s *site) change(edit func(*web.Pods)) {
	next := &web.Pods{}
	if before := s.pods.Load(); before != nil {
		next.Version, next.Metrics = before.Version, before.Metrics
		for _, p := range before.Pods {
			p.Containers = append([]web.Container(nil), p.Containers...)
			next.Pods = append(next.Pods, p)
		}
	}
	edit(next)
	next.Version++
	s.pods.Store(next)
}

// podScript returns the text of a pod in the panel.
const podScript = `[...document.querySelectorAll('.pod')].find((p) => p.dataset.pod === %q)?.textContent`

// The panel shows what happens to pods while it is open, and has no figures where
// there are no samples.
func TestPage_PodsFollowTheCluster(t *testing.T) {
	s := newSite(t, 64<<20)
	s.shop(500, 10*time.Millisecond)
	s.change(func(p *web.Pods) {
		for _, name := range []string{"api-1", "web-1"} {
			p.Pods = append(p.Pods, web.Pod{Namespace: "shop", Name: name, Phase: "Running", Ready: true, Node: "worker-1", Owner: "Deployment/web",
				Containers: []web.Container{{Name: "app", State: "running", Ready: true, MemoryLimit: 64 << 20}}})
		}
	})
	b := s.open(1400, 900, "light")
	b.keys("s")
	shows := func(pod, pattern string) {
		t.Helper()
		b.until(pod+" shows "+pattern, `new RegExp(%q).test(`+podScript+`)`, pattern, "shop/"+pod+"/")
	}
	shows("web-1", `^web-1running.*no CPU and memory sample$`)

	now := time.Now().UnixMilli()
	s.change(func(p *web.Pods) {
		p.Pods[1].Containers[0].Samples = []web.Sample{{Time: now, CPU: 250, Memory: 32 << 20}}
	})
	shows("web-1", `cpu250mmem32\.0Mi / 64\.0Mi$`)

	s.change(func(p *web.Pods) {
		c := &p.Pods[1].Containers[0]
		c.Restarts, c.LastExit, c.LastTime = 1, "OOMKilled (137)", now
	})
	shows("web-1", `1 restart.*last exit OOMKilled \(137\), \d+s ago`)

	s.change(func(p *web.Pods) {
		c := &p.Pods[1].Containers[0]
		p.Pods[1].Ready, c.Ready, c.State, c.Reason, c.Restarts = false, false, "waiting", "CrashLoopBackOff", 2
	})
	shows("web-1", `CrashLoopBackOff · 2 restarts`)
	b.until("trouble is first", `document.querySelector('.pod').dataset.pod === 'shop/web-1/'`)

	s.change(func(p *web.Pods) {
		p.Pods[0].Deleting = true
		p.Pods = append(p.Pods, web.Pod{Namespace: "shop", Name: "web-2", Phase: "Pending", Containers: []web.Container{{Name: "app", State: "waiting", Reason: "ContainerCreating"}}})
	})
	shows("api-1", `^api-1terminating`)
	shows("web-2", `^web-2ContainerCreating`)

	s.change(func(p *web.Pods) { p.Pods[0].Deleting, p.Pods[0].Gone = false, true })
	shows("api-1", `^api-1deleted$`)

	s.change(func(p *web.Pods) {
		p.Metrics = `no metrics: pods.metrics.k8s.io is forbidden: User "a" cannot list resource "pods"`
		for i := range p.Pods {
			p.Pods[i].Containers[0].Samples = nil
		}
	})
	b.until("the reason is shown", `document.querySelector('#pods .note-text')?.textContent.includes('is forbidden')`)
	if eval[bool](b, `/\b0m|\b0B|no sample/.test(document.getElementById('pods').textContent)`) {
		t.Errorf("figures without metrics: %s", eval[string](b, `document.getElementById('pods').textContent`))
	}
	b.noTrouble()
}

// The reason of a pod that has failed is shown, rather than what it did to its containers, and
// all pods are counted, also those for which the panel has no room.
func TestPage_PodsInTrouble(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(10)
	s.change(func(p *web.Pods) {
		add := func(name, phase, reason string, c web.Container) {
			c.Name = "app"
			p.Pods = append(p.Pods, web.Pod{Namespace: "shop", Name: name, Phase: phase, Reason: reason, Ready: c.Ready, Containers: []web.Container{c}})
		}
		for i := range 500 {
			add(fmt.Sprintf("web-%03d", i), "Running", "", web.Container{State: "running", Ready: true})
		}
		add("x-evicted", "Failed", "Evicted", web.Container{State: "waiting", Reason: "Evicted"})
		add("x-deadline", "Failed", "DeadlineExceeded", web.Container{State: "terminated", Reason: "Error", LastExit: "Error (137)"})
		add("x-failed", "Failed", "", web.Container{State: "terminated", Reason: "Error", LastExit: "Error (1)"})
		add("x-unschedulable", "Pending", "", web.Container{State: "waiting", Reason: "Unschedulable"})
		add("x-new", "Pending", "", web.Container{State: "waiting"})
	})
	b := s.open(1400, 900, "light")
	b.keys("s")
	for pod, want := range map[string]string{
		"x-evicted": "Evicted", "x-deadline": "DeadlineExceededlast exit Error (137)", "x-failed": "Errorlast exit Error (1)",
		"x-unschedulable": "Unschedulable", "x-new": "pending",
	} {
		b.until(pod+" is "+want, podScript+`?.startsWith(%q)`, "shop/"+pod+"/", pod+want)
	}
	if got := eval[string](b, `document.querySelector('#pods h2').textContent + ', ' + document.querySelectorAll('.pod').length + ' shown, ' + document.querySelector('#pods .note-text')?.textContent`); got != "505 pods, 300 shown, and 205 more" {
		t.Errorf("the panel has %s", got)
	}
	b.noTrouble()
}

// A limit is that of what is running, and only shown if it is one of the whole pod.
func TestPage_PodsLimits(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(10)
	now := time.Now().UnixMilli()
	samples := []web.Sample{{Time: now, CPU: 90, Memory: 48 << 20}}
	s.change(func(p *web.Pods) {
		add := func(name string, containers ...web.Container) {
			p.Pods = append(p.Pods, web.Pod{Namespace: "shop", Name: name, Phase: "Running", Ready: true, Containers: containers})
		}
		add("init", web.Container{Name: "setup", State: "terminated", Reason: "Completed", MemoryLimit: 1 << 30, CPULimit: 2000},
			web.Container{Name: "app", State: "running", Samples: samples, MemoryLimit: 64 << 20, CPULimit: 100})
		add("part", web.Container{Name: "app", State: "running", Samples: samples, CPURequest: 50},
			web.Container{Name: "proxy", State: "running", MemoryLimit: 64 << 20, CPULimit: 100, CPURequest: 10})
		add("part-2", web.Container{Name: "proxy", State: "running", MemoryLimit: 64 << 20},
			web.Container{Name: "app", State: "running", Samples: samples})
		add("all", web.Container{Name: "app", State: "running", Samples: samples, MemoryLimit: 64 << 20, CPULimit: 100},
			web.Container{Name: "proxy", State: "running", MemoryLimit: 64 << 20, CPULimit: 100})
	})
	b := s.open(1400, 900, "light")
	b.keys("s")
	for pod, want := range map[string]string{
		"init": "cpu90m / 100mmem48.0Mi / 64.0Mi", "part": "cpu90m / 60mmem48.0Mi", "part-2": "cpu90mmem48.0Mi", "all": "cpu90m / 200mmem48.0Mi / 128Mi",
	} {
		b.until(pod+" shows "+want, podScript+`?.endsWith(%q)`, "shop/"+pod+"/", want)
	}
	b.noTrouble()
}

// Ages grow although nothing happens. Figures are gray when they are overdue, and then gone.
func TestPage_PodsGrowOld(t *testing.T) {
	s := newSite(t, 64<<20)
	s.numbered(10)
	now := time.Now()
	s.change(func(p *web.Pods) {
		add := func(name string, c web.Container) {
			c.Name, c.State, c.Ready = "app", "running", true
			p.Pods = append(p.Pods, web.Pod{Namespace: "shop", Name: name, Phase: "Running", Ready: true, Containers: []web.Container{c}})
		}
		sample := func(age time.Duration) web.Sample {
			return web.Sample{Time: now.Add(-age).UnixMilli(), CPU: 250, Memory: 32 << 20}
		}
		add("restarted", web.Container{Restarts: 1, LastExit: "OOMKilled (137)", LastTime: now.UnixMilli()})
		add("fresh", web.Container{Samples: []web.Sample{sample(-time.Minute)}})
		add("late", web.Container{Samples: []web.Sample{sample(40 * time.Second)}})
		add("gone", web.Container{Samples: []web.Sample{sample(80 * time.Second)}})
		add("rare", web.Container{Samples: []web.Sample{sample(140 * time.Second), sample(80 * time.Second)}}) // once a minute
	})
	b := s.open(1400, 900, "light")
	b.keys("s")
	for _, shows := range [][2]string{
		{"late", `mem32\.0Mi \(\d+s ago\)$`}, {"rare", `mem32\.0Mi$`}, {"fresh", `mem32\.0Mi$`}, {"gone", `no CPU and memory sample$`},
	} {
		b.until(shows[0]+" shows "+shows[1], `new RegExp(%q).test(`+podScript+`)`, shows[1], "shop/"+shows[0]+"/")
	}
	if got := eval[string](b, `[...document.querySelectorAll('.usage.old')].map((e) => e.parentNode.dataset.pod).join()`); got != "shop/late/" {
		t.Errorf("the figures of %s are gray", got)
	}
	age := `Number(/(\d+)s ago/.exec(` + podScript + `)[1])`
	first := eval[int](b, age, "shop/restarted/")
	b.until("the age grows", age+` > %d`, "shop/restarted/", first)
	b.noTrouble()
}

// A pod is selected although the panel changes while the button is pressed, and the focus
// stays where it is.
func TestPage_PodsChangeDuringAClick(t *testing.T) {
	s := newSite(t, 64<<20)
	s.shop(1000, 10*time.Millisecond)
	s.change(func(p *web.Pods) {
		for _, name := range []string{"search-0", "search-1"} {
			p.Pods = append(p.Pods, web.Pod{Namespace: "shop", Name: name, Phase: "Running", Ready: true, Containers: []web.Container{{Name: "app", State: "running", Ready: true}}})
		}
	})
	b := s.open(1400, 900, "light")
	b.keys("s")
	b.until("the pods are there", `document.querySelectorAll('.pod .state.ok').length === 2`)
	trouble := func(restarts int) { // the pod moves to the top
		s.change(func(p *web.Pods) {
			p.Pods[1].Containers[0].State, p.Pods[1].Containers[0].Reason, p.Pods[1].Containers[0].Restarts = "waiting", "CrashLoopBackOff", restarts
		})
	}
	at := eval[[]float64](b, `(() => { const r = document.querySelector('[data-pod="shop/search-0/"]').getBoundingClientRect(); return [r.x + 30, r.y + 10]; })()`)
	mouse := func(kind input.DispatchMouseEventType) {
		t.Helper()
		if _, err := chromedp.Call(b.ctx, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: at[0], Y: at[1], Button: "left", ClickCount: 1}); err != nil {
			t.Fatal(err)
		}
	}
	mouse("mousePressed")
	asked := eval[int](b, `performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/api/pods')).length`)
	trouble(1)
	b.until("the page has asked for the pods", `performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/api/pods')).length > %d`, asked)
	mouse("mouseReleased")
	b.until("its lines are shown", `document.getElementById('chips').textContent.includes('search-0')`)
	b.until("the panel has changed", podScript+`.includes('1 restart')`, "shop/search-1/")
	if got := eval[string](b, `document.querySelector('.pod[aria-pressed=true]')?.dataset.pod + ' ' + document.querySelector('.pod').dataset.pod`); got != "shop/search-0/ shop/search-1/" {
		t.Errorf("pressed and first: %s", got)
	}
	eval[bool](b, `document.querySelector('[data-pod="shop/search-1/"]').focus(), true`)
	trouble(2)
	b.until("the panel has changed", podScript+`.includes('2 restarts')`, "shop/search-1/")
	if got := eval[string](b, `String(document.activeElement.dataset.pod)`); got != "shop/search-1/" {
		t.Errorf("the focus is at %s", got)
	}
	b.noTrouble()
}

// A click shows only the lines of a pod, Shift adds one, and Alt excludes one.
func TestPage_PodsSelectLines(t *testing.T) {
	s := newSite(t, 64<<20)
	s.shop(3000, 10*time.Millisecond)
	b := s.open(1400, 900, "light")
	b.keys("s")
	b.until("the pods of the lines are there", `document.querySelectorAll('.pod').length === 6`)
	sources := `[...new Set([...document.querySelectorAll('.row:not([hidden]):not(.wait) .src b')].map((e) => e.textContent))].sort().join(' ')`
	click := func(pod, key string) {
		t.Helper()
		eval[bool](b, `[...document.querySelectorAll('.pod')].find((p) => p.dataset.pod === %q).dispatchEvent(new MouseEvent('click', {bubbles: true, shiftKey: %t, altKey: %t})), true`,
			"shop/"+pod+"/", key == "shift", key == "alt")
	}
	click("search-0", "")
	b.until("only its lines are left", sources+` === 'search-0'`)
	click("search-1", "shift")
	b.until("lines of both", sources+` === 'search-0 search-1'`)
	click("search-1", "")
	click("search-0", "")
	b.until("no filter", `document.querySelectorAll('.chip').length === 0`)
	click("search-0", "alt")
	b.until("all others", sources+`.split(' ').length >= 4 && !`+sources+`.includes('search-0')`)
	b.do(chromedp.Reload())
	b.until("reload keeps it", `document.querySelectorAll('.chip').length === 1 && !document.getElementById('pods').hidden`)
	b.noTrouble()
}

// The panel counts all pods, although it shows only some.
func TestPage_CountsPodsThatItDoesNotShow(t *testing.T) {
	s := newSite(t, 64<<20)
	s.shop(100, 10*time.Millisecond)
	s.change(func(p *web.Pods) {
		for i := range 1000 {
			p.Pods = append(p.Pods, web.Pod{Namespace: "shop", Name: fmt.Sprint("web-", i), Phase: "Running", Ready: true, Containers: []web.Container{{Name: "app", State: "running", Ready: true}}})
		}
		p.Pods[999].Phase = "Failed"
	})
	b := s.open(1400, 900, "light")
	b.keys("s")
	b.until("there are pods", `document.querySelectorAll('.pod').length === 300`)
	got := eval[string](b, `[document.querySelector('#pods h2').textContent, document.querySelector('.pod').dataset.pod, document.getElementById('podNote').textContent].join(' | ')`)
	if want := "1,000 pods | shop/web-999/ | and 700 more"; got != want {
		t.Errorf("the panel shows %q, want %q", got, want)
	}
	b.noTrouble()
}
