package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/push"
	dto "github.com/prometheus/client_model/go"

	"github.com/ktail/ktail/pkg/text"
)

// PushOptions define the Pushgateway and the group of the series.
type PushOptions struct {
	URL   string // may contain a user and a password
	Job   string
	Group []FigureLabel // labels of the group besides job
}

// pushTimeout bounds how long a push takes.
const pushTimeout = 8 * time.Second

// PushBy is Options.By for a push: a Pushgateway keeps the series of deleted pods.
var PushBy = []string{"namespace", "container"}

// Check returns an error if the options are invalid, or if a label of the group is also a
// label of a series: the Pushgateway rejects such a push as a whole. The series are those
// of valid rules, of the logs, and of figures.
func (o *PushOptions) Check(rules []Rule, figures []Figure) error {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("must be a URL such as http://pushgateway:9091")
	case strings.ContainsAny(o.URL, "?#"): // the path of the group is appended
		return errors.New("the URL has a query or a fragment; write only the address of the Pushgateway, such as http://pushgateway:9091")
	}
	s, err := New(Options{Rules: rules, By: PushBy, Figures: func() []Figure { return figures }})
	if err != nil {
		return err
	}
	for _, l := range o.Group {
		switch {
		case !validLabel.MatchString(l.Name) || strings.HasPrefix(l.Name, "__"):
			return fmt.Errorf("the group label %q is invalid; write letters, digits and underscores", l.Name)
		case l.Name == "job":
			return errors.New("the group label job is set by --metrics-push-job")
		case slices.Contains(reservedLabels, l.Name):
			return fmt.Errorf("the group label %s is reserved; write another name", l.Name)
		}
		if name := s.metricWith(l.Name); name != "" {
			return fmt.Errorf("metric %s has the label %s, which is also a group label; write another name for the group label", name, l.Name)
		}
	}
	return nil
}

// metricWith returns the name of a metric that has the label; empty if none has.
func (s *Sink) metricWith(label string) string {
	for _, m := range s.metrics {
		if slices.Contains(m.by, label) || slices.Contains(m.labels, label) {
			return m.name
		}
	}
	for _, f := range s.figures() {
		if slices.ContainsFunc(f.Labels, func(l FigureLabel) bool { return l.Name == label }) {
			return f.Name
		}
	}
	return ""
}

// Run describes the run as a whole in pushed metrics.
type Run struct {
	Began   time.Time
	Success bool
}

// Push replaces the series of the group with those of the run.
func (s *Sink) Push(ctx context.Context, o PushOptions, run Run) error {
	ctx, cancel := context.WithTimeout(ctx, pushTimeout)
	defer cancel()
	u, err := url.Parse(o.URL)
	if err != nil {
		return fmt.Errorf("push metrics: %w", err)
	}
	user := u.User
	u.User = nil
	p := push.New(strings.TrimSuffix(u.String(), "/"), o.Job).Gatherer(s.gatherer(run.figures())).Client(pushClient{&http.Client{}})
	if user != nil {
		password, _ := user.Password()
		p.BasicAuth(user.Username(), password)
	}
	for _, l := range o.Group {
		p.Grouping(l.Name, l.Value)
	}
	if err := p.PushContext(ctx); err != nil {
		return fmt.Errorf("push metrics: %w", err)
	}
	return nil
}

// pushClient makes the response to a push that was refused fit for a message.
type pushClient struct{ *http.Client }

const maxRefusal = 500 // bytes of a response that are shown

// Do implements push.HTTPDoer.
func (c pushClient) Do(r *http.Request) (*http.Response, error) {
	resp, err := c.Client.Do(r)
	if err != nil || resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusAccepted {
		return resp, err
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what is there describes the refusal
	if err := resp.Body.Close(); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(strings.NewReader(refusal(r, string(body))))
	return resp, nil
}

// refusal returns the beginning of a response as one line without the credentials of the
// request, which servers may quote.
func refusal(r *http.Request, body string) string {
	_, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	_, password, _ := r.BasicAuth()
	return text.Shorten(text.OneLine(text.Redact(body, credentials, password)), maxRefusal)
}

func (r Run) figures() []Figure {
	success := 0.0
	if r.Success {
		success = 1
	}
	return []Figure{
		{"ktail_run_success", "1 if the run has ended without an error.", false, nil, success},
		{"ktail_run_duration_seconds", "How long the run took.", false, nil, time.Since(r.Began).Seconds()},
		{"ktail_run_completion_timestamp_seconds", "When the run ended, in seconds since the epoch.", false, nil, float64(time.Now().UnixNano()) / float64(time.Second)},
	}
}

// gatherer returns all series as they are, and more figures.
func (s *Sink) gatherer(more []Figure) prometheus.Gatherer {
	return gathererFunc(func() ([]*dto.MetricFamily, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		families := append(s.collect(nil), figureFamilies(more)...)
		slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
		return families, nil
	})
}
