package kube

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/ktail"
)

// denied adds to an error of missing rights what shows and what would mend it.
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

// readError says of an error from the log request whether and when it is worth
// trying again.
func readError(err error, stream *ktail.Stream) error {
	if request, ok := errors.AsType[*url.Error](err); ok {
		err = request.Err // its address says less than the name of the log
	}
	qualified := &ktail.ReadError{
		Err: fmt.Errorf("open log of %s: %w", stream, denied(err, "get", "pods --subresource=log", stream.Namespace)),
	}
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		qualified.RetryAfter = time.Duration(seconds) * time.Second
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		switch status.Status().Code {
		// Not 404: a kubelet that has just been started does not know its pods yet.
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
