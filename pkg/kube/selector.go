package kube

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// SelectorError reports a selector that cannot be parsed, or that the server
// rejects.
type SelectorError struct {
	Field    bool // true for Selection.FieldSelector, false for LabelSelector
	Selector string
	Err      error
}

// Error implements error.
func (e *SelectorError) Error() string {
	kind := "label"
	if e.Field {
		kind = "field"
	}
	return fmt.Sprintf("invalid %s selector %q: %v", kind, e.Selector, e.Err)
}

// Unwrap returns the cause.
func (e *SelectorError) Unwrap() error { return e.Err }

// validate returns a SelectorError for a selector that cannot be parsed.
func (s *Selection) validate() error {
	if _, err := labels.Parse(s.LabelSelector); err != nil {
		return &SelectorError{Selector: s.LabelSelector, Err: err}
	}
	if _, err := fields.ParseSelector(s.FieldSelector); err != nil {
		return &SelectorError{Field: true, Selector: s.FieldSelector, Err: err}
	}
	return nil
}

// explainRejected returns a SelectorError if err says that the server rejects a
// selector, and otherwise err.
func (s *Selection) explainRejected(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err
	}
	code, message := status.Status().Code, status.Status().Message
	switch {
	case code != http.StatusBadRequest && code != http.StatusUnprocessableEntity:
		return err
	case s.FieldSelector != "" && strings.Contains(message, "field label"): // "field label not supported: spec.foo"
		return &SelectorError{Field: true, Selector: s.FieldSelector, Err: errors.New(message)}
	case s.LabelSelector != "" && strings.Contains(message, "requirement"): // "unable to parse requirement: …"
		return &SelectorError{Selector: s.LabelSelector, Err: errors.New(message)}
	}
	return err
}
