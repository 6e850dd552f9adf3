//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// A cluster is the cluster of test/cluster. Its node is this machine, so the
// tests can access its processes and files.
type cluster struct {
	kubeconfig string
	work       string // TESTCLUSTER_WORK
	truth      string // directory of the containers' counts
	server     string
	http       *http.Client
}

func openCluster() (*cluster, error) {
	const hint = "start one with test/cluster/setup.sh and test/cluster/start.sh, then `. test/cluster/env.sh`; or run `make e2e`, which does all of that"
	c := &cluster{kubeconfig: os.Getenv("KUBECONFIG"), work: os.Getenv("TESTCLUSTER_WORK")}
	if c.kubeconfig == "" || c.work == "" {
		return nil, fmt.Errorf("KUBECONFIG and TESTCLUSTER_WORK do not name a test cluster: %s", hint)
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, hint)
	}
	if c.http, err = rest.HTTPClientFor(config); err != nil {
		return nil, err
	}
	c.server = config.Host
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.get(ctx, "/api/v1/nodes/10.200.0.1", nil); err != nil {
		return nil, fmt.Errorf("the test cluster does not respond: %w: %s", err, hint)
	}
	if c.truth, err = os.MkdirTemp(filepath.Join(c.work, "state"), "e2e-"); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *cluster) close() error {
	return errors.Join(c.waitForNamespaces(), os.RemoveAll(c.truth))
}

// A statusError is a response of the API server other than 2xx.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return fmt.Sprintf("%d: %s", e.code, e.text) }

// isStatus reports whether the API server responded with this status.
func isStatus(err error, code int) bool {
	var status *statusError
	return errors.As(err, &status) && status.code == code
}

func (c *cluster) get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, path, "", nil, out)
}

// create posts an object to the collection.
func (c *cluster) create(ctx context.Context, path string, object any) error {
	return c.do(ctx, http.MethodPost, path, "", object, nil)
}

// delete deletes an object; options such as gracePeriodSeconds go into the query.
func (c *cluster) delete(ctx context.Context, path string) error {
	return c.do(ctx, http.MethodDelete, path, "", nil, nil)
}

// patch applies a strategic merge patch.
func (c *cluster) patch(ctx context.Context, path string, patch any) error {
	return c.do(ctx, http.MethodPatch, path, "application/strategic-merge-patch+json", patch, nil)
}

func (c *cluster) do(ctx context.Context, method, path, contentType string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", cmp.Or(contentType, "application/json"))
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %w", method, path, &statusError{resp.StatusCode, string(b)})
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// editKubeconfig writes an edited copy of the cluster's kubeconfig and returns
// its path.
func (c *cluster) editKubeconfig(t *testing.T, edit func(*clientcmdapi.Cluster, *clientcmdapi.AuthInfo)) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(c.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	current := config.Contexts[config.CurrentContext]
	edit(config.Clusters[current.Cluster], config.AuthInfos[current.AuthInfo])
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// address returns the host and port of the API server.
func (c *cluster) address() string {
	u, err := url.Parse(c.server)
	if err != nil {
		panic(err) // openCluster has parsed it
	}
	return u.Host
}
