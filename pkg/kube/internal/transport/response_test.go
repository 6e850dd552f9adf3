package transport

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func get(t *testing.T, rt http.RoundTripper, url string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return rt.RoundTrip(req)
}

// silent accepts requests and never responds.
var silent = roundTripperFunc(func(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
})

func TestHeaderTimeout_EveryRequestButAFollowedLog(t *testing.T) {
	for _, tt := range []struct {
		name, url string
		most      time.Duration
	}{
		{"log", "https://server/api/v1/namespaces/a/pods/b/log?container=c", 30 * time.Second},
		{"previous log", "https://server/api/v1/namespaces/a/pods/b/log?previous=true", 30 * time.Second},
		{"pod", "https://server/api/v1/namespaces/a/pods/b", 30 * time.Second},
		{"list", "https://server/api/v1/pods?limit=500&resourceVersion=0", 65 * time.Second},
		{"watch", "https://server/api/v1/pods?resourceVersion=1&watch=true", 30 * time.Second},
		{"discovery", "https://server/apis", 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				_, err := get(t, bounded(silent), tt.url)
				if timeout, ok := errors.AsType[*TimeoutError](err); !ok || !timeout.Timeout() {
					t.Errorf("error %v, want a TimeoutError", err)
				}
				if took := time.Since(began); took != tt.most {
					t.Errorf("took %v, want %v", took, tt.most)
				}
			})
		})
	}
	t.Run("followed log", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			const later = 24 * time.Hour
			rt := bounded(roundTripperFunc(func(req *http.Request) (*http.Response, error) {
				select {
				case <-time.After(later): // the time of the log's first line
					return &http.Response{Body: http.NoBody, Header: http.Header{}}, nil
				case <-req.Context().Done():
					return nil, req.Context().Err()
				}
			}))
			if _, err := get(t, rt, "https://server/api/v1/namespaces/a/pods/b/log?follow=true"); err != nil {
				t.Errorf("a quiet log: %v", err)
			}
		})
	})
}

// The timeout applies to the header. A body may take any time.
func TestHeaderTimeout_DoesNotLimitTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		rt := bounded(roundTripperFunc(func(req *http.Request) (*http.Response, error) {
			go func() {
				select {
				case <-time.After(time.Hour):
					_, _ = io.WriteString(w, "line\n")
					_ = w.Close()
				case <-req.Context().Done():
					_ = w.CloseWithError(req.Context().Err())
				}
			}()
			return &http.Response{Body: r, Header: http.Header{}}, nil
		}))
		resp, err := get(t, rt, "https://server/api/v1/namespaces/a/pods/b/log")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close() //nolint:errcheck // errors do not matter after reading
		if body, err := io.ReadAll(resp.Body); string(body) != "line\n" || err != nil {
			t.Errorf("body %q, %v", body, err)
		}
	})
}

func TestRetryAfter_IsBounded(t *testing.T) {
	for in, want := range map[string]string{
		"":                              "",
		"1":                             "1",
		"86400":                         "30",
		"99999999999999999999999999999": "30",
		"9223372036854775807":           "30",
		"-5":                            "0",
		"-99999999999999999999999999":   "",
		"Fri, 31 Dec 9999 23:59:59 GMT": "30",
		"Thu, 01 Jan 1970 00:00:00 GMT": "0",
		"soon":                          "",
	} {
		header := http.Header{}
		if in != "" {
			header.Set("Retry-After", in)
		}
		boundRetryAfter(header)
		if got := header.Get("Retry-After"); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func TestResponse_FromAnotherServerIsAnError(t *testing.T) {
	for _, tt := range []struct {
		name    string
		handler http.HandlerFunc
		want    string // part of the error; empty: none
	}{
		{"login page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "<html><head><title>\n Sign  in </title></head>")
		}, `answered with a web page ("Sign in") in place of the Kubernetes API; log in again`},
		{"error page of a load balancer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<title>502 Bad Gateway</title>")
		}, `answered with a web page ("502 Bad Gateway"), status 502, in place of the Kubernetes API`},
		{"log that contains HTML", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "<html>")
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.handler)
			defer server.Close()
			resp, err := get(t, checked(http.DefaultTransport), server.URL)
			if err == nil {
				_ = resp.Body.Close()
			}
			if tt.want == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestPlainHTTPToTLSPort_NamesTheCause(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	url := "http" + strings.TrimPrefix(server.URL, "https")
	resp, err := get(t, checked(http.DefaultTransport), url)
	if err == nil {
		_ = resp.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "speaks TLS: use "+server.URL) {
		t.Errorf("error %v, want the address with https", err)
	}
	reset := roundTripperFunc(func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNRESET })
	if _, err := get(t, checked(reset), url); err == nil || !strings.Contains(err.Error(), "use https://") {
		t.Errorf("error %v, want a hint about https", err)
	}
}

func TestRedirect_ToAnotherServerIsRefused(t *testing.T) {
	stolen := ""
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stolen = r.Header.Get("Authorization")
	}))
	defer thief.Close()
	target := thief.URL
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			return
		}
		http.Redirect(w, r, target, http.StatusFound)
	}))
	defer server.Close()
	client := &http.Client{CheckRedirect: CheckRedirect, Transport: roundTripperFunc(func(req *http.Request) (*http.Response, error) {
		req.Header.Set("Authorization", "Bearer secret") // client-go adds credentials for any host
		return http.DefaultTransport.RoundTrip(req)
	})}
	resp, err := client.Get(server.URL)
	if err == nil {
		_ = resp.Body.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "redirects to "+thief.URL) || stolen != "" {
		t.Errorf("error %v, the other server got %q", err, stolen)
	}
	target = "/elsewhere"
	resp, err = client.Get(server.URL)
	if err != nil {
		t.Fatalf("a redirect to the same server: %v", err)
	}
	_ = resp.Body.Close()
}
