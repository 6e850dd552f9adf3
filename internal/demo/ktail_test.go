package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// role is the variable that makes the test binary act as ktail.
const role = "KTAIL_DEMO_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "mute": // follows and prints no lines
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt)
		fmt.Println("never written")
		<-stop
		fmt.Println("last words")
	case "quitter":
		os.Exit(3)
	default:
		os.Exit(m.Run())
	}
}

func TestRun_ReportsLostLines(t *testing.T) {
	tests := []struct {
		role, want, err string
	}{
		{"mute", "shown 0, lost ", ""},
		{"quitter", "shown 0, lost ", "ktail exited by itself: exit status 3"},
	}
	for _, tt := range tests {
		t.Run(tt.role, func(t *testing.T) {
			t.Setenv(role, tt.role)
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer null.Close() //nolint:errcheck // nothing is kept there
			stop := make(chan struct{})
			out := &output{first: sync.OnceFunc(func() { close(stop) })}
			r, err := Run(t.Context(), Options{Ktail: os.Args[0], Stop: stop, Out: out, ErrOut: null, ShowTimeout: 50 * time.Millisecond})
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if !strings.Contains(r.String(), tt.want) || r.Written == 0 || r.Lost != r.Written || r.OK() {
				t.Errorf("report: %s", r)
			}
			if got := out.text.String(); tt.role == "mute" && (got != "never written\nlast words\n" || r.Unknown != 2) {
				t.Errorf("%q, report: %s", got, r)
			}
		})
	}
}

// output keeps what is written to it. It calls first before the first write.
type output struct {
	first func()
	text  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.first()
	return o.text.Write(p)
}

func TestRun_FailsWithoutBinary(t *testing.T) {
	_, err := Run(t.Context(), Options{Ktail: t.TempDir() + "/none", Out: io.Discard})
	if err == nil || !strings.Contains(err.Error(), "start ktail") {
		t.Errorf("got %v", err)
	}
}

func TestRecorder_RecordsLines(t *testing.T) {
	text := "cart-1 cart {\"a\": 1}\n" +
		"\x1b[92mcart-1\x1b[0m \x1b[32mcart\x1b[0m two  spaces\n" +
		"cart-1 cart \n" +
		"nonsense\n" +
		"\x1b[92;1m+\x1b[0;22m cart-1 › cart\n" +
		"- cart-1 › cart (Error exit 1)\n" +
		"! cart-1 › cart: Back-off restarting failed container cart\n" +
		"ktail: a message\n" +
		"cart-1 cart     aligned\n" +
		"cart-1 cart without newline"
	for _, size := range []int{1, 7, len(text)} {
		t.Run(fmt.Sprintf("in pieces of %d bytes", size), func(t *testing.T) {
			l, a := newAccounting(), logName{"cart-1", "cart"}
			for _, line := range []string{`{"a": 1}`, "two  spaces", "", "aligned"} {
				l.wrote(a, line)
			}
			var out bytes.Buffer
			r := &recorder{to: &out, lines: l}
			for piece := range slices.Chunk([]byte(text), size) {
				if _, err := r.Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			r.end()
			if out.String() != text {
				t.Errorf("copied %q", out.String())
			}
			if r := l.compare(); r.Shown != 4 || r.Lost != 0 || r.Unknown != 2 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestWaitShown_GivesUpAfterTimeout(t *testing.T) {
	a, b := logName{"pod", "a"}, logName{"pod", "b"}
	tests := []struct {
		name      string
		waitShown func(context.Context, *accounting)
		want      time.Duration
	}{
		{"all", func(ctx context.Context, l *accounting) { l.waitShown(ctx, 5*time.Second) }, 7 * time.Second},
		{"one of them", func(ctx context.Context, l *accounting) { l.waitShown(ctx, 5*time.Second, a) }, 4 * time.Second},
		{"timeout", func(ctx context.Context, l *accounting) { l.waitShown(ctx, time.Second, a) }, time.Second},
		{"one more", func(ctx context.Context, l *accounting) { l.waitForOneMore(ctx, 5*time.Second, a) }, 8 * time.Second},
		{"one more line that is never written", func(ctx context.Context, l *accounting) { l.waitForOneMore(ctx, 10*time.Second, b) }, 17 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newAccounting()
				l.wrote(a, "1")
				l.wrote(a, "2")
				l.wrote(b, "1")
				go func() {
					for _, step := range []struct {
						after time.Duration
						of    logName
					}{{2, a}, {2, a}, {3, b}, {1, a}} {
						time.Sleep(step.after * time.Second)
						l.showed(step.of, nil)
					}
				}()
				began := time.Now()
				tt.waitShown(t.Context(), l)
				if got := time.Since(began); got != tt.want {
					t.Errorf("took %s, want %s", got, tt.want)
				}
				time.Sleep(time.Minute) // the goroutine ends
			})
		})
	}
}
