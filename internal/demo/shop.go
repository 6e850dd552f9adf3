package demo

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/internal/fakeapi"
)

const namespace = "shop"

// shop is the pods, and what happens to them.
type shop struct {
	server   *fakeapi.Server
	books    *ledger
	patience time.Duration
	news     io.Writer

	mu   sync.Mutex // news
	cast []*actor   // who is there from the beginning
}

// actor is one container and who writes its log.
type actor struct {
	shop      *shop
	pod       *fakeapi.Pod
	container *fakeapi.Container
	account   account
	random    *rand.Rand
	act       func(context.Context, *actor)
	steady    bool // never silent for more than a second
}

// say writes lines to the log and into the books. It reports whether the
// container still took them.
func (a *actor) say(lines ...string) bool {
	for _, line := range lines {
		if !a.container.Log(line) {
			return false
		}
		a.shop.books.wrote(a.account, line)
	}
	return true
}

// sayEntry is say for an entry that has a time of its own, or no newline.
func (a *actor) sayEntry(e fakeapi.Entry) {
	if a.container.Append(e) {
		a.shop.books.wrote(a.account, e.Text)
	}
}

// settle returns when what the actor has written was shown.
func (a *actor) settle(ctx context.Context) {
	a.shop.books.settle(ctx, a.shop.patience, a.account)
}

// after waits for half to one and a half of the time.
func (a *actor) after(ctx context.Context, d time.Duration) bool {
	return pause(ctx, d/2+time.Duration(a.random.Int64N(int64(d))))
}

// add makes a pod of a Deployment, or of a Job, of which nothing runs yet.
func (s *shop) add(app, name string, spec corev1.PodSpec) *fakeapi.Pod {
	return s.server.AddPod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": app}},
		Spec:       spec,
	})
}

func containers(names ...string) []corev1.Container {
	list := make([]corev1.Container, len(names))
	for i, name := range names {
		list[i] = corev1.Container{Name: name, Image: "registry.example/" + name + ":1.4"}
	}
	return list
}

// actor returns who writes the log of the container.
func (s *shop) actor(pod *fakeapi.Pod, container string, act func(context.Context, *actor)) *actor {
	name := pod.Object().Name
	a := &actor{
		shop: s, pod: pod, container: pod.Container(container),
		account: account{name, container}, act: act,
	}
	var seed uint64
	for _, c := range []byte(name + container) {
		seed = seed*31 + uint64(c)
	}
	a.random = rand.New(rand.NewPCG(seed, 1)) // the same texts at each run
	return a
}

// open sets up the pods that are there before ktail is started, with something
// in their logs already.
func (s *shop) open() {
	employ := func(pod *fakeapi.Pod, container string, act func(context.Context, *actor)) *actor {
		a := s.actor(pod, container, act)
		s.cast = append(s.cast, a)
		return a
	}
	for _, id := range []string{"k2x9q", "w8zlm"} {
		pod := s.add("frontend", "frontend-7d9c6bf4b5-"+id, corev1.PodSpec{Containers: containers("nginx")})
		employ(pod, "nginx", frontend).steady = true
	}
	employ(s.add("cart", "cart-66f5c9d7c8-h4vtn", corev1.PodSpec{Containers: containers("cart")}), "cart", cart).steady = true
	employ(s.add("search", "search-5b7f98d6f9-zz7rd", corev1.PodSpec{Containers: containers("indexer")}), "indexer", search)
	employ(s.add("worker", "worker-849d5f7c6b-bl2ps", corev1.PodSpec{Containers: containers("worker")}), "worker", worker)

	always := corev1.ContainerRestartPolicyAlways
	proxy := containers("proxy")
	proxy[0].RestartPolicy = &always
	pod := s.add("payments", "payments-5c8d4b9f77-9xk4t", corev1.PodSpec{InitContainers: proxy, Containers: containers("payments")})
	employ(pod, "payments", payments).steady = true
	employ(pod, "proxy", sidecar).steady = true

	for _, a := range s.cast {
		a.pod.Start()
		a.say(fmt.Sprintf("%s starting, version 1.4.%d", a.account.container, a.random.IntN(20)))
	}
}

// run lets the shop work until ctx ends.
func (s *shop) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, a := range s.cast {
		wg.Go(func() { a.act(ctx, a) })
	}
	wg.Go(func() { s.checkout(ctx) })
	wg.Go(func() { s.jobs(ctx) })
	wg.Go(func() { s.rollouts(ctx) })
	wg.Go(func() { s.trouble(ctx) })
	wg.Wait()
}

// tell says what happens to the cluster.
func (s *shop) tell(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.news, "demo: "+format+"\n", args...) // only for the eyes
}
