package fakesearch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/ktail/ktail/internal/fakesearch"
)

// client sends requests to the server over pipes in memory.
type client struct {
	t *testing.T
	*fakesearch.Server
	http *http.Client
}

func newClient(t *testing.T, opts fakesearch.Options) *client {
	t.Helper()
	s, err := fakesearch.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DialContext: s.DialContext}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Close()
	})
	return &client{t, s, &http.Client{Transport: transport}}
}

func (c *client) do(method, path, body string, header ...string) (*http.Response, string, error) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.URL()+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // errors of reading were handled before
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// must returns the status and the body of a complete response.
func (c *client) must(method, path, body string, header ...string) (int, string) {
	c.t.Helper()
	resp, text, err := c.do(method, path, body, header...)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, text
}

// create returns a bulk that creates one document per ID.
func create(index string, ids ...string) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, `{"create":{"_index":%q,"_id":%q}}`+"\n", index, id)
		fmt.Fprintf(&b, `{"@timestamp":"2026-01-02T03:04:05.000000006Z","message":"line %s"}`+"\n", id)
	}
	return b.String()
}

// statuses returns the statuses of the items of a bulk.
func (c *client) statuses(body string) []int {
	c.t.Helper()
	_, text := c.must("POST", "/_bulk?filter_path=items.*.status", body)
	var answer struct {
		Items []map[string]struct{ Status int }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		c.t.Fatalf("%v: %s", err, text)
	}
	var all []int
	for _, item := range answer.Items {
		for _, v := range item {
			all = append(all, v.Status)
		}
	}
	return all
}

func wantStatuses(t *testing.T, got []int, want ...int) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("statuses %v, want %v", got, want)
	}
}

func TestBulk_CreatesDocuments(t *testing.T) {
	c := newClient(t, fakesearch.Options{})
	wantStatuses(t, c.statuses(create("a", "1", "2", "1")), 201, 201, 409)
	wantStatuses(t, c.statuses(create("a", "3", "2")+`{"index":{"_index":"a","_id":"1"}}`+"\n{\"n\":1}\n"), 201, 409, 200)
	docs := c.Documents("a")
	if len(docs) != 3 || docs[0].ID != "1" || string(docs[0].Source) != `{"n":1}` || docs[2].ID != "3" {
		t.Errorf("documents %s", docs)
	}
	if got := c.Counts(); got.Bulks != 2 || got.Created != 4 || got.Conflicts != 2 {
		t.Errorf("counts %+v", got)
	}
	if _, body := c.must("GET", "/a/_count", ""); body != `{"count":3}` {
		t.Error(body)
	}
	if _, body := c.must("POST", "/_bulk?filter_path=errors,items.*.status,items.*.error.type", create("a", "1")); body !=
		`{"errors":true,"items":[{"create":{"status":409,"error":{"type":"version_conflict_engine_exception"}}}]}` {
		t.Error(body)
	}
}

func TestFlavors_RespondLikeTheirServers(t *testing.T) {
	tests := []struct {
		flavor                                fakesearch.Flavor
		name, number, info, header            string
		untyped, typed, indexTemplate, stream int
	}{
		{fakesearch.Elasticsearch64, "6.4", "6.4.0", "You Know, for Search", "", 400, 200, 405, 405},
		{fakesearch.Elasticsearch710, "7.10", "7.10.2", `"build_flavor":"oss"`, "", 200, 200, 200, 400},
		{fakesearch.Elasticsearch8, "8", "8.19.4", "You Know, for Search", "Elasticsearch", 200, 400, 200, 200},
		{fakesearch.Elasticsearch9, "9", "9.1.4", "You Know, for Search", "Elasticsearch", 200, 400, 200, 200},
		{fakesearch.Serverless, "serverless", "8.11.0", `"build_flavor":"serverless"`, "Elasticsearch", 200, 400, 200, 200},
		{fakesearch.OpenSearch1, "OpenSearch 1", "1.3.20", `"distribution":"opensearch"`, "", 200, 200, 200, 200},
		{fakesearch.OpenSearch1Compatible, "OpenSearch 1 as 7.10", "7.10.2", "The OpenSearch Project", "", 200, 200, 200, 200},
		{fakesearch.OpenSearch2, "OpenSearch 2", "2.19.1", `"distribution":"opensearch"`, "", 200, 400, 200, 200},
		{fakesearch.OpenSearch3, "OpenSearch 3", "3.8.0", `"distribution":"opensearch"`, "", 200, 400, 200, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t, fakesearch.Options{Flavor: tt.flavor})
			resp, body, err := c.do("GET", "/", "")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(body, `"number":"`+tt.number+`"`) || !strings.Contains(body, tt.info) {
				t.Errorf("GET / says %s", body)
			}
			if got := resp.Header.Get("X-Elastic-Product"); got != tt.header {
				t.Errorf("product header %q, want %q", got, tt.header)
			}
			for _, request := range []struct {
				want               int
				method, path, body string
			}{
				{tt.untyped, "POST", "/_bulk", create("a", "1")},
				{tt.typed, "POST", "/_bulk", strings.ReplaceAll(create("a", "1"), `"_index"`, `"_type":"_doc","_index"`)},
				{tt.indexTemplate, "PUT", "/_index_template/t", `{"index_patterns":["t-*"]}`},
				{tt.stream, "PUT", "/_index_template/s", `{"index_patterns":["s-*"],"data_stream":{}}`},
			} {
				if status, body := c.must(request.method, request.path, request.body); status != request.want {
					t.Errorf("%s %s: %d, want %d: %s", request.method, request.path, status, request.want, body)
				}
			}
		})
	}
}

