//go:build !linux

package node

import "errors"

// startNotifier fails, because a notifier exists only for Linux, which nodes run.
func startNotifier() (notifier, error) { return nil, errors.ErrUnsupported }
