package fakesearch

import (
	"github.com/ktail/ktail/internal/faultserver"
)

// issue creates the authority and the certificates.
func (s *Server) issue() (err error) {
	if s.authority, err = faultserver.NewAuthority("fakesearch authority"); err != nil {
		return err
	}
	if s.server, err = s.authority.Issue("fakesearch"); err != nil {
		return err
	}
	s.client, err = s.authority.Issue("client")
	return err
}

// CA returns the certificate of the authority in PEM, or nil without TLS.
func (s *Server) CA() []byte {
	if s.authority == nil {
		return nil
	}
	return s.authority.PEM
}

// ClientCertificate returns a certificate that the server accepts, and its key, both in
// PEM.
func (s *Server) ClientCertificate() (cert, key []byte) { return s.client.Cert, s.client.Key }
