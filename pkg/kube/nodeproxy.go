package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// proxyImplies describes what else the permission to read the logs of nodes
// allows.
const proxyImplies = "note that it also allows running commands in every pod of the node"

// nodeReply is a response of the log endpoint of a kubelet.
type nodeReply struct {
	io.ReadCloser
	size    int64 // of the whole file; -1: not known
	partial bool  // it has only the requested range
	isDir   bool  // it lists a directory
}

// errPastEnd reports that a file has nothing at the requested offset: it has size
// bytes.
type errPastEnd struct{ size int64 }

func (e *errPastEnd) Error() string { return fmt.Sprintf("the file has only %d bytes", e.size) }

// openNodeLog requests a file, a directory (with a slash at the end), or with a query
// a journal, from the log endpoint of a node's kubelet. If from is not 0, only the
// bytes from there on are requested, or if it is negative, as many from the end.
func (c *Client) openNodeLog(ctx context.Context, node, path string, query url.Values, from int64) (*nodeReply, error) {
	req := c.rest.Get().AbsPath("/api/v1/nodes/" + node + "/proxy/logs/" + path)
	for name, values := range query {
		for _, value := range values {
			req.Param(name, value)
		}
	}
	release, err := c.queueOpen(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	hr, err := http.NewRequestWithContext(ctx, http.MethodGet, req.URL().String(), nil)
	if err != nil {
		return nil, err
	}
	switch {
	case from > 0:
		hr.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
	case from < 0:
		hr.Header.Set("Range", fmt.Sprintf("bytes=%d", from))
	}
	resp, err := c.logs.Do(hr)
	if err != nil {
		return nil, withoutURL(err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		// The name of a directory without a slash is redirected.
		return &nodeReply{ReadCloser: resp.Body, size: resp.ContentLength, isDir: strings.HasSuffix(resp.Request.URL.Path, "/")}, nil
	case http.StatusPartialContent:
		return &nodeReply{ReadCloser: resp.Body, size: rangeSize(resp), partial: true}, nil
	}
	defer resp.Body.Close() //nolint:errcheck // errors do not matter after reading
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return nil, &errPastEnd{rangeSize(resp)}
	}
	return nil, statusError(resp, "nodes/proxy")
}

// rangeSize returns the size of the whole file, which follows the slash in
// "Content-Range: bytes 0-119/531214"; -1 if it is not known.
func rangeSize(resp *http.Response) int64 {
	_, size, _ := strings.Cut(resp.Header.Get("Content-Range"), "/")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// nodeLogError explains an error of the log endpoint.
func nodeLogError(err error, node string) error {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w; you need permission to get nodes/proxy (%s); see: kubectl auth can-i get nodes/proxy", err, proxyImplies)
	case apierrors.IsMethodNotSupported(err):
		return fmt.Errorf("the kubelet of node %s does not serve logs: enableSystemLogHandler or enableDebuggingHandlers is false", node)
	case isNoFile(err):
		return errors.New("there is no such file in /var/log of the node")
	}
	return err
}

// isNoFile reports whether the kubelet, and not the API server, has not found something.
func isNoFile(err error) bool {
	return apierrors.IsNotFound(err) && apierrors.IsUnexpectedServerError(err)
}

// mayProxy reports whether the user may read logs of nodes. An error means that the
// server did not answer this.
func (c *Client) mayProxy(ctx context.Context, node string) (bool, error) {
	return c.isAllowed(ctx, permission{Verb: "get", Resource: NodeKind.Resource, Subresource: "proxy", Name: node})
}
