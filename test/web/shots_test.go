package web_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/web"
)

// shopPods is the state of the pods of the shop.
func shopPods(s *site) *web.Pods {
	now := time.Now().UnixMilli()
	pods := &web.Pods{Version: 1}
	seen := map[string]int{}
	for _, stream := range s.streams {
		i, ok := seen[stream.Pod]
		if !ok {
			i = len(pods.Pods)
			seen[stream.Pod] = i
			pods.Pods = append(pods.Pods, web.Pod{Namespace: "shop", Name: stream.Pod, Phase: "Running", Ready: true, Node: stream.Node, Owner: "Deployment/web"})
		}
		c := web.Container{Name: stream.Container, State: "running", Ready: true, CPULimit: 500, CPURequest: 100, MemoryRequest: 128 << 20, MemoryLimit: 512 << 20}
		for k := range int64(40) {
			c.Samples = append(c.Samples, web.Sample{Time: now - (40-k)*15000, CPU: 100 + 13*(k*k%17), Memory: (120 + 5*k) << 20})
		}
		pods.Pods[i].Containers = append(pods.Pods[i].Containers, c)
	}
	bad := &pods.Pods[2].Containers[0]
	bad.State, bad.Reason, bad.Ready, bad.Restarts, bad.LastExit, bad.LastTime, bad.Samples = "waiting", "CrashLoopBackOff", false, 7, "OOMKilled (137)", now-42000, nil
	pods.Pods[2].Ready = false
	pods.Pods[0].Containers[0].Restarts, pods.Pods[0].Containers[0].LastExit, pods.Pods[0].Containers[0].LastTime = 2, "Error (1)", now-600000
	return pods
}

// TestPage_ShowsItsStates walks through the states of the page, which pictures show
// (SHOTS=directory).
func TestPage_ShowsItsStates(t *testing.T) {
	for _, width := range []int64{1400, 390} {
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprint(width, scheme), func(t *testing.T) {
				s := newSite(t, 64<<20)
				s.shop(20_000, 29*time.Millisecond)
				s.pods.Store(shopPods(s))
				height := int64(900)
				if width < 500 {
					height = 844
				}
				b := s.open(width, height, scheme)
				name := func(state string) string { return fmt.Sprintf("%s-%d-%s", state, width, scheme) }
				b.until("the histogram is drawn", `document.querySelector('.axis span').textContent`)
				b.shot(name("live"))
				b.keys("s")
				b.until("the pods are there", `document.querySelectorAll('.pod').length === 6`)
				b.shot(name("pods"))
				if width < 500 {
					b.keys("s")
				}
				b.keys("E")
				b.until("an error is selected", `document.querySelector('.row.sel.error')`)
				b.keys("\r")
				b.until("the drawer is open", `!document.getElementById('drawer').hidden`)
				b.shot(name("drawer"))
				b.find("timed out\r")
				b.until("the matches are counted", `/^\d/.test(document.getElementById('findCount').textContent)`)
				b.until("the matches are marked", `document.querySelector('.row .m')`)
				b.shot(name("find"))
				eval[bool](b, `document.getElementById('findFilter').click(), true`)
				b.until("only matches are left", `document.querySelector('.row:not([hidden]):not(.wait):not(.note)')?.textContent.includes('timed out') && document.querySelectorAll('.chip').length === 1 && !document.querySelector('.row.wait:not([hidden])')`)
				b.shot(name("filtered"))
				eval[bool](b, `document.getElementById('list').focus(), true`)
				b.keys("?")
				b.until("the help is open", `document.getElementById('helpDialog').open`)
				b.shot(name("help"))
				b.noTrouble()
			})
		}
	}
}
