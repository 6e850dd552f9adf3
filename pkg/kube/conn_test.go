package kube

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// arriving is a connection on which pieces arrive. Read returns at once all
// that has.
type arriving struct {
	net.Conn
	pieces chan []byte // closed at the end
	rest   []byte
	reads  int
}

func (a *arriving) Read(p []byte) (int, error) {
	a.reads++
	if len(a.rest) == 0 {
		piece, ok := <-a.pieces
		if !ok {
			return 0, io.EOF
		}
		a.rest = piece
	}
	for len(a.rest) < len(p) {
		select {
		case piece, ok := <-a.pieces:
			if !ok {
				n := copy(p, a.rest)
				a.rest = a.rest[n:]
				return n, nil
			}
			a.rest = append(slices.Clip(a.rest), piece...)
			continue
		default:
		}
		break
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// flow sends n pieces, one each step, over a gathering connection. It returns
// how often that was read from, and how long the last byte was under way.
func flow(t *testing.T, n, size int, step time.Duration) (reads int, late time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		conn := &arriving{pieces: make(chan []byte, n)}
		dial := gathering(func(context.Context, string, string) (net.Conn, error) { return conn, nil })
		c, err := dial(t.Context(), "tcp", "server")
		if err != nil {
			t.Fatal(err)
		}
		var sent []byte
		for i := range n {
			sent = append(sent, bytes.Repeat([]byte{byte(i)}, size)...)
		}
		began := time.Now()
		go func() {
			for i := range n {
				time.Sleep(step)
				conn.pieces <- sent[i*size : (i+1)*size]
			}
			close(conn.pieces)
		}()
		var got []byte
		buf := make([]byte, 4<<10)
		for {
			k, err := c.Read(buf)
			got = append(got, buf[:k]...)
			if k > 0 {
				arrived := time.Duration((len(got)-1)/size+1) * step
				late = max(late, time.Since(began)-arrived)
			}
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				break
			}
		}
		if !bytes.Equal(got, sent) {
			t.Errorf("%d bytes came, and not those %d that were sent", len(got), len(sent))
		}
		reads = conn.reads
	})
	return reads, late
}

func TestGathering(t *testing.T) {
	const before = gatherFrom / 1024 // pieces of 1 KiB that are not gathered
	tests := []struct {
		name  string
		n     int
		step  time.Duration
		reads int // at most
		late  time.Duration
	}{
		{"a busy connection is read from now and then", 10_000, 100 * time.Microsecond, 1000, gatherFor},
		{"a quiet one at once", 200, 100 * time.Millisecond, 201, 0},
		{"so is the beginning", before, time.Millisecond, before + 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reads, late := flow(t, tt.n, 1024, tt.step)
			if reads > tt.reads {
				t.Errorf("%d reads of %d pieces, want at most %d", reads, tt.n, tt.reads)
			}
			if late > tt.late {
				t.Errorf("a piece was %v late, want at most %v", late, tt.late)
			}
		})
	}
}

// What fills the buffer is not waited for: 1 MiB is there, and no time passes.
func TestGatheringIsNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		conn := &arriving{pieces: make(chan []byte), rest: make([]byte, size)}
		close(conn.pieces)
		c := &gatheringConn{Conn: conn}
		began := time.Now()
		n, err := io.Copy(io.Discard, c)
		if n != size || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if took := time.Since(began); took > 2*gatherFor {
			t.Errorf("1 MiB that was there took %v", took)
		}
	})
}
