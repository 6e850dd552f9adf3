package kube

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/transport"
)

// denied adds to an error about missing permissions the command that checks
// them.
func denied(err error, verb, resource, namespace string) error {
	where := "-n " + namespace
	if namespace == "" {
		where = "-A"
	}
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%w; see: kubectl auth can-i %s %s %s", err, verb, resource, where)
	}
	return err
}

// retryAfter returns how long the server wants the client to wait, at most
// transport.MaxRetryAfter.
func retryAfter(err error) time.Duration {
	if c, ok := errors.AsType[*transport.CredentialError](err); ok {
		return min(c.RetryAfter, transport.MaxRetryAfter)
	}
	seconds, _ := apierrors.SuggestsClientDelay(err)
	most := int(transport.MaxRetryAfter / time.Second)
	return time.Duration(min(max(seconds, 0), most)) * time.Second
}

// isAbsent reports whether the API server says that the object does not exist. A proxy on
// the way to it may respond 404 as well, for example while the API server is being
// restarted.
func isAbsent(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// withoutURL removes the URL of the request from an error, because the message
// names the object.
func withoutURL(err error) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		return request.Err
	}
	return err
}

// readError classifies an error of a log request: whether a retry can succeed,
// and when to retry.
func readError(err error, stream *ktail.Stream) error {
	err = withoutURL(err)
	qualified := &ktail.ReadError{
		Err:        fmt.Errorf("open log of %s: %w", stream, denied(err, "get", "pods --subresource=log", stream.Namespace)),
		RetryAfter: retryAfter(err),
	}
	_, qualified.Shared = errors.AsType[*transport.CredentialError](err)
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		switch status.Status().Code {
		// Not 404, because a kubelet that has just started does not know its
		// pods yet.
		case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
			qualified.Permanent = true
		}
	}
	return qualified
}

func firstLine(body []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	return string(line)
}
