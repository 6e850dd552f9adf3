package demo

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/internal/fakeapi"
)

// checkout comes up while ktail is looking on, after an init container, and
// logs logfmt.
func (s *shop) checkout(ctx context.Context) {
	if !pause(ctx, 2*time.Second) {
		return
	}
	pod := s.add("checkout", "checkout-6b9f7d5c4d-p5mzg", corev1.PodSpec{InitContainers: containers("migrate"), Containers: containers("checkout")})
	migrate := s.actor(pod, "migrate", nil)
	migrate.container.Start()
	for i := range 3 {
		if !migrate.after(ctx, 300*time.Millisecond) {
			return
		}
		migrate.say(fmt.Sprintf("migration %d of 3 applied", i+1))
	}
	migrate.container.Exit(0, "")
	pod.Start()
	a := s.actor(pod, "checkout", nil)
	for a.say(fmt.Sprintf("ts=%d level=info order=%s items=%d step=%s", time.Now().UnixMilli(), a.id(), 1+a.random.IntN(5),
		a.pick([]string{"address", "shipping", "payment", "confirmation"}))) {
		if !a.after(ctx, 350*time.Millisecond) {
			return
		}
	}
}

// jobs runs a Job every now and then. Its last line has no newline.
func (s *shop) jobs(ctx context.Context) {
	for n := 1; pause(ctx, 3*time.Second); n++ {
		pod := s.add("report", fmt.Sprintf("report-2939%04d-t6xkq", n), corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: containers("report")})
		a := s.actor(pod, "report", nil)
		if !pause(ctx, 500*time.Millisecond) {
			return
		}
		pod.Start()
		for i := range 8 {
			a.say(fmt.Sprintf("orders of day %d: %d, worth %d.%02d EUR", i+1, 200+a.random.IntN(900), 9000+a.random.IntN(50000), a.random.IntN(100)))
			if !a.after(ctx, 200*time.Millisecond) {
				return
			}
		}
		a.sayEntry(fakeapi.Entry{Text: "report written", Partial: true})
		a.container.Exit(0, "")
		if !pause(ctx, 6*time.Second) {
			return
		}
		a.settle(ctx)
		pod.Remove()
	}
}

// rollouts replaces the one pod of a Deployment by a new one, again and again.
func (s *shop) rollouts(ctx context.Context) {
	names := []string{"catalog-58c7d9f6bb-d9r2n", "catalog-7f6b8c5d9d-n4qtx", "catalog-6c94bfd7f5-vv8lh"}
	old := s.replica(ctx, names[0])
	for n := 1; pause(ctx, 8*time.Second); n++ {
		name := names[n%len(names)]
		if n >= len(names) {
			name = fmt.Sprintf("catalog-%010d-%05d", 6710000000+n, 20000+n)
		}
		s.tell("catalog is rolled out anew")
		next := s.replica(ctx, name)
		if !pause(ctx, time.Second) {
			break
		}
		old.end(ctx)
		old = next
	}
	old.stop()
}

// replica is one pod of the Deployment, with its writer.
type replica struct {
	*actor
	cancel context.CancelFunc
	ended  chan struct{}
}

func (s *shop) replica(ctx context.Context, name string) *replica {
	ctx, cancel := context.WithCancel(ctx)
	pod := s.add("catalog", name, corev1.PodSpec{Containers: containers("catalog")})
	pod.Start()
	r := &replica{actor: s.actor(pod, "catalog", nil), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.say("listening on :8080")
		for r.after(ctx, 200*time.Millisecond) {
			r.say(fmt.Sprintf("[debug] lookup %s: %d hits in %dµs", r.pick(goods), r.random.IntN(50), 100+r.random.IntN(3000)))
		}
	}()
	return r
}

// stop has the writer stop.
func (r *replica) stop() {
	r.cancel()
	<-r.ended
}

// end deletes the pod as a Deployment does.
func (r *replica) end(ctx context.Context) {
	r.pod.Delete()
	r.stop()
	r.say("SIGTERM: waiting for open requests", "bye")
	r.container.Exit(0, "")
	r.settle(ctx)
	r.pod.Remove()
}
