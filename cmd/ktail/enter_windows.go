package main

import (
	"bufio"
	"context"
	"os"
)

// awaitEnter returns a function that calls its argument for each Enter on the
// console, until its context ends. A read cannot be interrupted, so a goroutine stays
// behind until the next Enter.
func awaitEnter(console *os.File) func(context.Context, func()) {
	return func(ctx context.Context, pressed func()) {
		lines := bufio.NewScanner(console)
		for lines.Scan() && ctx.Err() == nil {
			pressed()
		}
	}
}
