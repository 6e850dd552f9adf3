package transport

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// reloadInterval is the time between two checks of certificate files.
const reloadInterval = 10 * time.Second

// reloadingTransport replaces its transport when the files of the certificate
// authority or of the client certificate change, so that a run of several
// months follows their rotation. Requests in flight are not affected.
type reloadingTransport struct {
	cfg   *rest.Config
	build func(*rest.Config) (reloadable, error)

	mu       sync.Mutex
	current  reloadable
	contents [][]byte
	checked  time.Time // zero: check the files before the next request
}

type reloadable interface {
	http.RoundTripper
	CloseIdleConnections()
}

// newReloadingTransport returns a transport that build creates. It is created
// again when the contents of the files named in the configuration change. build
// receives a configuration that has the contents in place of the names, so that
// a certificate and its key always belong together.
func newReloadingTransport(cfg *rest.Config, build func(*rest.Config) (reloadable, error)) (http.RoundTripper, error) {
	t := &reloadingTransport{cfg: cfg, build: build, checked: time.Now()}
	for _, f := range certificateFiles(cfg) {
		t.contents = append(t.contents, f.read())
	}
	var err error
	if t.current, err = t.rebuild(t.contents); err != nil {
		return nil, err
	}
	if len(t.contents) == 0 {
		return t.current, nil
	}
	return t, nil
}

// certificateFile is a file named in a configuration, and the field for its
// contents.
type certificateFile struct {
	name string
	data *[]byte
}

// certificateFiles returns the files whose contents are not in the
// configuration.
func certificateFiles(cfg *rest.Config) []certificateFile {
	var files []certificateFile
	for _, f := range []certificateFile{
		{cfg.CAFile, &cfg.CAData}, {cfg.CertFile, &cfg.CertData}, {cfg.KeyFile, &cfg.KeyData},
	} {
		if f.name != "" && len(*f.data) == 0 {
			files = append(files, f)
		}
	}
	return files
}

// read returns the contents of the file, or nil if they cannot be read.
func (f certificateFile) read() []byte {
	data, _ := os.ReadFile(f.name) // if data is nil, rebuild reports the error
	return data
}

// rebuild creates the transport for the given contents of the files.
func (t *reloadingTransport) rebuild(contents [][]byte) (reloadable, error) {
	cfg := rest.CopyConfig(t.cfg)
	for i, f := range certificateFiles(cfg) {
		*f.data = contents[i] // if it is nil, client-go reads the file and fails
	}
	return t.build(cfg)
}

// RoundTrip implements http.RoundTripper.
func (t *reloadingTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.transport().RoundTrip(req)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	if untrusted || err == nil && resp.StatusCode == http.StatusUnauthorized {
		t.mu.Lock()
		t.checked = time.Time{}
		t.mu.Unlock()
	}
	return resp, err
}

// transport returns the transport for the current contents of the files. While
// new contents are invalid, for example because only one of two files has been
// written, it returns the transport for the last valid contents.
func (t *reloadingTransport) transport() http.RoundTripper {
	t.mu.Lock()
	defer t.mu.Unlock()
	if time.Since(t.checked) < reloadInterval {
		return t.current
	}
	t.checked = time.Now()
	var contents [][]byte
	for _, f := range certificateFiles(t.cfg) {
		contents = append(contents, f.read())
	}
	if slices.EqualFunc(contents, t.contents, bytes.Equal) {
		return t.current
	}
	next, err := t.rebuild(contents)
	if err != nil {
		return t.current
	}
	t.current.CloseIdleConnections()
	t.current, t.contents = next, contents
	return t.current
}
