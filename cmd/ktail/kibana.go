package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/ktail/ktail/pkg/elastic"
	"github.com/ktail/ktail/pkg/kube"
)

// kibanaFlags set up Kibana or OpenSearch Dashboards for the forwarded lines.
type kibanaFlags struct {
	url       string
	file      string
	overwrite bool
}

func (f *kibanaFlags) addFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.url, "kibana", "",
		"Set up a dashboard in Kibana or OpenSearch Dashboards. The URL is like http://host:5601, with the base path and /s/SPACE if needed. "+
			"ktail prints a link to the lines of the query. The --elasticsearch-... flags for authentication and TLS apply `URL`")
	fs.BoolVar(&f.overwrite, "kibana-overwrite", false,
		"Replace the objects in Kibana if they exist. Changes to them are lost")
	fs.StringVar(&f.file, "kibana-file", "",
		"Write the objects for Kibana to a file for a manual import, then exit `FILE`")
}

func (f kibanaFlags) validate() error {
	if f.overwrite && f.url == "" {
		return errors.New("--kibana-overwrite requires --kibana")
	}
	if f.url == "" {
		return nil
	}
	if u, err := url.Parse(f.url); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return errors.New("invalid --kibana: must be a URL such as http://host:5601; for a user and a password, see --elasticsearch-user")
	}
	return nil
}

// kibanaPattern returns the index pattern of the data view.
func (o *options) kibanaPattern() string {
	switch {
	case o.elastic.index != "":
		return o.elastic.index
	case o.history.index != "":
		return o.history.index
	}
	return elastic.DefaultHistoryIndex
}

// writeKibanaFile writes the objects for a manual import.
func (o *options) writeKibanaFile() error {
	file, err := os.Create(o.kibana.file)
	if err != nil {
		return fmt.Errorf("write the objects for Kibana: %w", err)
	}
	return errors.Join(elastic.WriteBundle(file, elastic.KibanaBundle(o.kibanaPattern())), file.Close())
}

// setUpKibana creates the objects and prints the link to the lines of the
// query. If it fails, lines are still printed and forwarded.
func setUpKibana(ctx context.Context, s streams, p plan, m *messenger) {
	if err := tryKibana(ctx, s, p, m); err != nil && ctx.Err() == nil {
		m.printf("warning: %v", err)
	}
}

func tryKibana(ctx context.Context, s streams, p plan, m *messenger) error {
	u, err := url.Parse(p.kibana.url)
	if err != nil {
		return err
	}
	k, err := elastic.NewKibana(elastic.KibanaOptions{
		URL: u, Version: version, Overwrite: p.kibana.overwrite,
		Credentials: p.elastic.readCredentials(p.elastic.auth, s.Env),
	})
	if err != nil {
		return err
	}
	done, err := k.Install(ctx, elastic.KibanaBundle(p.kibanaPattern()))
	if err != nil {
		return err
	}
	if done.Created > 0 {
		m.printf("created %d objects in Kibana, including the dashboard ktail", done.Created)
	}
	from, to := p.linkRange()
	m.printf("in Kibana: %s", k.DiscoverLink(kibanaQuery(p.selection), from, to))
	return nil
}

// linkRange returns the time range of the link.
func (p plan) linkRange() (from, to string) {
	from, to = "now-48h", "now"
	if since := p.period.begin(); !since.IsZero() {
		from = since.UTC().Format(time.RFC3339)
		if p.period.age > 0 {
			from = fmt.Sprintf("now-%dm", int(p.period.age.Minutes()+1))
		}
	}
	if !p.period.until.IsZero() {
		to = p.period.until.UTC().Format(time.RFC3339)
	}
	return from, to
}

// kibanaQuery returns the selection in Lucene's syntax. A criterion that the
// syntax cannot express is omitted, so the link may show more lines.
func kibanaQuery(s kube.Selection) string {
	var all []string
	add := func(clauses ...string) {
		switch {
		case len(clauses) == 1:
			all = append(all, clauses[0])
		case len(clauses) > 1:
			all = append(all, "("+strings.Join(clauses, " OR ")+")")
		}
	}
	var namespaces []string
	for _, n := range s.Namespaces {
		namespaces = append(namespaces, field("kubernetes.namespace", n))
	}
	add(namespaces...)
	add(podClauses(s)...)
	if s.Containers != nil {
		if clause, ok := nameClause("kubernetes.container.name", s.Containers); ok {
			add(clause)
		}
	}
	requirements, err := labels.ParseToRequirements(s.LabelSelector)
	if err != nil { // the error is reported when the selection is used
		requirements = nil
	}
	for _, r := range requirements {
		add(labelClauses(r)...)
	}
	return strings.Join(all, " AND ")
}

// labelClauses returns the alternatives that a label requirement allows, or
// none if the requirement is not a list of values.
func labelClauses(r labels.Requirement) []string {
	if !slices.Contains([]selection.Operator{selection.Equals, selection.DoubleEquals, selection.In}, r.Operator()) {
		return nil
	}
	var clauses []string
	for _, value := range slices.Sorted(slices.Values(r.ValuesUnsorted())) {
		clauses = append(clauses, field("kubernetes.labels."+strings.NewReplacer(".", "_", "/", `\/`).Replace(r.Key()), value))
	}
	return clauses
}

// podClauses returns the alternatives that select the pods, or none if one of
// them cannot be expressed.
func podClauses(s kube.Selection) []string {
	var clauses []string
	for _, re := range s.Pods {
		clause, ok := nameClause("kubernetes.pod.name", re)
		if !ok {
			return nil
		}
		clauses = append(clauses, clause)
	}
	for _, o := range s.Owners {
		kind, ok := kube.BuiltInKind(o.Kind)
		if !ok || kind.Kind == "Service" || kind.Kind == "ReplicationController" {
			return nil
		}
		clauses = append(clauses, field("kubernetes."+strings.ToLower(kind.Kind)+".name", o.Name))
		// ktail's documents name the Job instead, or the Deployment if the ReplicaSet has one.
		switch kind.Kind {
		case "CronJob":
			clauses = append(clauses, generatedClause("kubernetes.job.name", o.Name))
		case "ReplicaSet":
			clauses = append(clauses, generatedClause("kubernetes.pod.name", o.Name))
		}
	}
	return clauses
}

// generatedClause returns the clause for names that are generated from another one.
func generatedClause(name, from string) string {
	const most = 58 // of the base of a generated name
	base := from + "-"
	return name + ":" + special.ReplaceAllString(base[:min(most, len(base))], `\$0`) + "*"
}

// special matches the characters that have a meaning in Lucene's syntax.
var special = regexp.MustCompile(`[^-.\pL\pN]`)

var anything = regexp.MustCompile(`^\^?[.*]*\$?$`)

// nameClause returns the clause for names that match the expression, if the
// expression is a literal, with or without anchors.
func nameClause(name string, re *regexp.Regexp) (string, bool) {
	expression := re.String()
	if anything.MatchString(expression) {
		return "", false
	}
	literal, atStart := strings.CutPrefix(expression, "^")
	literal, atEnd := strings.CutSuffix(literal, "$")
	if regexp.QuoteMeta(literal) != literal {
		return "", false
	}
	if atStart && atEnd {
		return field(name, literal), true
	}
	pattern := literal
	if !atStart {
		pattern = "*" + pattern
	}
	if !atEnd {
		pattern += "*"
	}
	return name + ":" + pattern, true
}

// field returns the clause for an exact value of a field.
func field(name, value string) string {
	return name + `:"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
