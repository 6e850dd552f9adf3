package elastic

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// keywords are the fields that are matched as a whole.
var keywords = []string{
	"kubernetes.namespace", "kubernetes.pod.name", "kubernetes.pod.uid", "kubernetes.container.name", "kubernetes.node.name",
	"kubernetes.deployment.name", "kubernetes.replicaset.name", "kubernetes.statefulset.name", "kubernetes.daemonset.name",
	"kubernetes.job.name", "kubernetes.cronjob.name", "kubernetes.owner.kind", "kubernetes.owner.name",
	"container.id", "container.image.name", "container.runtime", "orchestrator.type", "orchestrator.cluster.name", "host.name",
	"event.kind", "event.dataset", "event.action", "event.outcome", "log.flags", "log.level",
	"agent.type", "agent.version", "ecs.version",
	"data_stream.type", "data_stream.dataset", "data_stream.namespace",
}

// mappings returns the field types. Labels and other fields that users add become
// keywords as well.
func mappings() string {
	fields := fieldTree{}
	for _, name := range keywords {
		fields.add(name, `{"type":"keyword","ignore_above":1024}`)
	}
	for _, name := range []string{"@timestamp", "event.created", "event.start", "event.end"} {
		fields.add(name, `{"type":"date"}`)
	}
	fields.add("event.sequence", `{"type":"long"}`)
	for _, name := range []string{"message", "event.reason", "ktail.document"} {
		fields.add(name, `{"type":"text"}`)
	}
	return `{"dynamic_templates":[{"strings":{"match_mapping_type":"string","mapping":{"type":"keyword","ignore_above":1024}}}],` +
		`"properties":` + fields.json() + `}`
}

// installTemplate creates the template that the target needs, unless it exists. It also
// returns nil if the server needs none.
func (c *client) installTemplate(ctx context.Context, t target, s server) error {
	if !s.known {
		return nil // the form of the template is not known
	}
	path, body := templateFor(t, s)
	if path == "" {
		return nil
	}
	if !t.own {
		// An index that the user created keeps its mapping.
		resp, err := c.sendJSON(ctx, http.MethodHead, "/"+url.PathEscape(t.index), "")
		if err != nil {
			return err
		}
		if resp.status != http.StatusNotFound {
			return nil
		}
	}
	resp, err := c.sendJSON(ctx, http.MethodHead, path, "")
	if err != nil {
		return err
	}
	if resp.status == http.StatusOK {
		return nil
	}
	resp, err = c.sendJSON(ctx, http.MethodPut, path, body)
	if err != nil {
		return err
	}
	if resp.status != http.StatusOK {
		return fmt.Errorf("create the template %s: %w", path, resp.serverError())
	}
	return nil
}

// templateFor returns the path and the content of the template that the target needs.
// The path is empty if it needs none.
func templateFor(t target, s server) (path, body string) {
	name, pattern := "ktail", dailyPattern
	if !t.daily() {
		pattern = t.index
		if !t.own {
			name = "ktail-" + t.index
		}
	}
	dataStream := isDataStreamName(t.index) && s.hasDataStreams()
	switch {
	case dataStream && !s.openSearch:
		return "", "" // the server has a built-in template for logs-*-*
	case !s.openSearch && !s.serverless && !s.atLeast(7, 8):
		// Composable templates exist since 7.8.
		content := mappings()
		if s.major < 7 {
			content = `{"_doc":` + content + `}`
		}
		return "/_template/" + url.PathEscape(name), `{"index_patterns":[` + string(appendQuoted(nil, pattern)) + `],"mappings":` + content + `}`
	}
	body = `{"index_patterns":[` + string(appendQuoted(nil, pattern)) + `],"priority":200,`
	if dataStream {
		body += `"data_stream":{},`
	}
	return "/_index_template/" + url.PathEscape(name), body + `"template":{"mappings":` + mappings() + `}}`
}

// fieldTree holds the properties of a mapping in the order of their addition.
type fieldTree struct {
	names    []string
	leaf     map[string]string
	children map[string]*fieldTree
}

func (t *fieldTree) add(name, definition string) {
	if t.leaf == nil {
		t.leaf, t.children = map[string]string{}, map[string]*fieldTree{}
	}
	head, rest, nested := strings.Cut(name, ".")
	if t.leaf[head] == "" && t.children[head] == nil {
		t.names = append(t.names, head)
	}
	if !nested {
		t.leaf[head] = definition
		return
	}
	if t.children[head] == nil {
		t.children[head] = &fieldTree{}
	}
	t.children[head].add(rest, definition)
}

func (t *fieldTree) json() string {
	parts := make([]string, len(t.names))
	for i, name := range t.names {
		definition := t.leaf[name]
		if child := t.children[name]; child != nil {
			definition = `{"properties":` + child.json() + `}`
		}
		parts[i] = string(appendQuoted(nil, name)) + ":" + definition
	}
	return "{" + strings.Join(parts, ",") + "}"
}
