package elastic_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/ktail/ktail/internal/fakekibana"
	"github.com/ktail/ktail/pkg/elastic"
)

func kibana(t *testing.T, address string, change ...func(*elastic.KibanaOptions)) *elastic.Kibana {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	o := elastic.KibanaOptions{URL: u, Version: "1.2.3"}
	for _, f := range change {
		f(&o)
	}
	k, err := elastic.NewKibana(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKibana_InstallsOnEveryVersion(t *testing.T) {
	bundle := elastic.KibanaBundle("ktail-*")
	for name, o := range map[string]fakekibana.Options{
		"Kibana 6.4":              {Version: "6.4.0"},
		"Kibana 7.17":             {Version: "7.17.0"},
		"Kibana 9":                {Version: "9.1.0"},
		"OpenSearch Dashboards 2": {Version: "2.19.1", Dashboards: true},
		"a space behind a proxy":  {Version: "8.19.0", BasePath: "/kibana/s/ops"},
		"with credentials":        {Version: "8.19.0", Authorization: "ApiKey c2VjcmV0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := fakekibana.Start(o)
			defer s.Close()
			with := func(k *elastic.KibanaOptions) {
				k.Credentials = credentials(elastic.Auth{APIKey: strings.TrimPrefix(o.Authorization, "ApiKey ")})
			}
			done, err := kibana(t, s.URL+o.BasePath, with).Install(t.Context(), bundle)
			if err != nil || done.Created != len(bundle) {
				t.Fatalf("created %d of %d objects, %v", done.Created, len(bundle), err)
			}
			// A second run keeps changes of users, unless it overwrites objects.
			s.Edit("dashboard/ktail", `{"title":"mine"}`)
			done, err = kibana(t, s.URL+o.BasePath+"/", with).Install(t.Context(), bundle)
			if err != nil || done.Created != 0 || done.Existing != len(bundle) {
				t.Errorf("the second run: %+v, %v", done, err)
			}
			if got := string(s.Objects()["dashboard/ktail"]); got != `{"title":"mine"}` {
				t.Errorf("the user's dashboard became %s", got)
			}
			overwrite := func(k *elastic.KibanaOptions) { k.Overwrite = true }
			if done, err = kibana(t, s.URL+o.BasePath, with, overwrite).Install(t.Context(), bundle); err != nil || done.Created != len(bundle) {
				t.Errorf("overwriting: %+v, %v", done, err)
			}
		})
	}
}

func TestKibana_ErrorsNameTheProblem(t *testing.T) {
	reply := func(status int, header, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/api/status") && status >= 400 {
				io.WriteString(w, `{"version":{"number":"8.1.0"}}`) //nolint:errcheck // seen by the test
				return
			}
			if name, value, ok := strings.Cut(header, ": "); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			io.WriteString(w, body) //nolint:errcheck // seen by the test
		}
	}
	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"a login page":     {reply(200, "Content-Type: text/html", "<html>log in"), "does not look like Kibana"},
		"a redirect":       {reply(302, "Location: https://sso.example/login", ""), "redirects to https://sso.example/login"},
		"no permission":    {reply(403, "", `{"error":"Forbidden","message":"Unable to bulk_create"}`), "--kibana-file"},
		"bad credentials":  {reply(401, "", `{"error":"Unauthorized","message":"no"}`), "rejected the credentials"},
		"an old version":   {reply(200, "", `{"version":{"number":"5.6.0"}}`), "not supported"},
		"Elasticsearch":    {reply(200, "", `{"tagline":"You Know, for Search"}`), "200"},
		"a silent failure": {reply(500, "", `{"error":"Internal Server Error","message":"broken"}`), "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(tt.handler)
			defer s.Close()
			_, err := kibana(t, s.URL).Install(t.Context(), elastic.KibanaBundle("x"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, want one with %q", err, tt.want)
			}
		})
	}
	t.Run("success:false in a response of 200", func(t *testing.T) {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				io.WriteString(w, `{"version":{"number":"8.1.0"}}`) //nolint:errcheck // seen by the test
				return
			}
			io.WriteString(w, `{"success":false,"successCount":0,"errors":[{"type":"search","id":"x","error":{"type":"missing_references"}}]}`) //nolint:errcheck // seen by the test
		}))
		defer s.Close()
		_, err := kibana(t, s.URL).Install(t.Context(), elastic.KibanaBundle("x"))
		if err == nil || !strings.Contains(err.Error(), "missing_references") {
			t.Errorf("the error is %v", err)
		}
	})
}

// Every reference resolves, the JSON inside attributes is JSON, and no key is used
// that Kibana 6.4 rejects.
func TestKibanaBundle_IsConsistent(t *testing.T) {
	bundle := elastic.KibanaBundle("logs-ktail-*,ktail-*")
	ids := map[string]string{}
	for _, o := range bundle {
		if ids[o.ID] != "" {
			t.Errorf("the ID %s is used twice", o.ID)
		}
		ids[o.ID] = o.Type
	}
	for _, o := range bundle {
		for key, value := range o.Attributes {
			text, ok := value.(string)
			if strings.HasSuffix(key, "JSON") || key == "visState" {
				if !ok || !json.Valid([]byte(text)) {
					t.Errorf("%s: %s is not JSON in a text: %v", o.ID, key, value)
				}
			}
		}
		if meta, ok := o.Attributes["kibanaSavedObjectMeta"].(map[string]any); ok {
			var source struct{ Index string }
			if err := json.Unmarshal([]byte(meta["searchSourceJSON"].(string)), &source); err != nil {
				t.Errorf("%s: %v", o.ID, err)
			}
			if source.Index != "" && ids[source.Index] != "index-pattern" {
				t.Errorf("%s refers to the data view %q", o.ID, source.Index)
			}
		}
	}
	dashboard := bundle[len(bundle)-1]
	var panels []struct{ ID, Type string }
	if err := json.Unmarshal([]byte(dashboard.Attributes["panelsJSON"].(string)), &panels); err != nil {
		t.Fatal(err)
	}
	for _, p := range panels {
		if ids[p.ID] != p.Type {
			t.Errorf("the dashboard refers to the %s %s", p.Type, p.ID)
		}
	}
	if !slices.ContainsFunc(panels, func(p struct{ ID, Type string }) bool { return p.Type == "search" }) {
		t.Error("the dashboard shows no lines")
	}
}

func TestKibana_DiscoverLink(t *testing.T) {
	k := kibana(t, "https://kibana.example/s/ops/")
	got := k.DiscoverLink(`kubernetes.pod.name:"it's"`, "now-1h", "now")
	want := `https://kibana.example/s/ops/app/discover#/?_g=(time:(from:'now-1h',to:'now'))` +
		`&_a=(columns:!(kubernetes.namespace,kubernetes.pod.name,kubernetes.container.name,message),index:ktail-logs,` +
		`query:(language:lucene,query:'kubernetes.pod.name:%22it!'s%22'))`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
