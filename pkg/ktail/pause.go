package ktail

import "context"

// The engine watches for silent sources: a source that is read once may be stuck, and a
// stream that has left the set ends when it is silent. A source is also silent while
// ktail itself holds it up, because of a limit that the user has set. It pauses then,
// so that this time does not count.

type pauseKey struct{}

// WithPause returns a context for Source.Read. pause is called with true when the
// source starts to wait for something other than its server, and with false when it
// continues.
func WithPause(ctx context.Context, pause func(bool)) context.Context {
	if outer, ok := ctx.Value(pauseKey{}).(func(bool)); ok {
		inner := pause
		pause = func(paused bool) {
			outer(paused)
			inner(paused)
		}
	}
	return context.WithValue(ctx, pauseKey{}, pause)
}

// Pause records that the source that is read with ctx waits for something other than
// its server, until resume is called.
func Pause(ctx context.Context) (resume func()) {
	pause, ok := ctx.Value(pauseKey{}).(func(bool))
	if !ok {
		return func() {}
	}
	pause(true)
	return func() { pause(false) }
}
