package main

import "context"

// onSummarySignal does nothing: Windows has no such signal.
func onSummarySignal(context.Context, func()) {}
