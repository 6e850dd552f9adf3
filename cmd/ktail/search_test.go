//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ktail/ktail/internal/fakekibana"
	"github.com/ktail/ktail/internal/fakesearch"
)

// search is the search server of a script.
type search struct{ server *fakesearch.Server }

type searchKey struct{}

func searchOf(ts *testscript.TestScript) *fakesearch.Server {
	s := ts.Value(searchKey{}).(*search).server
	if s == nil {
		ts.Fatalf("the script has not started a search server")
	}
	return s
}

// cmdSearch starts the server. If secure, it accepts only the user elastic with
// the password hunter2, and the API key c2VjcmV0. It rejects documents that
// contain the word unwanted.
func cmdSearch(ts *testscript.TestScript, neg bool, args []string) {
	flavors := map[string]fakesearch.Flavor{
		"6.4": fakesearch.Elasticsearch64, "7.10": fakesearch.Elasticsearch710, "9": fakesearch.Elasticsearch9, "opensearch3": fakesearch.OpenSearch3,
	}
	secure := len(args) == 2 && args[1] == "secure"
	usage(ts, neg, len(args) > 0 && flavors[args[0]].Number != "" && (len(args) == 1 || secure), "search 6.4|7.10|9|opensearch3 [secure]")
	o := fakesearch.Options{Flavor: flavors[args[0]], TLS: secure, ClientCertificates: secure}
	if secure {
		o.Authorization = []string{"Basic ZWxhc3RpYzpodW50ZXIy", "ApiKey c2VjcmV0"}
	}
	o.Fault = func(*http.Request) *fakesearch.Fault {
		return &fakesearch.Fault{Item: func(_ int, d fakesearch.Document) *fakesearch.Verdict {
			if !strings.Contains(string(d.Source), "unwanted") {
				return nil
			}
			return &fakesearch.Verdict{Status: http.StatusBadRequest, Type: "strict_dynamic_mapping_exception", Reason: "not wanted"}
		}}
	}
	s, err := fakesearch.Start(o)
	ts.Check(err)
	ts.Defer(s.Close)
	ts.Value(searchKey{}).(*search).server = s
	ts.Setenv("SEARCH", s.URL())
	if secure {
		cert, key := s.ClientCertificate()
		for name, content := range map[string][]byte{"ca.pem": s.CA(), "client.pem": cert, "client.key": key} {
			ts.Check(writeFile(ts.MkAbs(name), string(content)))
		}
	}
}

func cmdSearchDown(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0, "searchdown")
	searchOf(ts).Down()
}

func cmdSearchUp(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0, "searchup")
	searchOf(ts).Up()
}

// cmdShipped indexes the first documents again, in the form in which Filebeat writes them.
func cmdShipped(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "shipped INDEX N")
	var body bytes.Buffer
	for i, d := range searchOf(ts).Documents("*")[:number(ts, args[1])] {
		var document map[string]any
		ts.Check(json.Unmarshal(d.Source, &document))
		delete(document, "event")
		document["agent"] = map[string]any{"type": "filebeat"}
		document["log"] = map[string]any{"offset": i}
		at, err := time.Parse(time.RFC3339Nano, document["@timestamp"].(string))
		ts.Check(err)
		document["@timestamp"] = at.Format("2006-01-02T15:04:05.000Z")
		encoded, err := json.Marshal(document)
		ts.Check(err)
		fmt.Fprintf(&body, `{"create":{"_index":%q,"_id":"%d"}}`+"\n%s\n", args[0], i, encoded)
	}
	resp, err := http.Post(searchOf(ts).URL()+"/_bulk", "application/x-ndjson", &body)
	ts.Check(err)
	ts.Check(resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("the server responds with %s", resp.Status)
	}
}

// cmdIndexed waits until the server has the given number of documents.
func cmdIndexed(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2 || len(args) == 3, "indexed N MESSAGES [DOCUMENTS]")
	s, want := searchOf(ts), number(ts, args[0])
	ctx, cancel := patiently()
	defer cancel()
	ts.Check(s.Wait(ctx, func(c fakesearch.Counts) bool { return c.Created >= want }))
	var messages, sources []string
	for _, d := range s.Documents("*") {
		var doc struct{ Message string }
		ts.Check(json.Unmarshal(d.Source, &doc))
		messages, sources = append(messages, doc.Message+"\n"), append(sources, d.Index+" "+string(d.Source)+"\n")
	}
	if len(messages) != want {
		ts.Fatalf("%d documents, want %d: %q", len(messages), want, messages)
	}
	slices.Sort(messages)
	ts.Check(writeFile(ts.MkAbs(args[1]), strings.Join(messages, "")))
	if len(args) == 3 {
		ts.Check(writeFile(ts.MkAbs(args[2]), strings.Join(sources, "")))
	}
}

// cmdKibana starts a Kibana with the given version.
func cmdKibana(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "kibana VERSION")
	s := fakekibana.Start(fakekibana.Options{Version: args[0]})
	ts.Defer(s.Close)
	ts.Setenv("KIBANA", s.URL)
}
