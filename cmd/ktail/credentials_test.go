package main

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ktail/ktail/internal/fakesearch"
	"github.com/ktail/ktail/pkg/elastic"
)

// noEnv is an empty environment.
func noEnv(string) (string, bool) { return "", false }

// A certificate, its key, and the certificate authority are replaced while ktail runs:
// cert-manager and the kubelet rewrite the files.
func TestReadCredentials_ReadsCertificatesAgain(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	var server *fakesearch.Server
	install := func() { // a new server has a new authority
		t.Helper()
		s, err := fakesearch.Start(fakesearch.Options{TLS: true, ClientCertificates: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		cert, key := s.ClientCertificate()
		for name, content := range map[string][]byte{"ca": s.CA(), "cert": cert, "key": key} {
			if err := os.WriteFile(path(name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		server = s
	}
	install()
	o := elasticOptions{ca: path("ca"), cert: path("cert"), key: path("key")}
	read := o.readCredentials(elastic.Auth{}, noEnv)
	works := func(config *tls.Config) error {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
		defer client.CloseIdleConnections()
		resp, err := client.Get(server.URL())
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}
	first, err := read()
	if err != nil {
		t.Fatal(err)
	}
	if err := works(first.TLS); err != nil {
		t.Fatal(err)
	}
	if again, err := read(); err != nil || again.TLS != first.TLS {
		t.Errorf("unchanged files: another configuration, %v", err)
	}

	install()
	if err := works(first.TLS); err == nil {
		t.Fatal("the old certificates still work")
	}
	second, err := read()
	if err != nil {
		t.Fatal(err)
	}
	if err := works(second.TLS); err != nil {
		t.Errorf("after the files were replaced: %v", err)
	}

	// A certificate that is replaced before its key does not match it yet.
	key, err := os.ReadFile(path("key"))
	if err != nil {
		t.Fatal(err)
	}
	install()
	replaced, err := os.ReadFile(path("key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, half := range [][]byte{key, replaced[:len(replaced)/2], nil} {
		if err := os.WriteFile(path("key"), half, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read(); err == nil || !strings.Contains(err.Error(), "--elasticsearch-cert") {
			t.Errorf("a key of %d bytes that does not match the certificate: %v", len(half), err)
		}
	}
	if err := os.WriteFile(path("key"), replaced, 0o600); err != nil {
		t.Fatal(err)
	}
	third, err := read()
	if err != nil {
		t.Fatal(err)
	}
	if err := works(third.TLS); err != nil {
		t.Errorf("after both files were replaced: %v", err)
	}
	if err := os.WriteFile(path("ca"), []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); err == nil || !strings.Contains(err.Error(), "--elasticsearch-ca") {
		t.Errorf("an authority without a certificate: %v", err)
	}
}

// A secret is rotated: the kubelet replaces a symbolic link, other programs truncate the
// file before they write it. An empty secret is an error, so that the caller keeps the
// previous one; without it, requests would be sent without credentials.
func TestReadCredentials_ReadsRotatedSecrets(t *testing.T) {
	dir := t.TempDir()
	mount := func(version, token string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, version, "token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(version, filepath.Join(dir, "..new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..new"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	o := elasticOptions{tokenFile: filepath.Join(dir, "..data", "token")}
	read := o.readCredentials(elastic.Auth{}, noEnv)
	for _, tt := range []struct {
		version, content, want string // want is empty: an error
	}{
		{"..1", "one\n", "one"},
		{"..2", "two", "two"},
		{"..3", "", ""},
		{"..4", " \n", ""},
		{"..5", "five\r\n", "five"},
	} {
		mount(tt.version, tt.content)
		got, err := read()
		if got.Auth.Bearer != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: got %q, %v, want %q", tt.version, got.Auth.Bearer, err, tt.want)
		}
	}
	if err := os.Remove(filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	if _, err := read(); err == nil {
		t.Error("no error although the file is missing")
	}
}

func TestWarnCredentials_WarnsAboutUnencryptedCredentials(t *testing.T) {
	tests := []struct {
		name  string
		nodes []string
		auth  elastic.Auth
		want  string // host in the warning; empty: no warning
	}{
		{"no credentials", []string{"http://es:9200"}, elastic.Auth{}, ""},
		{"https", []string{"https://es:9200"}, elastic.Auth{User: "u", Password: "secret"}, ""},
		{"password", []string{"http://es:9200"}, elastic.Auth{User: "u", Password: "secret"}, "es:9200"},
		{"API key", []string{"http://es:9200"}, elastic.Auth{APIKey: "secret"}, "es:9200"},
		{"token", []string{"http://es:9200"}, elastic.Auth{Bearer: "secret"}, "es:9200"},
		{"one node of several", []string{"https://a:9200", "http://b:9200", "http://c:9200"}, elastic.Auth{APIKey: "secret"}, "b:9200"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := elasticOptions{}
			for _, n := range tt.nodes {
				u, err := url.Parse(n)
				if err != nil {
					t.Fatal(err)
				}
				o.nodes = append(o.nodes, u)
			}
			var got []string
			o.warnCredentials(tt.auth, "Elasticsearch", func(format string, args ...any) { got = append(got, fmt.Sprintf(format, args...)) })
			switch {
			case tt.want == "" && len(got) > 0:
				t.Errorf("warned: %q", got)
			case tt.want != "" && (len(got) != 1 || !strings.Contains(got[0], "without encryption") || !strings.Contains(got[0], tt.want)):
				t.Errorf("warnings are %q, want one about %s", got, tt.want)
			case strings.Contains(strings.Join(got, ""), "secret"):
				t.Errorf("the warning contains the secret: %q", got)
			}
		})
	}
}
