package elastic_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// Credentials are read again when they are rejected, and every minute.
func TestCredentials_AreReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		token := atomic.Value{}
		token.Store("old-secret")
		failing := atomic.Bool{}
		s := serve(t, fakesearch.Options{})
		valid := atomic.Value{}
		valid.Store("old-secret")
		s.SetFault(func(r *http.Request) *fakesearch.Fault {
			if r.Header.Get("Authorization") != "Bearer "+valid.Load().(string) {
				return fakesearch.Denied(http.StatusUnauthorized)
			}
			return nil
		})
		r := start(t, s, func(o *elastic.Options) {
			o.Credentials = func() (elastic.Credentials, error) {
				if failing.Load() {
					return elastic.Credentials{}, errors.New("read secret: no such file")
				}
				return elastic.Credentials{Auth: elastic.Auth{Bearer: token.Load().(string)}}, nil
			}
		})
		r.write(t, lines("a"))
		time.Sleep(10 * time.Second)
		valid.Store("new-secret") // the old secret is revoked before the file changes
		r.write(t, lines("a", "b")[1:])
		time.Sleep(20 * time.Second)
		r.status(t, elastic.Status{Delivered: 1, Waiting: 1})
		token.Store("new-secret")
		time.Sleep(70 * time.Second)
		r.status(t, elastic.Status{Delivered: 2})
		failing.Store(true)
		time.Sleep(2 * time.Minute)
		r.write(t, lines("a", "b", "c")[2:])
		r.close(t)
		same(t, s.messages(), []string{"a", "b", "c"})
		if !slices.Contains(r.events.kinds(), elastic.CredentialsFailing) {
			t.Errorf("reported %v", r.events.kinds())
		}
	})
}

// While no connection succeeds, certificates are read again more often than every minute:
// the authority of the server may have been replaced.
func TestCredentials_AreReadAgainWhileUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		var reads atomic.Int64
		r := start(t, s, func(o *elastic.Options) {
			o.Credentials = func() (elastic.Credentials, error) {
				reads.Add(1)
				return elastic.Credentials{}, nil
			}
		})
		r.write(t, lines("a"))
		time.Sleep(10 * time.Second)
		s.Down()
		r.write(t, lines("a", "b")[1:])
		before := reads.Load()
		time.Sleep(45 * time.Second)
		if n := reads.Load() - before; n < 4 || n > 10 {
			t.Errorf("credentials were read %d times in 45 s", n)
		}
		s.Up()
		r.close(t)
	})
}

// Messages of servers cannot control the terminal or add lines of output.
func TestEvents_AreOneLineWithoutControlCharacters(t *testing.T) {
	const evil = "\x1b]0;OWNED\x07\x1b[2J\nktail: all is well\r\u202eevil"
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.fault(func(n int, _ *http.Request) *fakesearch.Fault {
			if n < 4 {
				return failing(403, evil, evil)
			}
			return items(func(document) *fakesearch.Verdict {
				return &fakesearch.Verdict{Status: 400, Type: "mapper_parsing_exception", Reason: evil}
			})
		})
		r := start(t, s)
		r.write(t, lines("a"))
		time.Sleep(5 * time.Minute)
		err := r.Close(t.Context())
		for _, text := range append(strings.Split(r.events.text(), "\n"), fmt.Sprint(err), fmt.Sprint(r.Status().LastError)) {
			if strings.ContainsAny(text, "\x1b\x07\r\n\u202e") || strings.HasPrefix(text, "ktail: all") {
				t.Errorf("%q", text)
			}
		}
		if len(r.events.kinds()) < 2 {
			t.Errorf("reported %v", r.events.kinds())
		}
	})
}
