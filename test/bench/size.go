package main

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"strings"
)

// size prints the sizes of the programs.
func (b *bench) size(_ context.Context, out *strings.Builder) error {
	fmt.Fprintln(out, "| program | MB |\n|---|---|")
	for _, path := range []string{b.ktail, b.stern} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		f, err := elf.Open(path)
		if err != nil {
			return err
		}
		what := "stripped"
		if f.Section(".symtab") != nil {
			what = "not stripped"
		}
		if err := f.Close(); err != nil {
			return err
		}
		name, _, _ := strings.Cut(info.Name(), "-")
		fmt.Fprintf(out, "| %s, %s | %.1f |\n", name, what, float64(info.Size())/1e6)
	}
	return nil
}
