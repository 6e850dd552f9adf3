package stdin_test

import (
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/ktail/ktail/internal/sourcetest"
)

func TestSource_KeepsContract(t *testing.T) {
	sourcetest.RunOnce(t, func(t *testing.T) sourcetest.Subject {
		in := &pipe{}
		in.changed.L = &in.mu
		t.Cleanup(in.end) // a read cannot be interrupted
		return sourcetest.Subject{Source: source(t, in), Write: in.write, End: in.end}
	})
}

// pipe is a pipe that never blocks its writer.
type pipe struct {
	mu      sync.Mutex
	changed sync.Cond
	data    []byte
	ended   bool
}

func (p *pipe) write(texts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.data = append(p.data, strings.Join(texts, "\n")+"\n"...)
	p.changed.Broadcast()
}

func (p *pipe) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.changed.Broadcast()
}

// Read implements io.Reader.
func (p *pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.data) == 0 {
		if p.ended {
			return 0, io.EOF
		}
		p.changed.Wait()
	}
	n := copy(b, p.data)
	p.data = p.data[n:]
	return n, nil
}
