package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/logfiles"
	"github.com/ktail/ktail/pkg/kube/internal/nodelog"
	"github.com/ktail/ktail/pkg/kube/internal/podlog"
)

// nodeFiles records on which nodes log files can be read through the kubelet's log
// endpoint. A problem is reported once per node, and a missing permission only once.
type nodeFiles struct {
	client  *Client
	missing func(error) // may be nil
	allowed *question   // on all nodes

	mu     sync.Mutex
	denied bool // a missing permission was reported
	nodes  map[string]*nodeAccess
}

func newNodeFiles(client *Client, missing func(error)) *nodeFiles {
	return &nodeFiles{client: client, missing: missing, allowed: newQuestion(), nodes: map[string]*nodeAccess{}}
}

// nodeAccess is what is known about one node. The lock of nodeFiles guards it.
type nodeAccess struct {
	allowed  *question // on this node
	failed   bool      // its files cannot be read
	reported bool      // why
	maxFiles int       // 0: not known yet
}

// question is a request to the server that is sent once, no matter how many callers need
// the answer.
type question struct {
	turn   chan struct{} // capacity 1; held to use the other fields
	asked  bool
	answer bool
}

func newQuestion() *question { return &question{turn: make(chan struct{}, 1)} }

// ask returns the answer. If the server does not give one, that is yes: the first request
// that needs the permission shows the reason.
func (q *question) ask(ctx context.Context, ask func() (bool, error)) bool {
	select {
	case q.turn <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	defer func() { <-q.turn }()
	if !q.asked {
		yes, err := ask()
		if ctx.Err() != nil {
			return false
		}
		q.asked, q.answer = true, yes || err != nil
	}
	return q.answer
}

// access returns what is known about the node. The caller must hold the lock.
func (n *nodeFiles) access(node string) *nodeAccess {
	a := n.nodes[node]
	if a == nil {
		a = &nodeAccess{allowed: newQuestion()}
		n.nodes[node] = a
	}
	return a
}

// usable reports whether the files of the node can be read, or may be. It asks for the
// permission if necessary.
func (n *nodeFiles) usable(ctx context.Context, node string) bool {
	n.mu.Lock()
	a := n.access(node)
	n.mu.Unlock()
	allowed := n.allowed.ask(ctx, func() (bool, error) { return n.client.mayProxy(ctx, "") }) ||
		a.allowed.ask(ctx, func() (bool, error) { return n.client.mayProxy(ctx, node) })
	if ctx.Err() != nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !allowed && !n.denied {
		n.denied = true
		n.report(fmt.Errorf("rotated log files are not read: you need permission to get nodes/proxy (%s); see: kubectl auth can-i get nodes/proxy", proxyImplies))
	}
	return allowed && !a.failed
}

func (n *nodeFiles) report(err error) {
	if n.missing != nil {
		n.missing(err)
	}
}

// fail reports why the files of a node cannot be read, once. A lasting error keeps
// further requests from the node.
func (n *nodeFiles) fail(node string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.access(node)
	if read, ok := errors.AsType[*ktail.ReadError](err); ok && read.Permanent {
		a.failed = true
	}
	if !a.reported {
		a.reported = true
		n.report(fmt.Errorf("rotated log files of node %s are not read: %w", node, err))
	}
}

// podFiles are the log files of one container. It implements podlog.Files.
type podFiles struct {
	nodes *nodeFiles
	node  string
	dir   string // below the log directory of the node, with a slash at the end
}

// Files implements podlog.API.
func (a *containerAPI) Files(ctx context.Context) podlog.Files {
	s := a.stream
	if a.files == nil || s.Node == "" || !a.files.usable(ctx, s.Node) {
		return nil
	}
	return &podFiles{a.files, s.Node, podLogs + s.Namespace + "_" + s.Pod + "_" + s.PodUID + "/" + s.Container + "/"}
}

// podLogs is the directory with the logs of all pods.
const podLogs = "pods/"

// List implements logfiles.Dir.
func (f *podFiles) List(ctx context.Context) ([]string, error) {
	names, err := f.list(ctx, f.dir)
	if !apierrors.IsNotFound(err) {
		return names, f.explain(err)
	}
	if _, err := f.list(ctx, podLogs); apierrors.IsNotFound(err) {
		return nil, &ktail.ReadError{Permanent: true,
			Err: errors.New("the kubelet does not serve the directory pods: its podLogsDir is not /var/log/pods")}
	} else if err != nil {
		return nil, f.explain(err)
	}
	return nil, fs.ErrNotExist
}

func (f *podFiles) list(ctx context.Context, dir string) ([]string, error) {
	reply, err := f.nodes.client.openNodeLog(ctx, f.node, dir, nil, 0)
	if err != nil {
		return nil, err
	}
	defer reply.Close() //nolint:errcheck // errors do not matter after reading
	const most = 4 << 20
	body, err := io.ReadAll(io.LimitReader(reply, most))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	names, ok := nodelog.ParseListing(body)
	if !ok {
		return nil, fmt.Errorf("list %s: the response is not the complete listing of a directory", dir)
	}
	return names, nil
}

// Open implements logfiles.Dir.
func (f *podFiles) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	reply, err := f.nodes.client.openNodeLog(ctx, f.node, f.dir+name, nil, offset)
	past, isPast := errors.AsType[*errPastEnd](err)
	switch {
	case isPast:
		return nil, &logfiles.PastEndError{Size: past.size}
	case apierrors.IsNotFound(err):
		return nil, fs.ErrNotExist
	case err != nil:
		return nil, f.explain(err)
	case offset == 0 || reply.partial:
		return reply, nil
	}
	// A proxy has removed the range.
	n, err := io.CopyN(io.Discard, reply, offset)
	if err == nil {
		return reply, nil
	}
	_ = reply.Close() // errors do not matter after reading
	if errors.Is(err, io.EOF) {
		return nil, &logfiles.PastEndError{Size: n}
	}
	return nil, fmt.Errorf("read %s: %w", name, err)
}

