package fakeapi

import (
	"net/http"
	"strings"
)

// Request describes an HTTP request in the terms of RBAC rules.
type Request struct {
	Verb        string // get, list, watch, or the HTTP method of any other
	Group       string // empty: core
	Resource    string // "pods", "namespaces"; empty for other paths
	Subresource string // "log"
	Namespace   string // empty for all namespaces
	Name        string
	Follow      bool // a log request that follows
	Container   string
}

// Parse describes r.
func Parse(r *http.Request) Request {
	q := r.URL.Query()
	req := Request{Verb: r.Method, Follow: isTrue(q.Get("follow")), Container: q.Get("container")}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case parts[0] == "api" && len(parts) > 2:
		parts = parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		req.Group, parts = parts[1], parts[3:]
	default:
		return req
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		req.Namespace, parts = parts[1], parts[2:]
	}
	for i, p := range parts {
		switch i {
		case 0:
			req.Resource = p
		case 1:
			req.Name = p
		case 2:
			req.Subresource = p
		}
	}
	if r.Method == http.MethodGet {
		req.Verb = readVerb(req.Name != "", isTrue(q.Get("watch")))
	}
	return req
}

func readVerb(named, watch bool) string {
	switch {
	case named:
		return "get"
	case watch:
		return "watch"
	}
	return "list"
}

// isTrue parses a boolean parameter as the API server does.
func isTrue(s string) bool {
	s = strings.ToLower(s)
	return s != "" && s != "false" && s != "0"
}
