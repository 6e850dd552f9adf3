package demo

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/ktail/ktail/internal/fakeapi"
)

// trouble makes something go wrong every few seconds. It waits first until what
// was written so far is shown, so that two troubles do not make a third.
func (s *shop) trouble(ctx context.Context) {
	random := rand.New(rand.NewPCG(7, 7))
	all := []func(context.Context, *rand.Rand){
		s.cutOne, s.cutMidLine, s.rotate, s.restartKubelet, s.cutOne, s.restartControlPlane, s.rotate, s.cutMidLine, s.closeWatches,
	}
	for n := 0; pause(ctx, time.Second+time.Duration(random.Int64N(int64(time.Second)))); n++ {
		s.books.settle(ctx, s.patience)
		if ctx.Err() != nil {
			return
		}
		all[n%len(all)](ctx, random)
		s.server.SetFault(nil)
	}
}

// cutOne ends the streams of one pod.
func (s *shop) cutOne(_ context.Context, random *rand.Rand) {
	a := s.cast[random.IntN(len(s.cast))]
	clean := random.IntN(2) == 0
	how := "by a reset"
	if clean {
		how = "cleanly, though it runs on"
	}
	s.tell("the streams of %s end %s", a.account.pod, how)
	s.server.Cut(clean, func(r fakeapi.Request) bool { return r.Name == a.account.pod })
}

// cutMidLine ends every stream, and each that is opened within a second again
// after some bytes.
func (s *shop) cutMidLine(ctx context.Context, random *rand.Rand) {
	s.tell("every stream breaks off in the middle of a line, and once more")
	how := []fakeapi.Break{fakeapi.End, fakeapi.Reset}[random.IntN(2)]
	after := 20 + random.Int64N(300)
	s.server.SetFault(onLogs(fakeapi.Fault{Break: how, After: after}))
	s.server.CutAll(random.IntN(2) == 0)
	pause(ctx, time.Second)
}

// restartKubelet is what it looks like when the kubelet of the node restarts.
func (s *shop) restartKubelet(ctx context.Context, _ *rand.Rand) {
	s.tell("the kubelet restarts: every stream ends cleanly, then 502 for a second")
	s.server.SetFault(onLogs(fakeapi.Fault{Status: http.StatusBadGateway, Body: "error dialing backend: connect: connection refused"}))
	s.server.CutAll(true)
	pause(ctx, time.Second)
}

// restartControlPlane drops every connection and refuses new ones for a while.
func (s *shop) restartControlPlane(ctx context.Context, _ *rand.Rand) {
	s.tell("the control plane restarts: every connection is lost")
	s.server.Down()
	defer s.server.Up()
	pause(ctx, 700*time.Millisecond)
}

// closeWatches ends the watches, and makes their resource version too old.
func (s *shop) closeWatches(context.Context, *rand.Rand) {
	s.tell("the watch of the pods ends, its resource version is too old to go on")
	s.server.ExpireWatches()
}

// rotate has the steady logs begin a new file, and waits until a line of it was
// shown: after a cut, that line proves to ktail that it has missed none.
func (s *shop) rotate(ctx context.Context, _ *rand.Rand) {
	s.tell("the node rotates its log files")
	var accounts []account
	for _, a := range s.cast {
		if a.steady {
			a.container.Rotate()
			accounts = append(accounts, a.account)
		}
	}
	s.books.settleOneMore(ctx, s.patience, accounts...)
}

// onLogs has the fault befall the requests for logs.
func onLogs(fault fakeapi.Fault) func(*http.Request) *fakeapi.Fault {
	return func(r *http.Request) *fakeapi.Fault {
		if fakeapi.Parse(r).Subresource != "log" {
			return nil
		}
		return &fault
	}
}
