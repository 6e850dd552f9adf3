package transport

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// arriving is a connection on which pieces arrive. Read returns everything that
// has arrived.
type arriving struct {
	net.Conn
	pieces chan []byte // closed at the end
	rest   []byte
	reads  int
	writes []string
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

func (a *arriving) Write(p []byte) (int, error) {
	a.writes = append(a.writes, string(p))
	return len(p), nil
}

// flow sends n pieces, one every step, over a coalescing connection. The pieces
// belong to one log, or to many, which are followed or not. It returns the
// number of reads from the connection, and how late the last byte was read.
func flow(t *testing.T, n, size int, step time.Duration, one, follow bool) (reads int, late time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		conn := &arriving{pieces: make(chan []byte, n)}
		c := newCoalescingConn(conn, narrowWindow, time.Now())
		c.follows.Store(follow)
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
		share := batchShare{conn: c}
		buf := make([]byte, 4<<10)
		for {
			k, err := c.Read(buf)
			got = append(got, buf[:k]...)
			if one {
				share.add(k)
			}
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
			t.Errorf("got %d bytes, which differ from the %d that were sent", len(got), len(sent))
		}
		reads = conn.reads
	})
	return reads, late
}

func TestCoalescing_DelaysOnlyBusyConnections(t *testing.T) {
	const before = coalesceFrom / 1024 // pieces of 1 KiB that are read without a pause
	tests := []struct {
		name   string
		n      int
		step   time.Duration
		one    bool
		follow bool
		reads  int // upper bound
		late   time.Duration
	}{
		{"a very busy connection is read rarely", 10_000, 100 * time.Microsecond, false, true, 250, shortDelay + longDelay},
		{"a very busy connection without followed logs is read even more rarely", 10_000, time.Millisecond, false, false, 300, shortDelay + longestDelay},
		{"a connection with one log is read before the log fills its window", 10_000, 250 * time.Microsecond, true, false, 1000, 3 * shortDelay},
		{"a busy connection is read less often than pieces arrive", 10_000, 3 * time.Millisecond, false, true, 8000, 2 * shortDelay},
		{"a quiet connection is read immediately", 200, 100 * time.Millisecond, false, true, 201, 0},
		{"a new connection is read immediately", before, time.Millisecond, false, true, before + 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reads, late := flow(t, tt.n, 1024, tt.step, tt.one, tt.follow)
			if reads > tt.reads {
				t.Errorf("%d reads of %d pieces, want at most %d", reads, tt.n, tt.reads)
			}
			if late > tt.late {
				t.Errorf("a piece was %v late, want at most %v", late, tt.late)
			}
		})
	}
}

// If data fills the buffer, there is no pause: 1 MiB is available and is read
// without any time passing.
func TestCoalescing_FullBufferIsReadAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 1 << 20
		conn := &arriving{pieces: make(chan []byte), rest: make([]byte, size)}
		close(conn.pieces)
		c := newCoalescingConn(conn, narrowWindow, time.Now())
		began := time.Now()
		n, err := io.Copy(io.Discard, c)
		if n != size || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if took := time.Since(began); took > 2*longDelay {
			t.Errorf("reading 1 MiB of available data took %v", took)
		}
	})
}

// Writes wait while a busy connection is not read. On a quiet connection they
// do not wait.
func TestCoalescing_HoldsWritesDuringPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := &arriving{pieces: make(chan []byte, 1), rest: make([]byte, coalesceFrom)}
		c := newCoalescingConn(conn, narrowWindow, time.Now())
		write := func(text string, want ...string) {
			t.Helper()
			if _, err := io.WriteString(c, text); err != nil {
				t.Error(err)
			}
			if !slices.Equal(conn.writes, want) {
				t.Errorf("after %q was written, %q was sent, want %q", text, conn.writes, want)
			}
		}
		buf := make([]byte, readSize)
		read := func() {
			t.Helper()
			if _, err := c.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
		write("request", "request")
		read()
		conn.pieces <- []byte("first")
		read()
		write("ack 1", "request")
		write("ack 2", "request")
		go func() {
			time.Sleep(time.Second) // the next read waits for data
			write("ping", "request", "ack 1ack 2", "ping")
			conn.pieces <- []byte("second")
		}()
		read()
	})
}

// Over TCP, all bytes arrive in both directions.
func TestCoalescing_DeliversAllBytesOverTCP(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // no goroutine accepts from it any more
	const size, piece, ahead = 4 << 20, 4 << 10, 64
	answered := make(chan error, 1)
	go func() {
		answered <- func() error {
			conn, err := listener.Accept()
			if err != nil {
				return err
			}
			ack := make([]byte, ahead)
			for sent := range size / piece {
				if _, err := conn.Write(bytes.Repeat([]byte{byte(sent)}, piece)); err != nil {
					return err
				}
				if sent < ahead {
					continue
				}
				if _, err := io.ReadFull(conn, ack[:1]); err != nil {
					return err
				}
			}
			_, err = io.ReadFull(conn, ack)
			return errors.Join(err, conn.Close())
		}()
	}()
	dial := coalescing((&net.Dialer{}).DialContext, narrowWindow, time.Now())
	conn, err := dial(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the other side has closed
	buf := make([]byte, piece)
	for i := range size / piece {
		if _, err := io.ReadFull(conn, buf); err != nil {
			t.Fatalf("piece %d: %v", i, err)
		}
		if !bytes.Equal(buf, bytes.Repeat([]byte{byte(i)}, piece)) {
			t.Fatalf("piece %d differs", i)
		}
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Read(buf); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
	if err := <-answered; err != nil {
		t.Error(err)
	}
}
