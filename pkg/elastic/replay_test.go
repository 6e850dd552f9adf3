package elastic_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// Whatever is wrong with an index, alias, pipeline or cluster, lines wait and are
// delivered once it is fixed. None becomes a dead letter.
func TestReplay_IndexProblemsLoseNothing(t *testing.T) {
	t.Parallel()
	replay(t, "index", func(t *testing.T, s server, rec fakesearch.Recording) {
		begun := time.Now()
		s.fault(func(int, *http.Request) *fakesearch.Fault {
			if time.Since(begun) > 13*time.Minute {
				return nil
			}
			return rec.Fault()
		})
		r := start(t, s)
		texts := numbered(3)
		r.write(t, lines(texts...))
		time.Sleep(12 * time.Minute)
		r.status(t, elastic.Status{Waiting: 3})
		reports := 0
		for _, kind := range r.events.kinds() {
			if kind == elastic.Blocked || kind == elastic.Busy {
				reports++
			}
		}
		if reports != 2 {
			t.Errorf("it was reported %d times in 12 minutes, want once and again after ten: %s", reports, r.events.text())
		}
		time.Sleep(3 * time.Minute)
		r.close(t)
		same(t, s.messages(), texts)
		r.status(t, elastic.Status{Delivered: 3})
	})
}

// A document that the server rejects in any form becomes a dead letter after at most
// some minutes. The others do not wait for it.
func TestReplay_DocumentProblemsDelayNoOther(t *testing.T) {
	t.Parallel()
	replay(t, "document", func(t *testing.T, s server, rec fakesearch.Recording) {
		v := verdictOf(t, rec)
		s.fault(func(int, *http.Request) *fakesearch.Fault {
			return items(func(d document) *fakesearch.Verdict {
				if strings.Contains(string(d.Source), "line 000001") {
					return &v
				}
				return nil
			})
		})
		r := start(t, s)
		texts := numbered(100)
		for i := range 50 {
			r.write(t, lines(texts...)[i*2:i*2+2])
			time.Sleep(2 * time.Second)
			if st := r.Status(); st.Delivered < int64(2*i) {
				t.Fatalf("after %d writes the status is %+v", i, st)
			}
		}
		for i := range 6 { // other lines keep coming
			time.Sleep(time.Minute)
			r.write(t, lines(noise(i, 10)))
		}
		time.Sleep(time.Minute)
		r.status(t, elastic.Status{Delivered: 105, DeadLetters: 1})
		if dead := r.letters(t); len(dead) != 1 || message(dead[0]) != "line 000001" || dead[0].Status != v.Status {
			t.Errorf("%d dead letters", len(dead))
		}
		if err := r.Close(t.Context()); err == nil {
			t.Error("no error although a line was rejected")
		}
	})
}

// replay runs a test for each recording about the subject.
func replay(t *testing.T, about string, test func(*testing.T, server, fakesearch.Recording)) {
	t.Helper()
	for name, flavor := range fakesearch.RecordedServers {
		recordings, err := fakesearch.Recordings(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range recordings {
			if rec.About != about {
				continue
			}
			t.Run(name+" "+rec.Name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { test(t, serve(t, fakesearch.Options{Flavor: flavor}), rec) })
			})
		}
	}
}

// verdictOf returns the result of the second document.
func verdictOf(t *testing.T, rec fakesearch.Recording) fakesearch.Verdict {
	t.Helper()
	var answer struct {
		Items []map[string]struct {
			Status int
			Error  struct{ Type, Reason string }
		}
	}
	if err := json.Unmarshal([]byte(rec.Body), &answer); err != nil || len(answer.Items) != 3 {
		t.Fatalf("%d items: %v", len(answer.Items), err)
	}
	it := answer.Items[1]["create"]
	return fakesearch.Verdict{Status: it.Status, Type: it.Error.Type, Reason: it.Error.Reason}
}

// noLetters fails the test if there is a dead letter.
func (r *run) noLetters(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(r.dead); err == nil {
		t.Errorf("%d dead letters", len(r.letters(t)))
	}
}

// If the program ends and no other lines follow, a document that the server fails to
// process in any form is saved as a dead letter: the index has accepted others since it
// first failed.
func TestFailing_DocumentIsKeptAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch64})
		s.fault(func(int, *http.Request) *fakesearch.Fault {
			return items(func(d document) *fakesearch.Verdict {
				if strings.Contains(string(d.Source), "poison") {
					return &fakesearch.Verdict{Status: 500, Type: "exception", Reason: "java.lang.IllegalArgumentException: Unrecognized token"}
				}
				return nil
			})
		})
		r := start(t, s)
		r.write(t, lines("a", "poison", "b"))
		if err := r.Close(t.Context()); err == nil {
			t.Error("no error although a line was rejected")
		}
		same(t, s.messages(), []string{"a", "b"})
		if dead := r.letters(t); len(dead) != 1 || message(dead[0]) != "poison" {
			t.Errorf("%d dead letters", len(dead))
		}
	})
}
