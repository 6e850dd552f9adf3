package fakeapi

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
)

// Kubeconfig returns the YAML of a kubeconfig with one context, of namespace
// default, for this server.
func (s *Server) Kubeconfig() []byte {
	var b strings.Builder
	name := s.opts.Context
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Config\ncurrent-context: %q\n", name)
	fmt.Fprintf(&b, "clusters:\n- name: %q\n  cluster:\n    server: %s\n", name, s.url)
	if s.ca != nil {
		fmt.Fprintf(&b, "    certificate-authority-data: %s\n", base64.StdEncoding.EncodeToString(s.ca))
	}
	fmt.Fprintf(&b, "users:\n- name: %q\n  user:\n    token: fake\n", name)
	fmt.Fprintf(&b, "contexts:\n- name: %q\n  context:\n    cluster: %q\n    user: %q\n    namespace: default\n", name, name, name)
	return []byte(b.String())
}

// WriteKubeconfig writes the kubeconfig to a file, for its owner only.
func (s *Server) WriteKubeconfig(path string) error {
	if err := os.WriteFile(path, s.Kubeconfig(), 0o600); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}
