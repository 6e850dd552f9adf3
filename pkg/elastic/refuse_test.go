package elastic_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// message returns the message of the document in a dead letter.
func message(l elastic.DeadLetter) string {
	var doc struct{ Message string }
	if err := json.Unmarshal(l.Document, &doc); err != nil {
		return err.Error()
	}
	return doc.Message
}

// A document that conflicts with the mapping is sent in its minimal form and then
// becomes a dead letter. The others are delivered.
func TestMappingConflict_OthersAreDelivered(t *testing.T) {
	for _, flavor := range []fakesearch.Flavor{fakesearch.Elasticsearch64, fakesearch.Elasticsearch710, fakesearch.OpenSearch2, fakesearch.OpenSearch3} {
		t.Run(flavor.Number, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: flavor, Numbers: []string{"kubernetes.labels.app"}})
				s.fault(func(int, *http.Request) *fakesearch.Fault {
					return items(func(d document) *fakesearch.Verdict {
						if !strings.Contains(string(d.Source), "hopeless") {
							return nil
						}
						return &fakesearch.Verdict{Status: 400, Type: "strict_dynamic_mapping_exception", Reason: "no"}
					})
				})
				r := start(t, s)
				all := lines("a", "hopeless", "b")
				plain := *stream
				plain.Labels = nil
				all[0].Stream = &plain
				r.write(t, all)
				err := r.Close(t.Context())
				if err == nil || !strings.Contains(err.Error(), r.dead) {
					t.Errorf("error is %v, want the path of the dead letters", err)
				}
				same(t, s.messages(), []string{"a", "b"})
				for _, d := range s.documents() {
					if text, _ := d.field("ktail.document").(string); (text != "") != (d.message() == "b") || text != "" && !json.Valid([]byte(text)) {
						t.Errorf("%s is stored as %s", d.message(), d.Source)
					}
				}
				if dead := r.letters(t); len(dead) != 1 || dead[0].Type != "strict_dynamic_mapping_exception" || message(dead[0]) != "hopeless" {
					t.Errorf("%d dead letters, the first of type %s: %s", len(dead), dead[0].Type, message(dead[0]))
				}
				r.status(t, elastic.Status{Delivered: 2, Minimal: 1, DeadLetters: 1})
				if got := r.events.kinds(); !slices.Equal(got, []elastic.EventKind{elastic.Rejected}) {
					t.Errorf("reported %v", got)
				}
			})
		})
	}
}

// A message that conflicts with the mapping is stored in another field.
func TestMappingConflict_MessageIsKeptInAnotherField(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Numbers: []string{"message"}})
		r := start(t, s)
		r.write(t, lines("text"))
		r.close(t)
		docs := s.documents()
		if len(docs) != 1 || docs[0].field("message") != nil || !strings.Contains(fmt.Sprint(docs[0].field("ktail.document")), "text") {
			t.Errorf("got %v", docs)
		}
	})
}

// Documents in the failure store count as delivered, and are counted separately.
func TestFailureStore_CountsAsDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch8, Numbers: []string{"message"}})
		r := start(t, s)
		r.write(t, lines("text"))
		r.close(t)
		r.status(t, elastic.Status{Delivered: 1, Diverted: 1})
		if n := len(s.Failures("logs-ktail-default")); n != 1 {
			t.Errorf("%d documents are in the failure store", n)
		}
	})
}

// ktail isolates a document that makes the server reject the whole request.
func TestMalformedRequest_FindsTheDocument(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{})
		s.SetFault(func(r *http.Request) *fakesearch.Fault {
			f := &fakesearch.Fault{}
			guilty := false
			f.Item = func(_ int, d fakesearch.Document) *fakesearch.Verdict {
				guilty = guilty || strings.Contains(string(d.Source), "poison")
				if guilty { // the actions before it were executed
					f.Executed, f.Response = true, failing(400, "parse_exception", "cannot read that").Response
				}
				return nil
			}
			return f
		})
		r := start(t, s)
		texts := numbered(64)
		texts[37] = "poison"
		r.write(t, lines(texts...))
		if err := r.Close(t.Context()); err == nil {
			t.Error("no error although a line was rejected")
		}
		if dead := r.letters(t); len(dead) != 1 || message(dead[0]) != "poison" {
			t.Errorf("dead letters are %v", dead)
		}
		r.status(t, elastic.Status{Delivered: 63, DeadLetters: 1, Present: r.Status().Present})
	})
}

// A line that is too large for a request is delivered truncated, and saved in full as a
// dead letter.
func TestTooLargeLine_IsTruncatedAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, fakesearch.Options{MaxContentLength: 20_000})
		r := start(t, s)
		long := strings.Repeat("é", 40_000)
		r.write(t, lines("a", long, "b"))
		r.close(t)
		got := s.messages()
		if len(got) != 3 || len(got[2]) < 5_000 || !strings.HasPrefix(long, got[2]) {
			t.Fatalf("got %d messages: %.100q", len(got), got)
		}
		for _, d := range s.documents() {
			if flags := fmt.Sprint(d.field("log.flags")); (flags == "[truncated]") != (len(d.message()) > 1) {
				t.Errorf("a message of %d bytes has flags %s", len(d.message()), flags)
			}
		}
		r.status(t, elastic.Status{Delivered: 3, Truncated: 1})
		if dead := r.letters(t); len(dead) != 1 || message(dead[0]) != long {
			t.Error("the whole line is not among the dead letters")
		}
	})
}

