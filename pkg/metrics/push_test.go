package metrics

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ktail/ktail/pkg/ktail"
)

// A Pushgateway rejects a push if a label of a series is also one of the group. So no
// label of a series that is pushed at the end is accepted as one of the group at the start.
func TestPushGroup_LabelsOfSeriesAreRefused(t *testing.T) {
	figures := []Figure{{"ktail_build_info", "", false, []FigureLabel{{"version", "1"}}, 1}}
	rules := []Rule{
		{Name: "a_total", Labels: []Label{{"code", "code"}}, By: []string{"namespace", "pod"}},
		{Name: "b_seconds", Value: "t", Match: `t=(?P<t>\d+)`},
	}
	s := newSink(t, Options{Rules: rules, By: PushBy, Figures: func() []Figure { return figures }})
	k := pod("web")
	write(t, s, log(k, "code=200 t=1"), ktail.Line{Stream: k, Kind: ktail.Exit, Time: time.Now().UnixNano(), Text: []byte("OOMKilled")})
	families, err := s.gatherer(Run{}.figures()).Gather()
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]bool{"le": true, "job": true} // le is the label of buckets
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				refused[l.GetName()] = true
			}
		}
	}
	for _, name := range []string{"pod", "code", "version", "reason", "metric", "label"} {
		if !refused[name] {
			t.Errorf("no series has the label %s", name)
		}
	}
	check := func(name string, rules []Rule, figures []Figure) error {
		return (&PushOptions{URL: "http://pushgateway:9091", Group: []FigureLabel{{name, "x"}}}).Check(rules, figures)
	}
	for name := range refused {
		if check(name, rules, figures) == nil {
			t.Errorf("the label %s is accepted", name)
		}
	}
	for _, name := range []string{"pipeline", "instance", "pod", "code", "version", "metric"} { // no series has them
		if err := check(name, nil, nil); err != nil {
			t.Errorf("the label %s: %v", name, err)
		}
	}
}

// A server may answer with a long page and quote the request. The message has the
// beginning of the response, in one line and without the credentials.
func TestPush_RefusalIsShortAndHasNoCredentials(t *testing.T) {
	const password = "pass/word &1"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, sent, _ := r.BasicAuth()
		fmt.Fprintf(w, "the metric a_total\n is invalid; Authorization: %s; password %s or %s\n%s", //nolint:errcheck // of a test
			r.Header.Get("Authorization"), sent, "pass%2Fword+%261", strings.Repeat("é", 1<<20))
	}))
	defer server.Close()
	address := strings.Replace(server.URL, "://", "://user:pass%2Fword%20%261@", 1)
	err := newSink(t, Options{}).Push(context.Background(), PushOptions{URL: address, Job: "x"}, Run{})
	if err == nil {
		t.Fatal("a push that was refused has no error")
	}
	message := err.Error()
	if len(message) > 800 || !strings.Contains(message, "400") || !strings.Contains(message, "the metric a_total is invalid; Authorization: Basic ***; password *** or ***") || !strings.HasSuffix(message, "é…") {
		t.Errorf("the message is %.900q", message)
	}
	for _, secret := range []string{password, "dXNlcj"} {
		if strings.Contains(message, secret) {
			t.Errorf("the message has %q", secret)
		}
	}
}
