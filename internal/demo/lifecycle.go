package demo

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/ktail/ktail/internal/fakeapi"
)

// checkout starts while ktail is following, after an init container. It logs
// logfmt.
func (s *shop) checkout(ctx context.Context) {
	if !pause(ctx, 2*time.Second) {
		return
	}
	pod := s.add("checkout", "checkout-6b9f7d5c4d-p5mzg", corev1.PodSpec{InitContainers: containers("migrate"), Containers: containers("checkout")})
	migrate := s.writer(pod, "migrate", nil)
	migrate.container.Start()
	for i := range 3 {
		if !migrate.after(ctx, 300*time.Millisecond) {
			return
		}
		migrate.log(fmt.Sprintf("migration %d of 3 applied", i+1))
	}
	migrate.container.Exit(0, "")
	pod.Start()
	w := s.writer(pod, "checkout", nil)
	for w.log(fmt.Sprintf("ts=%d level=info order=%s items=%d step=%s", time.Now().UnixMilli(), w.id(), 1+w.random.IntN(5),
		w.pick([]string{"address", "shipping", "payment", "confirmation"}))) {
		if !w.after(ctx, 350*time.Millisecond) {
			return
		}
	}
}

// jobs runs one Job after another. The last line of each has no newline.
func (s *shop) jobs(ctx context.Context) {
	for n := 1; pause(ctx, 3*time.Second); n++ {
		pod := s.add("report", fmt.Sprintf("report-2939%04d-t6xkq", n), corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: containers("report")})
		w := s.writer(pod, "report", nil)
		if !pause(ctx, 500*time.Millisecond) {
			return
		}
		pod.Start()
		for i := range 8 {
			w.log(fmt.Sprintf("orders of day %d: %d, worth %d.%02d EUR", i+1, 200+w.random.IntN(900), 9000+w.random.IntN(50000), w.random.IntN(100)))
			if !w.after(ctx, 200*time.Millisecond) {
				return
			}
		}
		w.append(fakeapi.Entry{Text: "report written", Partial: true})
		w.container.Exit(0, "")
		if !pause(ctx, 6*time.Second) {
			return
		}
		w.waitShown(ctx)
		pod.Remove()
	}
}

// rollouts repeatedly replaces the only pod of a Deployment.
func (s *shop) rollouts(ctx context.Context) {
	names := []string{"catalog-58c7d9f6bb-d9r2n", "catalog-7f6b8c5d9d-n4qtx", "catalog-6c94bfd7f5-vv8lh"}
	old := s.replica(ctx, names[0])
	for n := 1; pause(ctx, 8*time.Second); n++ {
		name := names[n%len(names)]
		if n >= len(names) {
			name = fmt.Sprintf("catalog-67%08d-%05d", n, 20000+n)
		}
		s.announce("catalog: rolling out a new version")
		next := s.replica(ctx, name)
		if !pause(ctx, time.Second) {
			break
		}
		old.end(ctx)
		old = next
	}
	old.stop()
}

// replica is one pod of the Deployment.
type replica struct {
	*writer
	cancel context.CancelFunc
	ended  chan struct{}
}

func (s *shop) replica(ctx context.Context, name string) *replica {
	ctx, cancel := context.WithCancel(ctx)
	pod := s.add("catalog", name, corev1.PodSpec{Containers: containers("catalog")})
	pod.Start()
	r := &replica{writer: s.writer(pod, "catalog", nil), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		r.log("listening on :8080")
		for r.after(ctx, 200*time.Millisecond) {
			r.log(fmt.Sprintf("[debug] lookup %s: %d hits in %dµs", r.pick(goods), r.random.IntN(50), 100+r.random.IntN(3000)))
		}
	}()
	return r
}

// stop stops the writer.
func (r *replica) stop() {
	r.cancel()
	<-r.ended
}

// end deletes the pod as a Deployment does.
func (r *replica) end(ctx context.Context) {
	r.pod.Delete()
	r.stop()
	r.log("SIGTERM: waiting for open requests", "bye")
	r.container.Exit(0, "")
	r.waitShown(ctx)
	r.pod.Remove()
}