// Rejected documents wait until they can be saved as dead letters.
func TestDeadLetters_ThatCannotBeWrittenAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, dir := serve(t, fakesearch.Options{}), filepath.Join(t.TempDir(), "later")
		s.fault(func(int, *http.Request) *fakesearch.Fault {
			return items(func(d document) *fakesearch.Verdict {
				if !strings.Contains(string(d.Source), "odd") {
					return nil
				}
				return &fakesearch.Verdict{Status: 400, Type: "strict_dynamic_mapping_exception", Reason: "no"}
			})
		})
		if err := os.WriteFile(dir, nil, 0o600); err != nil { // a file in place of the directory
			t.Fatal(err)
		}
		r := start(t, s, func(o *elastic.Options) { o.DeadLetters = filepath.Join(dir, "dead.ndjson") })
		r.dead = filepath.Join(dir, "dead.ndjson")
		r.write(t, lines("a", "odd", "b"))
		time.Sleep(time.Minute)
		if st := r.Status(); st.Waiting != 3 || st.DeadLetters != 0 || !strings.Contains(r.events.text(), r.dead) {
			t.Errorf("status is %+v, reported %s", st, r.events.text())
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		if err := r.Close(t.Context()); err == nil {
			t.Error("no error although a line was rejected")
		}
		same(t, s.messages(), []string{"a", "b"})
		if dead := r.letters(t); len(dead) != 1 || message(dead[0]) != "odd" {
			t.Errorf("%d dead letters", len(dead))
		}
	})
}

// Resent dead letters equal the original documents, also on another kind of server.
func TestResend_DeliversDeadLetters(t *testing.T) {
	for _, flavor := range []fakesearch.Flavor{fakesearch.Elasticsearch64, fakesearch.OpenSearch3} {
		t.Run(flavor.Number, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, fakesearch.Options{Flavor: fakesearch.OpenSearch2})
				s.SetFault(func(*http.Request) *fakesearch.Fault {
					return items(func(document) *fakesearch.Verdict {
						return &fakesearch.Verdict{Status: 400, Type: "strict_dynamic_mapping_exception", Reason: "no"}
					})
				})
				r := start(t, s)
				texts := append(numbered(100), "\x00\xff\"")
				r.write(t, lines(texts...))
				if err := r.Close(t.Context()); err == nil {
					t.Error("no error although everything was rejected")
				}
				dead := r.dead
				s.SetFault(nil)
				s.SetFlavor(flavor)
				for _, present := range []int64{0, 101} {
					letters, err := os.Open(dead)
					if err != nil {
						t.Fatal(err)
					}
					defer letters.Close() //nolint:errcheck // it is only read from
					r = start(t, s)
					if err := r.Resend(t.Context(), letters); err != nil {
						t.Fatal(err)
					}
					r.close(t)
					r.status(t, elastic.Status{Delivered: 101, Present: present})
				}
				same(t, s.messages(), append([]string{"\x00\ufffd\""}, numbered(100)...))
				checkDataStreams(t, s)
				// The lines themselves were delivered in that time.
				r = start(t, s)
				r.write(t, lines(texts...))
				r.close(t)
				r.status(t, elastic.Status{Delivered: 101, Present: 101})
			})
		})
	}
}

// Secrets do not appear in messages, even if a server or proxy quotes the request.
func TestSecrets_AreRedactedFromResponses(t *testing.T) {
	auths := map[string]elastic.Auth{
		"password": {User: "elastic", Password: "correct horse"},
		"API key":  {APIKey: base64.StdEncoding.EncodeToString([]byte("id:battery"))},
		"token":    {Bearer: "staple-staple"},
	}
	for name, auth := range auths {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				header := ""
				words := func() string { return strings.Join([]string{"you sent", header, auth.Password, "battery"}, " ") }
				s := serve(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch710})
				s.fault(func(n int, r *http.Request) *fakesearch.Fault {
					header = r.Header.Get("Authorization")
					if n == 1 {
						return failing(http.StatusUnauthorized, "security_exception", words())
					}
					return items(func(document) *fakesearch.Verdict {
						return &fakesearch.Verdict{Status: 400, Type: "mapper_parsing_exception", Reason: words()}
					})
				})
				r := start(t, s, func(o *elastic.Options) { o.Credentials = credentials(auth) })
				r.write(t, lines("a"))
				err := r.Close(t.Context())
				letters, readErr := os.ReadFile(r.dead)
				if readErr != nil {
					t.Fatal(readErr)
				}
				output := fmt.Sprint(r.events.text(), err, string(letters))
				_, sent, _ := strings.Cut(header, " ")
				for _, secret := range []string{sent, auth.Password, auth.Bearer, auth.APIKey} {
					if secret != "" && strings.Contains(output, secret) {
						t.Errorf("secret %q appears in: %s", secret, output)
					}
				}
				if auth.APIKey != "" && strings.Contains(output, "battery") {
					t.Errorf("the key appears in: %s", output)
				}
				if n := strings.Count(output, "you sent"); n < 2 {
					t.Errorf("the server's message appears %d times, want at least twice: %s", n, output)
				}
			})
		})
	}
}
