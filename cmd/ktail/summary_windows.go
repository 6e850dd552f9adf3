package main

import "context"

// onSummarySignal does nothing, because Windows has no such signal.
func onSummarySignal(context.Context, func()) {}
