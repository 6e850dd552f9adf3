// Package transport connects to an API server in a way that saves CPU and
// memory when many logs are read at once. It handles requests, connections, and
// bytes; it does not interpret logs. Its concepts:
//
// A coalescingConn pauses between the reads of a busy connection, so that one
// read returns many small pieces. The logTransport gives each log an HTTP/2
// receive window: a wide one for the first logs, a smaller one for the others. A
// dialGate lets one request at a time dial, so that requests share connections.
//
// A credentialGate handles the failure of a credential plugin once for the
// whole client. A reloadingTransport follows the rotation of certificates.
// The time until a response starts is limited, except for followed logs, and each
// response is checked to come from an API server.
package transport

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	clienttransport "k8s.io/client-go/transport"
)

const (
	dialTimeout      = 10 * time.Second
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second

	// A connection that is silent for pingAfter gets an HTTP/2 ping, and is
	// closed if the response takes longer than pingTimeout. Without pings,
	// streams of quiet pods on a dead connection would never end.
	pingAfter   = 20 * time.Second
	pingTimeout = 15 * time.Second
)

// Options change how New connects. The zero value is the default.
type Options struct {
	// NoCoalescing reads every connection as soon as bytes arrive. It costs CPU. Use
	// it to check whether coalescing causes a problem with a connection.
	NoCoalescing bool

	// SlowPlugin, if set, is called once with an error that names the credential plugin
	// if it takes long at the start. Requests wait for it.
	SlowPlugin func(error)
}

// New returns two RoundTrippers for the server of cfg, with its credentials:
// one for logs and one for all other requests.
func New(cfg *rest.Config, o Options) (requests, logs http.RoundTripper, err error) {
	epoch := time.Now()
	var gate *credentialGate
	if cfg.ExecProvider != nil || cfg.AuthProvider != nil {
		home, _ := os.UserHomeDir() // without one, only the plugin's own files are checked
		gate = newCredentialGate(newLoginFiles(cfg.ExecProvider, home), pluginName(cfg), o.SlowPlugin)
	}
	wide, err := newTransport(cfg, o, wideWindow, epoch, gate)
	if err != nil {
		return nil, nil, fmt.Errorf("connect to %s: %w", cfg.Host, err)
	}
	// Most runs read few logs, and do not need the other transports.
	whenUsed := func(window int) http.RoundTripper {
		build := sync.OnceValues(func() (http.RoundTripper, error) { return newTransport(cfg, o, window, epoch, gate) })
		return roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			rt, err := build()
			if err != nil {
				return nil, fmt.Errorf("connect to %s: %w", cfg.Host, err)
			}
			return rt.RoundTrip(req)
		})
	}
	return wide, newLogTransport(wide, whenUsed(narrowWindow), whenUsed(slimWindow)), nil
}

// pluginName returns the name of the credential plugin in messages.
func pluginName(cfg *rest.Config) string {
	if cfg.ExecProvider != nil {
		return cfg.ExecProvider.Command
	}
	return cfg.AuthProvider.Name
}

// newTransport is like rest.TransportFor, but with ktail's own connections and
// HTTP/2 settings.
func newTransport(cfg *rest.Config, o Options, window int, epoch time.Time, gate *credentialGate) (http.RoundTripper, error) {
	connections, err := newReloadingTransport(cfg, func(cfg *rest.Config) (reloadable, error) {
		return newConnections(cfg, o, window, epoch)
	})
	if err != nil {
		return nil, err
	}
	tc, err := cfg.TransportConfig() // includes the credential plugin, if any
	if err != nil {
		return nil, err
	}
	if gate == nil {
		rt, err := clienttransport.HTTPWrappersForConfig(tc, bounded(connections))
		if err != nil {
			return nil, err
		}
		return checked(rt), nil
	}
	rt, err := clienttransport.HTTPWrappersForConfig(tc, gate.probe(bounded(connections)))
	if err != nil {
		return nil, err
	}
	return checked(gate.wrap(rt)), nil
}

// newConnections returns a transport that does not add credentials to requests.
func newConnections(cfg *rest.Config, o Options, window int, epoch time.Time) (reloadable, error) {
	tc, err := cfg.TransportConfig()
	if err != nil {
		return nil, err
	}
	tlsConfig, err := clienttransport.TLSConfigFor(tc)
	if err != nil {
		return nil, err
	}
	dial := (&net.Dialer{
		Timeout: dialTimeout,
		// Keep-alive probes replace pings for servers that do not speak HTTP/2.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: pingAfter, Interval: pingTimeout / 3, Count: 3},
	}).DialContext
	if tc.DialHolder != nil {
		dial = tc.DialHolder.Dial
	}
	if !o.NoCoalescing {
		dial = coalescing(dial, window, epoch)
	}
	proxy := http.ProxyFromEnvironment
	if tc.Proxy != nil {
		proxy = tc.Proxy
	}
	return newDialGate(&http.Transport{
		Proxy:               proxy,
		DialContext:         dial,
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: handshakeTimeout,
		IdleConnTimeout:     idleTimeout,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true, // the server does not compress logs
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: window,
			SendPingTimeout:           pingAfter,
			PingTimeout:               pingTimeout,
		},
	}), nil
}
