package elastic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// KibanaOptions describe a Kibana or OpenSearch Dashboards.
type KibanaOptions struct {
	URL         *url.URL                    // with its base path and, if it is not the default one, its space: /s/NAME
	Credentials func() (Credentials, error) // as Options.Credentials
	Transport   http.RoundTripper           // as Options.Transport
	Version     string                      // of ktail, for the User-Agent header
	Overwrite   bool                        // replace objects that exist, with what users changed in them
}

// Kibana installs objects in Kibana 6.4 or later, or OpenSearch Dashboards.
type Kibana struct {
	o         KibanaOptions
	auth      Auth
	transport http.RoundTripper
	flavor    kibanaFlavor // once it is known
}

// kibanaFlavor holds the differences between products and versions.
type kibanaFlavor struct {
	known      bool
	dashboards bool // OpenSearch Dashboards
	major      int  // 0: unknown
}

func (f kibanaFlavor) String() string {
	name := "Kibana"
	if f.dashboards {
		name = "OpenSearch Dashboards"
	}
	if f.major == 0 {
		return name
	}
	return fmt.Sprintf("%s %d", name, f.major)
}

// NewKibana returns a Kibana. It does not connect.
func NewKibana(o KibanaOptions) (*Kibana, error) {
	k := &Kibana{o: o, transport: o.Transport}
	if o.Credentials != nil {
		c, err := o.Credentials()
		if err != nil {
			return nil, err
		}
		k.auth = c.Auth
		if k.transport == nil {
			k.transport = NewTransport(c.TLS)
		}
	}
	if k.transport == nil {
		k.transport = NewTransport(nil)
	}
	return k, nil
}

// Installed counts what Install did.
type Installed struct {
	Created  int // or replaced, with KibanaOptions.Overwrite
	Existing int // left as they are
}

// Install creates the objects. Those that exist stay as they are, with what users
// changed in them, unless KibanaOptions.Overwrite is set.
func (k *Kibana) Install(ctx context.Context, objects []SavedObject) (Installed, error) {
	if err := k.detect(ctx); err != nil {
		return Installed{}, err
	}
	var err error
	var done Installed
	if k.flavor.major == 6 {
		done, err = k.bulkCreate(ctx, objects)
	} else {
		done, err = k.importObjects(ctx, objects)
	}
	if err != nil {
		return done, fmt.Errorf("create objects in %s at %s: %w", k.flavor, k.o.URL.Host, err)
	}
	return done, nil
}

const kibanaTimeout = 30 * time.Second

// detect determines the product and version of the server.
func (k *Kibana) detect(ctx context.Context) error {
	if k.flavor.known {
		return nil
	}
	resp, err := k.send(ctx, http.MethodGet, "/api/status", "", nil)
	if err != nil {
		return err
	}
	if resp.status == http.StatusUnauthorized || resp.status == http.StatusForbidden {
		k.flavor = kibanaFlavor{known: true} // the status may be for administrators only
		return nil
	}
	var status struct {
		Version struct{ Number string }
	}
	if resp.status != http.StatusOK || json.Unmarshal(resp.body, &status) != nil || status.Version.Number == "" {
		return k.failure(resp)
	}
	major, _, _ := strings.Cut(status.Version.Number, ".")
	f := kibanaFlavor{known: true}
	if f.major, err = strconv.Atoi(major); err != nil {
		return k.failure(resp)
	}
	// OpenSearch Dashboards counts from 1; Kibana was at 5 when it got saved objects.
	f.dashboards = f.major < 4 || resp.header.Get("osd-name") != ""
	if !f.dashboards && f.major < 6 {
		return fmt.Errorf("%s at %s is not supported: version 6.4 or later is needed", f, k.o.URL.Host)
	}
	k.flavor = f
	return nil
}

// bulkCreate creates objects in Kibana 6.
func (k *Kibana) bulkCreate(ctx context.Context, objects []SavedObject) (Installed, error) {
	body, err := json.Marshal(objects)
	if err != nil {
		return Installed{}, err
	}
	resp, err := k.send(ctx, http.MethodPost, "/api/saved_objects/_bulk_create"+k.overwrite(), "application/json", body)
	if err != nil {
		return Installed{}, err
	}
	var result struct {
		Objects []struct {
			Type, ID string
			Error    *struct {
				Status  int    `json:"statusCode"`
				Message string `json:"message"`
			}
		} `json:"saved_objects"`
	}
	if resp.status != http.StatusOK || json.Unmarshal(resp.body, &result) != nil || len(result.Objects) != len(objects) {
		return Installed{}, k.failure(resp)
	}
	var done Installed
	var errs []error
	for _, o := range result.Objects {
		switch {
		case o.Error == nil:
			done.Created++
		case o.Error.Status == http.StatusConflict || strings.Contains(o.Error.Message, "conflict"):
			done.Existing++
		default:
			errs = append(errs, fmt.Errorf("%s %s: %s", o.Type, o.ID, o.Error.Message))
		}
	}
	return done, errors.Join(errs...)
}

