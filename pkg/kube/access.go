package kube

import (
	"context"
	"encoding/json"
	"fmt"
)

// permission is what a request needs, in the terms of an RBAC rule.
type permission struct {
	Namespace   string `json:"namespace,omitempty"` // empty: all
	Verb        string `json:"verb"`
	Group       string `json:"group,omitempty"`
	Resource    string `json:"resource"`
	Subresource string `json:"subresource,omitempty"`
	Name        string `json:"name,omitempty"`
}

// isAllowed asks the server whether the user has the permission. Asking first keeps
// rejected requests out of the audit log. An error means that the server does not say.
func (c *Client) isAllowed(ctx context.Context, p permission) (bool, error) {
	var review struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Spec       struct {
			ResourceAttributes permission `json:"resourceAttributes"`
		} `json:"spec"`
		Status struct {
			Allowed bool `json:"allowed"`
		} `json:"status"`
	}
	review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
	review.Spec.ResourceAttributes = p
	body, err := json.Marshal(&review)
	if err != nil {
		return false, fmt.Errorf("encode access review: %w", err)
	}
	answer, err := rawBody(c.rest.Post().AbsPath("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews").
		SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").
		Body(body).MaxRetries(0).Do(ctx))
	if err != nil {
		return false, withoutURL(err)
	}
	if err := json.Unmarshal(answer, &review); err != nil {
		return false, fmt.Errorf("decode access review: %w", err)
	}
	return review.Status.Allowed, nil
}
