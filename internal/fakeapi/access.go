package fakeapi

import (
	"encoding/json"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Deny forbids the requests that match accepts, and answers SelfSubjectAccessReviews
// accordingly; nil allows everything again.
func (s *Server) Deny(match func(Request) bool) {
	if match == nil {
		match = func(Request) bool { return false }
	}
	s.denied.Store(&match)
}

func (s *Server) isDenied(r Request) bool {
	match := s.denied.Load()
	return match != nil && (*match)(r)
}

// serveAccessReview answers a SelfSubjectAccessReview, and reports whether the request
// was one.
func (s *Server) serveAccessReview(w *response) bool {
	if w.r.Method != http.MethodPost || w.req.Resource != "selfsubjectaccessreviews" {
		return false
	}
	var review authorizationv1.SelfSubjectAccessReview
	if err := json.NewDecoder(w.r.Body).Decode(&review); err != nil || review.Spec.ResourceAttributes == nil {
		badRequest(w, "invalid review: %v", err)
		return true
	}
	a := review.Spec.ResourceAttributes
	review.TypeMeta = metav1.TypeMeta{APIVersion: "authorization.k8s.io/v1", Kind: "SelfSubjectAccessReview"}
	review.Status.Allowed = !s.isDenied(Request{
		Verb: a.Verb, Group: a.Group, Resource: a.Resource, Subresource: a.Subresource, Namespace: a.Namespace, Name: a.Name,
	})
	writeJSON(w, http.StatusCreated, review)
	return true
}
