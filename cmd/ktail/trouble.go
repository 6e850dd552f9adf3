package main

import (
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// troubleDelay is how long trouble is collected before it is said.
const troubleDelay = time.Second

// trouble says which logs cannot be read at present. When a node or the control
// plane is away, hundreds fail in one moment: that is one message, not hundreds,
// and none at all if they recover before it is said.
type trouble struct {
	say func(format string, args ...any)

	mu        sync.Mutex
	timer     *time.Timer
	failing   map[ktail.Key]error // not said yet
	said      map[ktail.Key]bool
	recovered []*ktail.Stream // not said yet
}

func newTrouble(say func(format string, args ...any)) *trouble {
	return &trouble{say: say, failing: map[ktail.Key]error{}, said: map[ktail.Key]bool{}}
}

// fail takes note that the stream cannot be read.
func (t *trouble) fail(s *ktail.Stream, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failing[s.Key()] = err
	t.arm()
}

// forget takes note that the stream has ended.
func (t *trouble) forget(s *ktail.Stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.failing, s.Key())
	delete(t.said, s.Key())
}

// recover takes note that the stream is read again.
func (t *trouble) recover(s *ktail.Stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.failing, s.Key())
	if t.said[s.Key()] {
		delete(t.said, s.Key())
		t.recovered = append(t.recovered, s)
		t.arm()
	}
}

func (t *trouble) arm() {
	if t.timer == nil {
		t.timer = time.AfterFunc(troubleDelay, t.flush)
	}
}

// flush says what has been collected.
func (t *trouble) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = nil
	switch n := len(t.recovered); n {
	case 0:
	case 1:
		t.say("%s is read again", t.recovered[0])
	default:
		t.say("%d logs are read again", n)
	}
	t.recovered = nil
	var example error
	for key, err := range t.failing {
		t.said[key] = true
		if example == nil || err.Error() < example.Error() {
			example = err
		}
	}
	switch n := len(t.failing); n {
	case 0:
	case 1:
		t.say("%v; trying again", example)
	default:
		t.say("%d logs cannot be read: %v, and others; trying again", n, example)
	}
	clear(t.failing)
}
