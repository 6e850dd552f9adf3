package metrics

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/exporter-toolkit/web"
)

// CheckWebConfig returns what is wrong with a web config file: the file with TLS and
// users that all exporters of Prometheus take.
// https://github.com/prometheus/exporter-toolkit/blob/v0.20.0/docs/web-configuration.md
func CheckWebConfig(path string) error {
	if err := web.Validate(path); err != nil {
		return fmt.Errorf("web config file %s: %w", path, err)
	}
	return nil
}

// Serve serves HTTP requests until the server is closed, with the TLS and the users
// of the web config file, which is read again for each connection.
func Serve(l net.Listener, server *http.Server, webConfig string) error {
	addresses, systemd := []string{l.Addr().String()}, false
	flags := &web.FlagConfig{WebListenAddresses: &addresses, WebSystemdSocket: &systemd, WebConfigFile: &webConfig}
	err := web.Serve(l, server, flags, slog.New(slog.DiscardHandler))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
