package main

import (
	"crypto/x509"
	"os"
	"runtime"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// systemRoots are the files and directories in which crypto/x509 looks for the CA
// certificates of a Unix system other than macOS.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
	"/etc/ssl/certs",
	"/etc/pki/tls/certs",
}

// addFallbackRoots makes the program trust the CA certificates that browsers trust if
// the system has none, such as the container image. Parsing them takes a tenth of the
// time that it takes to show one line, so it is not done otherwise.
func addFallbackRoots() error {
	if runtime.GOOS != "linux" || hasRoots(systemRoots) {
		return nil
	}
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			return err
		}
		if root.Constraint == nil {
			pool.AddCert(cert)
		} else {
			pool.AddCertWithConstraint(cert, root.Constraint)
		}
	}
	x509.SetFallbackRoots(pool)
	return nil
}

// hasRoots reports whether one of the paths is a file that is not empty, or a
// directory that is not, or the user has named others.
func hasRoots(paths []string) bool {
	if os.Getenv("SSL_CERT_FILE") != "" || os.Getenv("SSL_CERT_DIR") != "" {
		return true
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		if !info.IsDir() {
			if info.Size() > 0 {
				return true
			}
			continue
		}
		if entries, err := os.ReadDir(path); err == nil && len(entries) > 0 {
			return true
		}
	}
	return false
}
