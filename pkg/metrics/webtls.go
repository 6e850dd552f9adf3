package metrics

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// webTLS is the part of the web config file about TLS.
type webTLS struct {
	Cert         string   `yaml:"cert"` // PEM, as are the next two
	Key          string   `yaml:"key"`
	ClientCA     string   `yaml:"client_ca"`
	CertFile     string   `yaml:"cert_file"`
	KeyFile      string   `yaml:"key_file"`
	ClientCAFile string   `yaml:"client_ca_file"`
	ClientAuth   string   `yaml:"client_auth_type"`
	ClientSANs   []string `yaml:"client_allowed_sans"` // nil: all
	Ciphers      []string `yaml:"cipher_suites"`
	Curves       []string `yaml:"curve_preferences"`
	MinVersion   string   `yaml:"min_version"`
	MaxVersion   string   `yaml:"max_version"`
	PreferServer *bool    `yaml:"prefer_server_cipher_suites"` // has no effect since Go 1.17
}

var (
	clientAuthTypes = map[string]tls.ClientAuthType{
		"": tls.NoClientCert, "NoClientCert": tls.NoClientCert, "RequestClientCert": tls.RequestClientCert,
		"RequireAnyClientCert": tls.RequireAnyClientCert, "RequireClientCert": tls.RequireAnyClientCert,
		"VerifyClientCertIfGiven": tls.VerifyClientCertIfGiven, "RequireAndVerifyClientCert": tls.RequireAndVerifyClientCert,
	}
	tlsVersions = map[string]uint16{"TLS12": tls.VersionTLS12, "TLS13": tls.VersionTLS13}
	tlsCurves   = map[string]tls.CurveID{"CurveP256": tls.CurveP256, "CurveP384": tls.CurveP384, "CurveP521": tls.CurveP521, "X25519": tls.X25519}
)

// setDirectory makes relative paths relative to the directory of the file.
func (c *webTLS) setDirectory(dir string) {
	for _, file := range []*string{&c.CertFile, &c.KeyFile, &c.ClientCAFile} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(dir, *file)
		}
	}
}

// enabled reports whether the file says anything about TLS.
func (c *webTLS) enabled() bool {
	return c.CertFile != "" || c.KeyFile != "" || c.Cert != "" || c.Key != "" || c.ClientCAFile != "" || c.ClientCA != "" || c.ClientAuth != ""
}

// read returns the content of the file, or the text without one.
func read(file, text string) ([]byte, error) {
	if file == "" {
		return []byte(text), nil
	}
	return os.ReadFile(file)
}

// config reads the certificates, and returns the configuration.
func (c *webTLS) config() (*tls.Config, error) {
	if c.CertFile == "" && c.Cert == "" || c.KeyFile == "" && c.Key == "" {
		return nil, errors.New("cert_file and key_file are required, or cert and key")
	}
	certPEM, err := read(c.CertFile, c.Cert)
	if err != nil {
		return nil, err
	}
	keyPEM, err := read(c.KeyFile, c.Key)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	t := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS13}
	for _, set := range []func(*tls.Config) error{c.setVersions, c.setSuites, c.setClients} {
		if err := set(t); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (c *webTLS) setVersions(t *tls.Config) error {
	for _, v := range []struct {
		key, text string
		to        *uint16
	}{{"min_version", c.MinVersion, &t.MinVersion}, {"max_version", c.MaxVersion, &t.MaxVersion}} {
		if v.text == "" {
			continue
		}
		version, ok := tlsVersions[v.text]
		if !ok {
			return fmt.Errorf("%s: %q is not supported; write TLS12 or TLS13", v.key, v.text)
		}
		*v.to = version
	}
	if t.MinVersion > t.MaxVersion {
		return errors.New("min_version is above max_version")
	}
	return nil
}

func (c *webTLS) setSuites(t *tls.Config) error {
	for _, name := range c.Ciphers {
		i := slices.IndexFunc(tls.CipherSuites(), func(s *tls.CipherSuite) bool { return s.Name == name })
		if i < 0 {
			return fmt.Errorf("cipher_suites: unknown or insecure cipher suite %q; write one such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", name)
		}
		t.CipherSuites = append(t.CipherSuites, tls.CipherSuites()[i].ID)
	}
	for _, name := range c.Curves {
		curve, ok := tlsCurves[name]
		if !ok {
			return fmt.Errorf("curve_preferences: unknown curve %q; write CurveP256, CurveP384, CurveP521, or X25519", name)
		}
		t.CurvePreferences = append(t.CurvePreferences, curve)
	}
	return nil
}

// setClients sets which clients may connect.
func (c *webTLS) setClients(t *tls.Config) error {
	auth, ok := clientAuthTypes[c.ClientAuth]
	hasCA := c.ClientCAFile != "" || c.ClientCA != ""
	switch {
	case !ok:
		return fmt.Errorf("client_auth_type: unknown value %q; write RequireAndVerifyClientCert", c.ClientAuth)
	case hasCA && auth == tls.NoClientCert:
		return errors.New("client_ca_file requires client_auth_type; write client_auth_type: RequireAndVerifyClientCert")
	case !hasCA && auth == tls.RequireAndVerifyClientCert:
		return errors.New("client_auth_type requires client_ca_file; otherwise a certificate of any public authority would do")
	case c.ClientSANs != nil && auth < tls.VerifyClientCertIfGiven:
		return errors.New("client_allowed_sans requires client_auth_type: RequireAndVerifyClientCert; otherwise names are not verified")
	}
	t.ClientAuth = auth
	if c.ClientSANs != nil {
		t.VerifyConnection = c.verifyName // also called for a session that is resumed
	}
	if !hasCA {
		return nil
	}
	pem, err := read(c.ClientCAFile, c.ClientCA)
	if err != nil {
		return err
	}
	t.ClientCAs = x509.NewCertPool()
	if !t.ClientCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s has no certificate", cmp.Or(c.ClientCAFile, "client_ca"))
	}
	return nil
}

// verifyName rejects a client whose certificate has none of the allowed names.
func (c *webTLS) verifyName(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 { // allowed by client_auth_type
		return nil
	}
	cert := s.PeerCertificates[0]
	names := slices.Concat(cert.DNSNames, cert.EmailAddresses)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	for _, uri := range cert.URIs {
		names = append(names, uri.String())
	}
	if !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(c.ClientSANs, name) }) {
		return errors.New("the certificate of the client has none of the allowed names")
	}
	return nil
}