// importObjects creates objects in Kibana 7 and later and in OpenSearch Dashboards.
func (k *Kibana) importObjects(ctx context.Context, objects []SavedObject) (Installed, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "ktail.ndjson") // the server looks at the extension
	if err != nil {
		return Installed{}, err
	}
	if err := WriteBundle(file, objects); err != nil {
		return Installed{}, err
	}
	if err := form.Close(); err != nil {
		return Installed{}, err
	}
	resp, err := k.send(ctx, http.MethodPost, "/api/saved_objects/_import"+k.overwrite(), form.FormDataContentType(), body.Bytes())
	if err != nil {
		return Installed{}, err
	}
	var result struct {
		Success *bool
		Count   int `json:"successCount"`
		Errors  []struct {
			Type, ID string
			Error    struct{ Type, Message string }
		}
	}
	if resp.status != http.StatusOK || json.Unmarshal(resp.body, &result) != nil || result.Success == nil {
		return Installed{}, k.failure(resp)
	}
	done := Installed{Created: result.Count}
	var errs []error
	for _, e := range result.Errors {
		if e.Error.Type == "conflict" {
			done.Existing++
			continue
		}
		errs = append(errs, fmt.Errorf("%s %s: %s", e.Type, e.ID, strings.TrimSpace(e.Error.Type+" "+e.Error.Message)))
	}
	if !*result.Success && len(result.Errors) == 0 {
		errs = append(errs, errors.New("the server reports no success and no reason"))
	}
	return done, errors.Join(errs...)
}

func (k *Kibana) overwrite() string {
	if k.o.Overwrite {
		return "?overwrite=true"
	}
	return ""
}

// WriteBundle writes the objects as NDJSON, for the import under Stack Management,
// Saved Objects.
func WriteBundle(w io.Writer, objects []SavedObject) error {
	for _, o := range objects {
		b, err := json.Marshal(o)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// kibanaResponse is a response whose body was read.
type kibanaResponse struct {
	status int
	header http.Header
	body   []byte
}

// send sends a request. Redirects are not followed: credentials are for one host.
func (k *Kibana) send(ctx context.Context, method, path, contentType string, body []byte) (*kibanaResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, kibanaTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(k.o.URL.String(), "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "ktail/"+k.o.Version)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("kbn-xsrf", "ktail") // any value shows that the request does not come from a browser (CSRF protection)
	r.Header.Set("osd-xsrf", "true")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	k.auth.set(r)
	resp, err := k.transport.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("connect to Kibana at %s: %w", k.o.URL.Host, err)
	}
	defer resp.Body.Close() //nolint:errcheck // it is only read from
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if err != nil {
		return nil, fmt.Errorf("read the response of Kibana at %s: %w", k.o.URL.Host, err)
	}
	return &kibanaResponse{status: resp.StatusCode, header: resp.Header, body: answer}, nil
}

// failure returns the error in an unexpected response.
func (k *Kibana) failure(resp *kibanaResponse) error {
	var said struct{ Error, Message string }
	isJSON := json.Unmarshal(resp.body, &said) == nil
	at := k.o.URL.Host
	switch {
	case resp.status >= 300 && resp.status < 400:
		return fmt.Errorf("%s redirects to %s: give the URL of Kibana itself, with its base path", at, k.auth.redact(resp.header.Get("Location")))
	case !isJSON:
		return fmt.Errorf("%s does not look like Kibana: its response (status %d) is not JSON; it may be a login page", at, resp.status)
	case resp.status == http.StatusUnauthorized:
		return fmt.Errorf("%s rejected the credentials: %s", at, k.auth.redact(said.Message))
	case resp.status == http.StatusForbidden:
		return fmt.Errorf("%s: no permission to manage saved objects here; write them to a file with --kibana-file for someone who has it: %s", at, k.auth.redact(said.Message))
	}
	return fmt.Errorf("%s: %d %s: %s", at, resp.status, said.Error, k.auth.redact(said.Message))
}

// DiscoverLink returns the address that opens the lines of a query in the Lucene
// syntax. from and to are times in RFC 3339, or relative to now: now-1h.
func (k *Kibana) DiscoverLink(query, from, to string) string {
	app := "/app/discover#/"
	if k.flavor.major == 6 || k.flavor.major == 7 && !k.flavor.dashboards {
		app = "/app/kibana#/discover"
	}
	columns := "!(kubernetes.namespace,kubernetes.pod.name,kubernetes.container.name,message)"
	g := fmt.Sprintf("(time:(from:%s,to:%s))", rison(from), rison(to))
	a := fmt.Sprintf("(columns:%s,index:%s,query:(language:lucene,query:%s))", columns, dataViewID, rison(query))
	return strings.TrimRight(k.o.URL.String(), "/") + app + "?_g=" + escapeFragment(g) + "&_a=" + escapeFragment(a)
}

// rison quotes a text in Rison, the notation of Kibana's addresses: quotes and
// exclamation marks are escaped with an exclamation mark.
// https://github.com/Nanonid/rison
func rison(s string) string {
	return "'" + strings.NewReplacer("!", "!!", "'", "!'").Replace(s) + "'"
}

// escapeFragment escapes what may not be part of a query in a fragment, and leaves
// the rest readable.
func escapeFragment(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~!*'(),:", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
