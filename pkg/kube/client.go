package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube/internal/corev1"
	"github.com/ktail/ktail/pkg/kube/internal/transport"
)

const (
	// maxOpening limits the requests for logs, and for the pods they belong to,
	// that were sent and have no response yet. The API server asks a kubelet
	// before it responds, and a thousand logs may be interrupted at the same
	// moment.
	maxOpening = 100
	// openingFor is how long a request without a response counts towards
	// maxOpening.
	openingFor = 200 * time.Millisecond
)

// Client talks to one API server.
type Client struct {
	Context   string // name of the kubeconfig context; empty in a pod
	Namespace string // the namespace of the context

	rest    *rest.RESTClient
	clock   *serverClock
	logs    *http.Client
	limiter flowcontrol.RateLimiter // nil: no limit; the API server has priority and fairness
	opening chan struct{}
}

// ClientOptions change how a client connects. The zero value is the default.
type ClientOptions struct {
	RateLimit RateLimit

	// NoReadCoalescing reads every connection as soon as bytes arrive, which costs
	// CPU. By default, a busy connection pauses for some milliseconds between reads.
	NoReadCoalescing bool

	// SlowPlugin, if set, is called once with an error that names the credential plugin
	// if it takes long at the start. Requests wait for it.
	SlowPlugin func(error)
}

// RateLimit limits the requests to one API server. A followed log counts as one
// request; client-go does not limit watches.
type RateLimit struct {
	QPS   float32 // requests per second; 0 or less: no limit
	Burst int     // requests allowed above QPS; 0: client-go's default
}

// Connect returns a client for the cluster that the kubeconfig selects. It does not
// send a request.
func Connect(config clientcmd.ClientConfig, o ClientOptions) (*Client, error) {
	raw, err := config.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	namespace, _, err := config.Namespace()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	cfg, err := config.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	return NewClient(cfg, raw.CurrentContext, namespace, o)
}

// NewClient returns a client for the server of cfg.
func NewClient(cfg *rest.Config, context, namespace string, o ClientOptions) (*Client, error) {
	cfg = rest.CopyConfig(cfg)
	scheme := runtime.NewScheme()
	corev1.AddToScheme(scheme)
	cfg.GroupVersion = &corev1.SchemeGroupVersion
	cfg.APIPath = "/api"
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	cfg.ContentType = runtime.ContentTypeProtobuf
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	cfg.QPS = -1 // no client-side limit: the API server has priority and fairness
	if limit := o.RateLimit; limit.QPS > 0 {
		burst := limit.Burst
		if burst <= 0 {
			burst = rest.DefaultBurst
		}
		cfg.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(limit.QPS, burst)
	}
	cfg.WarningHandler = rest.NoWarnings{}

	requests, logs, err := transport.New(cfg, transport.Options{NoCoalescing: o.NoReadCoalescing, SlowPlugin: o.SlowPlugin})
	if err != nil {
		return nil, err
	}
	clock := &serverClock{}
	rc, err := rest.RESTClientForConfigAndClient(cfg, &http.Client{
		Transport: clockedTransport{requests, clock}, CheckRedirect: transport.CheckRedirect})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cfg.Host, err)
	}
	return &Client{
		Context: context, Namespace: namespace,
		rest: rc, clock: clock, limiter: cfg.RateLimiter, opening: make(chan struct{}, maxOpening),
		logs: &http.Client{Transport: logs, CheckRedirect: transport.CheckRedirect},
	}, nil
}

// get returns the pod. It does not retry; the caller decides when to do so.
func (c *Client) get(ctx context.Context, namespace, pod string) (*corev1.Pod, error) {
	release, err := c.queueOpen(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var p corev1.Pod
	// queueOpen has waited for the limiter.
	err = c.rest.Get().Throttle(nil).Namespace(namespace).Resource("pods").Name(pod).MaxRetries(0).Do(ctx).Into(&p)
	return &p, err
}

// openLog opens a log. A response other than 200 is an apierrors.StatusError.
func (c *Client) openLog(ctx context.Context, namespace, pod string, options url.Values) (io.ReadCloser, error) {
	req := c.rest.Get().Namespace(namespace).Resource("pods").Name(pod).SubResource("log")
	for name, values := range options {
		req.Param(name, values[0])
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
	resp, err := c.logs.Do(hr)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close() //nolint:errcheck // errors do not matter after reading
		return nil, statusError(resp, "pods/log")
	}
	return resp.Body, nil
}

// queueOpen waits until a request for a log or a pod may be sent.
func (c *Client) queueOpen(ctx context.Context) (release func(), err error) {
	defer ktail.Pause(ctx)()
	select {
	case c.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.limiter != nil {
		if err := c.limiter.Wait(ctx); err != nil {
			<-c.opening
			return nil, err
		}
	}
	free := func() { <-c.opening }
	timer := time.AfterFunc(openingFor, free)
	return func() {
		if timer.Stop() {
			free()
		}
	}, nil
}

// statusError returns the error of package apierrors for a response other than 200 about
// the resource.
func statusError(resp *http.Response, resource string) error {
	const most = 64 << 10
	body, _ := io.ReadAll(io.LimitReader(resp.Body, most)) // without a body, the status code remains
	seconds, _ := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32)
	var status metav1.Status
	if json.Unmarshal(body, &status) == nil && status.Status == metav1.StatusFailure {
		if status.Details == nil && seconds > 0 {
			status.Details = &metav1.StatusDetails{}
		}
		if status.Details != nil && status.Details.RetryAfterSeconds == 0 {
			status.Details.RetryAfterSeconds = int32(seconds)
		}
		return apierrors.FromObject(&status)
	}
	return apierrors.NewGenericServerResponse(resp.StatusCode, "get", corev1.SchemeGroupVersion.WithResource(resource).GroupResource(), "",
		firstLine(body), int(seconds), true)
}
