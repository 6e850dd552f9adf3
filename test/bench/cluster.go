package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const server = "https://127.0.0.1:6443"

// cluster is the cluster of test/cluster. The logs of its fake pods are files
// that the benchmark writes.
type cluster struct {
	work       string
	client     *http.Client
	namespaces []*namespace
}

func openCluster() (*cluster, error) {
	work := os.Getenv("TESTCLUSTER_WORK")
	if work == "" || os.Getenv("KUBECONFIG") == "" {
		return nil, errors.New("source test/cluster/env.sh first")
	}
	c := &cluster{work: work}
	ca, err := os.ReadFile(c.pki("ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	cert, err := tls.LoadX509KeyPair(c.pki("admin.crt"), c.pki("admin.key"))
	if err != nil {
		return nil, err
	}
	c.client = &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}},
	}}
	return c, nil
}

func (c *cluster) pki(name string) string { return filepath.Join(c.work, "state/pki", name) }

// namespace is a namespace with fake pods.
type namespace struct {
	name  string
	pods  int
	nodes int // that the pods are on
	dir   string
}

func podName(i int) string { return fmt.Sprintf("p-%04d", i) }

func (n *namespace) logFile(i int) string { return filepath.Join(n.dir, podName(i), "c.log") }

// logURL returns the URL of the i-th pod's log.
func logURL(namespace string, i int, query string) string {
	return fmt.Sprintf("%s/api/v1/namespaces/%s/pods/%s/log?%s", server, namespace, podName(i), query)
}

// load returns a command of the test cluster's program load, for these pods.
func (n *namespace) load(ctx context.Context, command string, args ...string) *exec.Cmd {
	args = append([]string{command, "-ns", n.name, "-pods", strconv.Itoa(n.pods), "-nodes", strconv.Itoa(n.nodes), "-dir", n.dir}, args...)
	return exec.CommandContext(ctx, "load", args...)
}

// namespace creates a namespace with the given number of pods on two nodes and
// waits until they are running.
func (c *cluster) namespace(ctx context.Context, name string, pods int) (*namespace, error) {
	return c.namespaceOn(ctx, name, pods, 2)
}

// namespaceOn is namespace for the given number of nodes.
func (c *cluster) namespaceOn(ctx context.Context, name string, pods, nodes int) (*namespace, error) {
	n := &namespace{name: name, pods: pods, nodes: nodes, dir: filepath.Join(c.work, "state", name)}
	for _, other := range c.namespaces {
		if other.name == name {
			return other, nil
		}
	}
	manifest, err := n.load(ctx, "manifest").Output()
	if err != nil {
		return nil, fmt.Errorf("load manifest: %w", err)
	}
	c.namespaces = append(c.namespaces, n)
	if err := c.createAll(ctx, name, manifest); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		out, err := exec.CommandContext(ctx, "kubectl", "get", "pods", "-n", name,
			"--field-selector", "status.phase=Running", "-o", "name").Output()
		if err != nil {
			return nil, fmt.Errorf("kubectl get pods: %w", err)
		}
		if bytes.Count(out, []byte("\n")) == pods {
			return n, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("%d of %d pods are running", bytes.Count(out, []byte("\n")), pods)
		}
		pause(ctx, time.Second)
	}
}

// createAll creates the objects of a list in parallel.
func (c *cluster) createAll(ctx context.Context, namespace string, list []byte) error {
	var manifest struct{ Items []json.RawMessage }
	if err := json.Unmarshal(list, &manifest); err != nil {
		return err
	}
	if err := c.create(ctx, namespace, manifest.Items[0]); err != nil {
		return err
	}
	queue := make(chan json.RawMessage)
	errs := make(chan error, len(manifest.Items))
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for object := range queue {
				errs <- c.create(ctx, namespace, object)
			}
		})
	}
	for _, object := range manifest.Items[1:] {
		queue <- object
	}
	close(queue)
	workers.Wait()
	close(errs)
	var failed []error
	for err := range errs {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// create creates an object unless it exists.
func (c *cluster) create(ctx context.Context, namespace string, object []byte) error {
	var meta struct{ APIVersion, Kind string }
	if err := json.Unmarshal(object, &meta); err != nil {
		return err
	}
	path := map[string]string{
		"Namespace": "/api/v1/namespaces",
		"Node":      "/api/v1/nodes",
		"Pod":       "/api/v1/namespaces/" + namespace + "/pods",
		"Logs":      "/apis/" + meta.APIVersion + "/namespaces/" + namespace + "/logs",
	}[meta.Kind]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, server+path, bytes.NewReader(object))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // errors do not matter after reading
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 16<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated && resp.StatusCode != http.StatusConflict {
		return fmt.Errorf("create a %s: %s: %s", meta.Kind, resp.Status, answer)
	}
	return nil
}

// clean removes everything that was created.
func (c *cluster) clean() error {
	var errs []error
	for _, n := range c.namespaces {
		// This does not wait until the cluster has deleted the namespaces.
		cmd := exec.CommandContext(context.Background(), "kubectl", "delete", "namespace", n.name, "--wait=false")
		errs = append(errs, cmd.Run(), os.RemoveAll(n.dir))
	}
	return errors.Join(errs...)
}

// pause waits for the duration or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
