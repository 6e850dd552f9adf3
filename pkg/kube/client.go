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

	"github.com/ktail/ktail/pkg/kube/internal/corev1"
	"github.com/ktail/ktail/pkg/kube/internal/transport"
)

const (
	// openAtOnce bounds how many requests for logs, and for the pods they are of,
	// are sent but not yet answered: the server asks a kubelet before it answers
	// with a log, and a thousand logs may break off in the same moment.
	openAtOnce = 100
	// openWait is how long a request without an answer counts as that.
	openWait = 200 * time.Millisecond
)

// Client talks to one API server.
type Client struct {
	Context   string // name of the kubeconfig context; empty in a pod
	Namespace string // the context's

	rest    *rest.RESTClient
	logs    *http.Client
	limiter flowcontrol.RateLimiter // nil: the server's own fairness is enough
	opening chan struct{}
}

// RateLimit bounds the requests to one API server. Watches and logs that go on
// count once.
type RateLimit struct {
	QPS   float32 // a second; 0 or less: no limit
	Burst int     // that many at once; 0: client-go's default
}

// Connect makes a client for what the kubeconfig says. It does not talk to the
// server yet.
func Connect(config clientcmd.ClientConfig, limit RateLimit) (*Client, error) {
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
	if limit.QPS > 0 {
		burst := limit.Burst
		if burst <= 0 {
			burst = rest.DefaultBurst
		}
		cfg.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(limit.QPS, burst)
	}
	return NewClient(cfg, raw.CurrentContext, namespace)
}

// NewClient makes a client for the server of cfg.
func NewClient(cfg *rest.Config, context, namespace string) (*Client, error) {
	cfg = rest.CopyConfig(cfg)
	scheme := runtime.NewScheme()
	corev1.AddToScheme(scheme)
	cfg.GroupVersion = &corev1.SchemeGroupVersion
	cfg.APIPath = "/api"
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	cfg.ContentType = runtime.ContentTypeProtobuf
	cfg.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	cfg.QPS = -1 // the server has its own fairness
	cfg.WarningHandler = rest.NoWarnings{}

	requests, logs, err := transport.New(cfg, transport.Options{})
	if err != nil {
		return nil, err
	}
	rc, err := rest.RESTClientForConfigAndClient(cfg, &http.Client{Transport: requests, CheckRedirect: transport.CheckRedirect})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", cfg.Host, err)
	}
	return &Client{
		Context: context, Namespace: namespace,
		rest: rc, logs: &http.Client{Transport: logs, CheckRedirect: transport.CheckRedirect}, limiter: cfg.RateLimiter, opening: make(chan struct{}, openAtOnce),
	}, nil
}

// get returns the pod as the server knows it now. It tries once: whoever reads
// the log knows when to try again.
func (c *Client) get(ctx context.Context, namespace, pod string) (*corev1.Pod, error) {
	release, err := c.queueOpen(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var p corev1.Pod
	err = c.rest.Get().Namespace(namespace).Resource("pods").Name(pod).MaxRetries(0).Do(ctx).Into(&p)
	return &p, err
}

// openLog opens a log. An answer other than 200 is an apierrors.StatusError.
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
		defer resp.Body.Close() //nolint:errcheck // it is only read from
		return nil, statusError(resp)
	}
	return resp.Body, nil
}

// queueOpen waits for its turn to ask for a log or for its pod.
func (c *Client) queueOpen(ctx context.Context) (release func(), err error) {
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
	timer := time.AfterFunc(openWait, free)
	return func() {
		if timer.Stop() {
			free()
		}
	}, nil
}

// statusError turns an answer other than 200 into the error that the API
// machinery knows.
func statusError(resp *http.Response) error {
	const most = 64 << 10
	body, _ := io.ReadAll(io.LimitReader(resp.Body, most)) // the status counts, whatever came of the body
	var status metav1.Status
	if json.Unmarshal(body, &status) == nil && status.Status == metav1.StatusFailure {
		if status.Details == nil || status.Details.RetryAfterSeconds == 0 {
			if seconds := retryAfter(resp); seconds > 0 {
				if status.Details == nil {
					status.Details = &metav1.StatusDetails{}
				}
				status.Details.RetryAfterSeconds = seconds
			}
		}
		return apierrors.FromObject(&status)
	}
	return apierrors.NewGenericServerResponse(resp.StatusCode, "get", corev1.SchemeGroupVersion.WithResource("pods/log").GroupResource(), "",
		firstLine(body), int(retryAfter(resp)), true)
}

func retryAfter(resp *http.Response) int32 {
	seconds, err := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 32)
	if err != nil || seconds < 0 {
		return 0
	}
	return int32(seconds)
}
