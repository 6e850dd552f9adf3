package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// page measures the page of --web in Chromium. Its tests do so, because they have the
// browser driver.
func (b *bench) page(ctx context.Context, out *strings.Builder) error {
	dir, err := os.MkdirTemp("", "ktail-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	table := filepath.Join(dir, "page.md")
	cmd := exec.CommandContext(ctx, "./test/web.sh", "-run", "^TestPerformance_OfThePage$")
	cmd.Env = append(os.Environ(), "WEB_BENCH="+table)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, output)
	}
	text, err := os.ReadFile(table)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "`ktail web --web`, with lines like those of a shop, in Chromium without a GPU on the same machine. Percentages are of one core. Lines and searches are those of one run.\n\n%s", text)
	return nil
}
