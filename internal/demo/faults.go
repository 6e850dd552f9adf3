package demo

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// injectFaults injects a fault every few seconds. It first waits until
// everything written so far has been printed, so that two faults do not combine
// into one that no reader could handle.
func (s *shop) injectFaults(ctx context.Context) {
	random := rand.New(rand.NewPCG(7, 7))
	all := []func(context.Context, *rand.Rand){
		s.cutOne, s.cutMidLine, s.rotate, s.restartKubelet, s.cutOne, s.restartControlPlane, s.rotate, s.cutMidLine, s.closeWatches,
	}
	for n := 0; pause(ctx, time.Second+time.Duration(random.Int64N(int64(time.Second)))); n++ {
		s.lines.waitShown(ctx, s.showTimeout)
		if ctx.Err() != nil {
			return
		}
		all[n%len(all)](ctx, random)
		s.server.SetFault(nil)
	}
}

// cutOne ends the log streams of one pod.
func (s *shop) cutOne(_ context.Context, random *rand.Rand) {
	w := s.writers[random.IntN(len(s.writers))]
	clean := random.IntN(2) == 0
	how := "with a reset"
	if clean {
		how = "cleanly, although it is still running"
	}
	s.announce("the streams of %s end %s", w.logName.pod, how)
	s.server.Cut(clean, func(r fakeapi.Request) bool { return r.Name == w.logName.pod })
}

// cutMidLine cuts every stream in the middle of a line and, for a second, also
// each stream that is reopened.
func (s *shop) cutMidLine(ctx context.Context, random *rand.Rand) {
	s.announce("every stream is cut in the middle of a line, twice")
	how := []fakeapi.Break{fakeapi.End, fakeapi.Reset}[random.IntN(2)]
	after := 20 + random.Int64N(300)
	s.server.SetFault(onLogs(fakeapi.Fault{Break: how, After: after}))
	s.server.CutAll(random.IntN(2) == 0)
	pause(ctx, time.Second)
}

// restartKubelet simulates what a client sees when the kubelet restarts.
func (s *shop) restartKubelet(ctx context.Context, _ *rand.Rand) {
	s.announce("the kubelet restarts: every stream ends cleanly, then 502 for a second")
	s.server.SetFault(onLogs(fakeapi.Fault{Status: http.StatusBadGateway, Body: "error dialing backend: connect: connection refused"}))
	s.server.CutAll(true)
	pause(ctx, time.Second)
}

// restartControlPlane drops every connection and refuses new ones for a while.
func (s *shop) restartControlPlane(ctx context.Context, _ *rand.Rand) {
	s.announce("the control plane restarts: every connection is lost")
	s.server.Down()
	defer s.server.Up()
	pause(ctx, 700*time.Millisecond)
}

// closeWatches ends the watches and makes their resource version expire.
func (s *shop) closeWatches(context.Context, *rand.Rand) {
	s.announce("the pod watch ends, and its resource version has expired")
	s.server.ExpireWatches()
}

// rotate rotates the logs that are never silent, and waits until a line of each
// new file has been printed. After an interruption, that line lets ktail prove
// that it missed none.
func (s *shop) rotate(ctx context.Context, _ *rand.Rand) {
	s.announce("the node rotates its log files")
	var logs []logName
	for _, w := range s.writers {
		if w.steady {
			w.container.Rotate()
			logs = append(logs, w.logName)
		}
	}
	s.lines.waitForOneMore(ctx, s.showTimeout, logs...)
}

// onLogs returns a function that injects the fault into requests for logs.
func onLogs(fault fakeapi.Fault) func(*http.Request) *fakeapi.Fault {
	return func(r *http.Request) *fakeapi.Fault {
		if fakeapi.Parse(r).Subresource != "log" {
			return nil
		}
		return &fault
	}
}
