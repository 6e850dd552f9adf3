package web

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ktail/ktail/pkg/text"
)

// DefaultPort is the port of the page unless the user chooses another one.
const DefaultPort = "7477"

// Options of a Server.
type Options struct {
	// Sink has the lines.
	Sink *Sink
	// Token is the secret of the page; empty for a random one.
	Token string
	// Title describes the selection, such as "deploy/web -n shop".
	Title string
	// Version of ktail.
	Version string
	// Pods returns the state of the pods, or nil if it is not known. It is called
	// while a page is open, about once a second. It may be nil.
	Pods func() *Pods
}

// Server answers the requests of the page.
type Server struct {
	o     Options
	sink  *Sink
	epoch string // of this run
	token string
	views views
	polls chan struct{} // has an element for each poll that is held
	ticks tickets
}

// New returns a server. It serves nothing yet.
func New(o Options) *Server {
	token := cmp.Or(o.Token, newToken())
	return &Server{o: o, sink: o.Sink, epoch: newToken()[:11], token: token, polls: make(chan struct{}, maxPolls)}
}

// URL returns the address of the page on the listener, with the token in its
// fragment.
func (s *Server) URL(l net.Listener) string {
	return fmt.Sprintf("http://%s/#k=%s", l.Addr(), url.QueryEscape(s.token))
}

// Listen opens the address of the page. It has the form HOST:PORT, :PORT or HOST; an
// empty one is the default port of the loopback interface or, if that is in use, a
// free one. Only loopback addresses are allowed.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	host, port, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil && address == "" {
		l, err = config.Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	}
	return l, err
}

func splitAddress(address string) (host, port string, err error) {
	const loopback = "127.0.0.1"
	if address == "" {
		return loopback, DefaultPort, nil
	}
	host, port, err = net.SplitHostPort(address)
	if err != nil {
		host, port = strings.Trim(address, "[]"), DefaultPort
	}
	switch {
	case host == "" || host == "localhost":
		return loopback, port, nil
	case net.ParseIP(host) == nil:
		return "", "", fmt.Errorf("must be an address such as :%s or 127.0.0.1:%s", DefaultPort, DefaultPort)
	case !net.ParseIP(host).IsLoopback():
		return "", "", fmt.Errorf("must be a loopback address such as :%s; to reach the page from another machine, use ssh -L or kubectl port-forward", DefaultPort)
	}
	return host, port, nil
}

// CheckAddress returns an error if Listen does not allow the address.
func CheckAddress(address string) error {
	_, _, err := splitAddress(address)
	return err
}

const (
	maxConns  = 32
	maxHeader = 16 << 10
	maxBody   = 64 << 10
	// answerTimeout bounds how long an answer may take to write, apart from
	// downloads, which go on as long as the client reads.
	answerTimeout = 30 * time.Second
)

// Serve answers requests until ctx ends.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: answerTimeout, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(limitConns(l, maxConns))
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Handler returns the handler of all requests.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for path, handle := range map[string]func(*http.Request) (any, error){
		"GET /api/live":   s.live,
		"GET /api/lines":  s.lines,
		"GET /api/where":  s.where,
		"GET /api/marks":  s.marks,
		"GET /api/hist":   s.histogram,
		"GET /api/line":   s.line,
		"GET /api/fields": s.fieldNames,
		"GET /api/pods":   s.pods,
		"POST /api/ticket": func(*http.Request) (any, error) {
			return map[string]string{"ticket": s.ticks.issue(time.Now())}, nil
		},
	} {
		mux.HandleFunc(path, answer(handle))
	}
	mux.HandleFunc("GET "+downloadPath, s.download)
	mux.Handle("GET /", newFiles())
	return newGuard(s.token, http.MaxBytesHandler(mux, maxBody))
}

// badRequest is an error of the client.
type badRequest struct{ error }

// answer returns a handler that sends the result as JSON.
func answer(handle func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		result, err := handle(r)
		status := http.StatusOK
		if err != nil {
			status = http.StatusInternalServerError
			if _, ok := errors.AsType[badRequest](err); ok {
				status = http.StatusBadRequest
			}
			result = map[string]string{"error": text.SanitizeLine(err.Error())}
		}
		body, err := json.Marshal(result)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(body) // the client is gone
	}
}

// number returns a parameter that is a whole number, between least and most.
func number(params url.Values, name string, fallback, least, most int64) (int64, error) {
	value := params.Get(name)
	if value == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, badRequest{fmt.Errorf("invalid %s: must be a whole number", name)}
	}
	return min(max(n, least), most), nil
}
