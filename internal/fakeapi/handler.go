package fakeapi

import (
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		panic(http.ErrAbortHandler)
	}
	defer s.handlers.Done()
	w.Header().Set("Date", s.opts.Now().UTC().Format(http.TimeFormat))

	var fault *Fault
	if f := *s.fault.Load(); f != nil {
		fault = f(r)
	}
	resp := newResponse(w, r, s.ctx.Done(), fault)
	s.countRequest(resp.req)
	if fault != nil {
		if fault.Delay > 0 {
			timer := time.NewTimer(fault.Delay)
			defer timer.Stop()
			if resp.wait(nil, timer.C) != nil {
				return
			}
		}
		if fault.answer(resp) {
			return
		}
	}
	s.route(resp)
	if resp.abort {
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) route(w *response) {
	if s.serveAccessReview(w) {
		return
	}
	if s.isDenied(w.req) {
		writeError(w, forbidden(w.req, "fake"))
		return
	}
	if w.r.Method != http.MethodGet {
		writeError(w, apierrors.NewMethodNotSupported(schema.GroupResource{Resource: w.req.Resource}, w.r.Method))
		return
	}
	switch what := w.req.Resource + "/" + w.req.Subresource; {
	case what == "pods/log" && w.req.Name != "":
		s.serveLog(w)
	case what == "nodes/proxy" && w.req.Name != "":
		s.serveNodeLog(w)
	case what == "namespaces/" && w.req.Verb == "get":
		s.getNamespace(w)
	case what == "namespaces/" && w.req.Verb == "list":
		s.listNamespaces(w)
	case s.serveObjects(w), s.serveDiscovery(w):
	default:
		s.serveOther(w)
	}
}

func badRequest(w http.ResponseWriter, format string, args ...any) {
	writeError(w, apierrors.NewBadRequest(fmt.Sprintf(format, args...)))
}