// explain qualifies an error of the log endpoint.
func (f *podFiles) explain(err error) error {
	if apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsMethodNotSupported(err) {
		return &ktail.ReadError{Permanent: true, Err: nodeLogError(err, f.node)}
	}
	return err
}

// defaultMaxFiles is the default of the kubelet's option containerLogMaxFiles.
const defaultMaxFiles = 5

// MaxFiles implements logfiles.Dir. It asks the kubelet until there is an answer.
func (f *podFiles) MaxFiles(ctx context.Context) int {
	f.nodes.mu.Lock()
	a := f.nodes.access(f.node)
	known := a.maxFiles
	f.nodes.mu.Unlock()
	if known > 0 {
		return known
	}
	n := defaultMaxFiles
	var config struct {
		Kubelet struct {
			MaxFiles int `json:"containerLogMaxFiles"`
		} `json:"kubeletconfig"`
	}
	body, err := rawBody(f.nodes.client.rest.Get().AbsPath("/api/v1/nodes/" + f.node + "/proxy/configz").MaxRetries(0).Do(ctx))
	var status apierrors.APIStatus
	switch {
	case err == nil && json.Unmarshal(body, &config) == nil && config.Kubelet.MaxFiles > 1:
		n = config.Kubelet.MaxFiles
	case err != nil && (!errors.As(err, &status) || status.Status().Code >= http.StatusInternalServerError || apierrors.IsTooManyRequests(err)):
		return n // the next call asks again
	}
	f.nodes.mu.Lock()
	defer f.nodes.mu.Unlock()
	a.maxFiles = n
	return n
}

// Failed implements podlog.Files.
func (f *podFiles) Failed(err error) { f.nodes.fail(f.node, err) }

// Now implements podlog.Files.
func (f *podFiles) Now() time.Time { return f.nodes.client.clock.when(time.Now()) }