func TestBulk_CreatesDataStreams(t *testing.T) {
	const name = "logs-ktail-default"
	c := newClient(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
	wantStatuses(t, c.statuses(create(name, "1")), 201)
	if c.IsDataStream(name) {
		t.Error("a data stream without a template")
	}

	c = newClient(t, fakesearch.Options{Flavor: fakesearch.OpenSearch3})
	c.must("PUT", "/_index_template/ktail", `{"index_patterns":["logs-ktail-*"],"data_stream":{}}`)
	if c.Template("_index_template/ktail") == nil {
		t.Error("the template is not kept")
	}
	wantStatuses(t, c.statuses(create(name, "1")+strings.ReplaceAll(create(name, "2"), "create", "index")), 201, 400)
	wantStatuses(t, c.statuses(strings.ReplaceAll(create(name, "3"), "@timestamp", "time")), 400)
	if !c.IsDataStream(name) {
		t.Error("no data stream with a template")
	}

	c = newClient(t, fakesearch.Options{Flavor: fakesearch.Elasticsearch9, Numbers: []string{"message"}})
	_, body := c.must("POST", "/_bulk?require_data_stream=true&filter_path=items", create(name, "1")+create("plain", "2"))
	if !strings.Contains(body, `"failure_store":"used"`) || !strings.Contains(body, "index_not_found_exception") {
		t.Error(body)
	}
	if len(c.Failures(name)) != 1 || len(c.Documents(name)) != 0 {
		t.Error("the failure store does not hold what the mapping refused")
	}
}

func TestBulk_RejectsMappingConflicts(t *testing.T) {
	c := newClient(t, fakesearch.Options{Numbers: []string{"size"}})
	for _, tt := range []struct {
		source string
		status int
	}{
		{`{"size":1}`, 201},
		{`{"size":"large"}`, 400},
		{`{"labels":{"app":"web"}}`, 201},
		{`{"labels":{"app.kubernetes.io/name":"web"}}`, 400},
		{`{"labels":{"app":{"name":"web"}}}`, 400},
		{`{"labels":{"app_kubernetes_io/name":"web"}}`, 201},
		{`{"other":{"app":{"name":"web"}}}`, 201},
		{`{"other":{"app":"web"}}`, 400},
		{`{"broken":`, 400},
		{"{\"message\":\"\xff\"}", 400},
	} {
		t.Run(tt.source, func(t *testing.T) {
			wantStatuses(t, c.statuses(`{"index":{"_index":"a"}}`+"\n"+tt.source+"\n"), tt.status)
		})
	}
}

func TestBlock_RejectsWrites(t *testing.T) {
	for _, tt := range []struct {
		flavor fakesearch.Flavor
		index  string
		status int
	}{
		{fakesearch.Elasticsearch710, "a", 429},
		{fakesearch.Elasticsearch64, "a", 403},
	} {
		c := newClient(t, fakesearch.Options{Flavor: tt.flavor})
		body := create("a", "1")
		if tt.status == 403 {
			body = strings.ReplaceAll(body, `"_index"`, `"_type":"_doc","_index"`)
		}
		c.Block("a", true)
		wantStatuses(t, c.statuses(body), tt.status)
		c.Block("a", false)
		wantStatuses(t, c.statuses(body), 201)
	}
}

func TestBulk_RejectsMalformedRequests(t *testing.T) {
	c := newClient(t, fakesearch.Options{MaxContentLength: 1000})
	for _, tt := range []struct {
		name, body string
		status     int
	}{
		{"empty", "", 400},
		{"no newline at the end", strings.TrimSuffix(create("a", "1"), "\n"), 400},
		{"no action", "{}\n{}\n", 400},
		{"unknown action", `{"upsert":{"_index":"a"}}` + "\n{}\n", 400},
		{"too large", create("a", strings.Repeat("x", 1000)), 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if status, body := c.must("POST", "/_bulk", tt.body); status != tt.status {
				t.Errorf("%d, want %d: %s", status, tt.status, body)
			}
		})
	}
	if len(c.Documents("*")) > 0 {
		t.Error("something of them was kept")
	}
}

