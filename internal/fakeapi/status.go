package fakeapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var podResource = schema.GroupResource{Resource: "pods"}

// writeJSON responds with the object.
func writeJSON(w http.ResponseWriter, code int, object any) {
	body, err := json.Marshal(object)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client has disconnected
}

// writeError responds with the Status of an error of package apierrors.
func writeError(w http.ResponseWriter, err error) {
	status := statusOf(err)
	writeJSON(w, int(status.Code), status)
}

func statusOf(err error) *metav1.Status {
	var api apierrors.APIStatus
	if !errors.As(err, &api) {
		api = apierrors.NewInternalError(err)
	}
	status := api.Status()
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	return &status
}

// expired returns the error for an expired resource version.
func expired(asked, oldest uint64) error {
	return apierrors.NewResourceExpired(fmt.Sprintf("too old resource version: %d (%d)", asked, oldest))
}

// forbidden returns the error of an RBAC authorizer for the request.
func forbidden(req Request, user string) error {
	resource := req.Resource
	if req.Subresource != "" {
		resource += "/" + req.Subresource
	}
	where := "at the cluster scope"
	if req.Namespace != "" {
		where = fmt.Sprintf("in the namespace %q", req.Namespace)
	}
	why := fmt.Errorf("User %q cannot %s resource %q in API group %q %s", user, req.Verb, resource, req.Group, where) //nolint:staticcheck // copies the API server's message
	return apierrors.NewForbidden(schema.GroupResource{Group: req.Group, Resource: req.Resource}, req.Name, why)
}

// codeError returns the Status for an HTTP status code.
func codeError(code int, reason metav1.StatusReason, message string, retryAfter time.Duration) error {
	if reason == "" {
		reason = reasons[code]
	}
	if message == "" {
		message = http.StatusText(code)
	}
	status := metav1.Status{Status: metav1.StatusFailure, Code: int32(code), Reason: reason, Message: message}
	if retryAfter > 0 {
		status.Details = &metav1.StatusDetails{RetryAfterSeconds: seconds(retryAfter)}
	}
	return &apierrors.StatusError{ErrStatus: status}
}

// seconds rounds up to whole seconds, the unit of Retry-After.
func seconds(d time.Duration) int32 { return int32((d + time.Second - 1) / time.Second) }

var reasons = map[int]metav1.StatusReason{
	http.StatusBadRequest:          metav1.StatusReasonBadRequest,
	http.StatusUnauthorized:        metav1.StatusReasonUnauthorized,
	http.StatusForbidden:           metav1.StatusReasonForbidden,
	http.StatusNotFound:            metav1.StatusReasonNotFound,
	http.StatusConflict:            metav1.StatusReasonConflict,
	http.StatusGone:                metav1.StatusReasonExpired,
	http.StatusTooManyRequests:     metav1.StatusReasonTooManyRequests,
	http.StatusInternalServerError: metav1.StatusReasonInternalError,
	http.StatusServiceUnavailable:  metav1.StatusReasonServiceUnavailable,
	http.StatusGatewayTimeout:      metav1.StatusReasonTimeout,
}
