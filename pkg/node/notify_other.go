//go:build !linux

package node

import "errors"

// newNotifier fails: there is one for Linux only, which nodes run.
func newNotifier() (notifier, error) { return nil, errors.ErrUnsupported }
