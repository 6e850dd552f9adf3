package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ktail/ktail/pkg/elastic"
)

// readCredentials returns a function that reads credentials and certificates
// each time it is called, because files with secrets change: Kubernetes rotates
// tokens, and certificates expire. auth holds the credentials in the addresses
// of the servers.
func (o *elasticOptions) readCredentials(auth elastic.Auth, env func(string) (string, bool)) func() (elastic.Credentials, error) {
	flags := *o
	flags.auth = auth
	var last tlsFiles
	var config *tls.Config
	return func() (elastic.Credentials, error) {
		auth, err := flags.credentials(env)
		if err != nil {
			return elastic.Credentials{}, err
		}
		files, err := flags.readTLSFiles()
		if err != nil {
			return elastic.Credentials{}, err
		}
		if config == nil || !files.equal(&last) {
			if config, err = files.config(o.insecure); err != nil {
				return elastic.Credentials{}, err
			}
			last = files
		}
		return elastic.Credentials{Auth: auth, TLS: config}, nil
	}
}

// warnCredentials warns about credentials that others may read or intercept.
func (o *elasticOptions) warnCredentials(auth elastic.Auth, name string, printf func(string, ...any)) {
	if o.insecure {
		printf("warning: the certificate of %s is not verified", name)
	}
	for _, n := range o.nodes {
		if n.Scheme == "http" && auth != (elastic.Auth{}) {
			printf("warning: credentials for Elasticsearch at %s are sent without encryption; use https", n.Host)
			return
		}
	}
}

// credentials returns the credentials for Elasticsearch. Secrets come only from
// files and the environment, because every user of the machine can see the
// arguments of a process.
func (o *elasticOptions) credentials(env func(string) (string, bool)) (elastic.Auth, error) {
	auth := o.auth
	if o.user != "" {
		auth.User = o.user
	}
	password, ok, err := secret(env, "ELASTICSEARCH_PASSWORD", o.passwordFile)
	if err != nil {
		return auth, err
	}
	if ok && auth.User != "" {
		auth.Password = password
	}
	if auth.APIKey, _, err = secret(env, "ELASTICSEARCH_API_KEY", o.apiKeyFile); err != nil {
		return auth, err
	}
	if strings.Contains(auth.APIKey, ":") { // ID:KEY, not yet encoded
		auth.APIKey = base64.StdEncoding.EncodeToString([]byte(auth.APIKey))
	}
	if auth.Bearer, _, err = secret(env, "ELASTICSEARCH_TOKEN", o.tokenFile); err != nil {
		return auth, err
	}
	switch {
	case o.user != "" && auth.Password == "" && o.apiKeyFile == "" && o.tokenFile == "":
		return auth, errors.New("--elasticsearch-user requires a password: set --elasticsearch-password-file or $ELASTICSEARCH_PASSWORD")
	case ok && auth.User == "" && auth.APIKey == "" && auth.Bearer == "":
		return auth, fmt.Errorf("%s requires a user name: set --elasticsearch-user", o.passwordSource())
	}
	// A credential selected by a flag takes precedence over one in the environment.
	switch {
	case o.apiKeyFile != "":
	case o.tokenFile != "":
		auth.APIKey = ""
	case o.user != "":
		auth.APIKey, auth.Bearer = "", ""
	}
	return auth, nil
}

// passwordSource returns the flag or the variable that the password comes from.
func (o *elasticOptions) passwordSource() string {
	if o.passwordFile != "" {
		return "--elasticsearch-password-file"
	}
	return "$ELASTICSEARCH_PASSWORD"
}

// secret returns the content of the file, which must be one line, or, if path is empty,
// the value of the variable.
func secret(env func(string) (string, bool), name, path string) (string, bool, error) {
	if path == "" {
		value, ok := env(name)
		if strings.ContainsAny(value, "\r\n") {
			return "", false, fmt.Errorf("read secret: $%s has more than one line; it must contain only the secret", name)
		}
		return value, ok && value != "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", false, fmt.Errorf("read secret: %w", err)
	}
	value := strings.TrimSpace(string(b))
	if value == "" {
		return "", false, fmt.Errorf("read secret: %s is empty", path) // maybe it is being written
	}
	if strings.ContainsAny(value, "\r\n") {
		return "", false, fmt.Errorf("read secret: %s has more than one line; it must contain only the secret", path)
	}
	return value, true, nil
}

// tlsFiles holds the contents of the files that the flags name; nil means no
// file.
type tlsFiles struct{ ca, cert, key []byte }

func (f *tlsFiles) equal(o *tlsFiles) bool {
	return bytes.Equal(f.ca, o.ca) && bytes.Equal(f.cert, o.cert) && bytes.Equal(f.key, o.key)
}

func (o *elasticOptions) readTLSFiles() (f tlsFiles, err error) {
	for _, file := range []struct {
		flag, path string
		into       *[]byte
	}{
		{"--elasticsearch-ca", o.ca, &f.ca},
		{"--elasticsearch-cert", o.cert, &f.cert},
		{"--elasticsearch-key", o.key, &f.key},
	} {
		if file.path == "" {
			continue
		}
		if *file.into, err = os.ReadFile(file.path); err != nil {
			return f, fmt.Errorf("invalid %s: %w", file.flag, err)
		}
		if file.flag == "--elasticsearch-ca" && !x509.NewCertPool().AppendCertsFromPEM(f.ca) {
			return f, fmt.Errorf("invalid --elasticsearch-ca: %s contains no certificate in PEM format", o.ca)
		}
	}
	return f, nil
}

// config returns the TLS configuration with the files.
func (f *tlsFiles) config(insecure bool) (*tls.Config, error) {
	config := &tls.Config{InsecureSkipVerify: insecure}
	if f.ca != nil {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(f.ca)
	}
	if f.cert != nil {
		pair, err := tls.X509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, fmt.Errorf("invalid --elasticsearch-cert: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
