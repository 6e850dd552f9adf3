//go:build !linux

package node

import "errors"

// newNotifier fails, because a notifier exists only for Linux, which nodes run.
func newNotifier() (notifier, error) { return nil, errors.ErrUnsupported }
