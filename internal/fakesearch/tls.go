package fakesearch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// authority is a private certificate authority with the certificates that it signed.
type authority struct {
	root       *x509.Certificate
	key        *ecdsa.PrivateKey
	server     tls.Certificate
	clientCert []byte // PEM
	clientKey  []byte // PEM
}

func newAuthority() (authority, error) {
	var a authority
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return a, fmt.Errorf("make key: %w", err)
	}
	a.key = key
	template := certificate(1, "fakesearch authority")
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return a, fmt.Errorf("make certificate: %w", err)
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		return a, fmt.Errorf("read certificate: %w", err)
	}

	template = certificate(2, "fakesearch")
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.IPAddresses, template.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost", "fakesearch"}
	cert, certKey, err := a.sign(template)
	if err != nil {
		return a, err
	}
	if a.server, err = tls.X509KeyPair(cert, certKey); err != nil {
		return a, fmt.Errorf("read certificate: %w", err)
	}

	template = certificate(3, "client")
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	a.clientCert, a.clientKey, err = a.sign(template)
	return a, err
}

// certificate returns a template that is valid whenever a test runs.
func certificate(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// sign creates a key and a certificate for it, both in PEM.
func (a *authority) sign(template *x509.Certificate) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key: %w", err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.root, private.Public(), a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

// CA returns the certificate of the authority in PEM, or nil without TLS.
func (s *Server) CA() []byte {
	if s.root == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.root.Raw})
}

// ClientCertificate returns a certificate that the server accepts, and its key, both in
// PEM.
func (s *Server) ClientCertificate() (cert, key []byte) { return s.clientCert, s.clientKey }