func TestBulk_AcceptsGzip(t *testing.T) {
	c := newClient(t, fakesearch.Options{})
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, create("a", "1"))
	_ = z.Close()
	if status, body := c.must("POST", "/_bulk", b.String(), "Content-Encoding", "gzip"); status != 200 {
		t.Errorf("%d: %s", status, body)
	}
	c.SetFault(fakesearch.RefuseGzip)
	if status, _ := c.must("POST", "/_bulk", b.String(), "Content-Encoding", "gzip"); status != 415 {
		t.Errorf("status %d, want 415", status)
	}
	wantStatuses(t, c.statuses(create("a", "2")), 201)
	if c.Counts().Gzipped != 2 {
		t.Errorf("%+v", c.Counts())
	}
}

func TestAuthorization_IsChecked(t *testing.T) {
	c := newClient(t, fakesearch.Options{Authorization: []string{"ApiKey c2VjcmV0"}})
	if status, _ := c.must("GET", "/", ""); status != 401 {
		t.Errorf("status %d, want 401", status)
	}
	if status, _ := c.must("GET", "/", "", "Authorization", "ApiKey c2VjcmV0"); status != 200 {
		t.Errorf("status %d, want 200", status)
	}
	if got := c.Requests(); len(got) != 2 || got[1].Header.Get("Authorization") != "ApiKey c2VjcmV0" {
		t.Errorf("requests %+v", got)
	}
}

func TestUpgrade_KeepsDocuments(t *testing.T) {
	c := newClient(t, fakesearch.Options{Flavor: fakesearch.OpenSearch2})
	wantStatuses(t, c.statuses(create("a", "1")), 201)
	c.SetFlavor(fakesearch.OpenSearch3)
	if _, body := c.must("GET", "/", ""); !strings.Contains(body, "3.8.0") {
		t.Error(body)
	}
	wantStatuses(t, c.statuses(create("a", "1")), 409)
	c.Down()
	if _, _, err := c.do("GET", "/", ""); err == nil {
		t.Error("a server that is down answers")
	}
	c.Up()
	c.must("GET", "/", "")
}

func TestTLS_CertificateIsTrusted(t *testing.T) {
	s, err := fakesearch.Start(fakesearch.Options{TLS: true, ClientCertificates: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(s.CA())
	cert, err := tls.X509KeyPair(s.ClientCertificate())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		config *tls.Config
		ok     bool
	}{
		{"unknown authority", &tls.Config{Certificates: []tls.Certificate{cert}}, false},
		{"no certificate", &tls.Config{RootCAs: pool}, false},
		{"all", &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.config.MinVersion = tls.VersionTLS12
			c := &client{t, s, &http.Client{Transport: &http.Transport{TLSClientConfig: tt.config, DisableKeepAlives: true}}}
			if _, _, err := c.do("GET", "/", ""); (err == nil) != tt.ok {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestWait_ReturnsWithCount(t *testing.T) {
	c := newClient(t, fakesearch.Options{})
	var asking sync.WaitGroup
	defer asking.Wait()
	asking.Go(func() {
		if _, _, err := c.do("POST", "/_bulk", create("a", "1", "2")); err != nil {
			t.Error(err)
		}
	})
	if err := c.Wait(t.Context(), func(got fakesearch.Counts) bool { return got.Created == 2 }); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Wait(ctx, func(fakesearch.Counts) bool { return false }); err == nil {
		t.Error("no error of the context")
	}
}
