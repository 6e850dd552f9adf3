package main

import (
	"bufio"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// report holds the text of each section by title.
type report map[string]string

// write replaces the measured sections of the file and keeps the others.
func (r report) write(ctx context.Context, path string, b *bench) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	before := parse(string(old))
	machine, err := b.machine(ctx)
	if err != nil {
		return err
	}
	var text strings.Builder
	text.WriteString("# Benchmarks\n\nWritten by `make bench`, which measures whole processes on the API server of `test/cluster`. CPU is user and system time, " +
		"peak is resident memory.\n\n" + machine)
	for _, s := range sections {
		section, measured := r[s.title]
		if !measured {
			section = before[s.title]
			if section != "" && !strings.Contains(section, earlier) {
				section = strings.TrimSpace(section) + "\n\n" + earlier + version(string(old)) + "."
			}
		}
		if section != "" {
			fmt.Fprintf(&text, "\n## %s\n\n%s\n", s.title, strings.TrimSpace(section))
		}
	}
	return os.WriteFile(path, []byte(text.String()), 0o644)
}

// earlier begins the note on a section that this run has not measured.
const earlier = "Measured with "

// version returns what the list at the start of the file says about ktail.
func version(text string) string {
	_, rest, _ := strings.Cut(text, "\n- ktail ")
	line, _, _ := strings.Cut(rest, "\n")
	return "ktail " + line
}

// parse is the inverse of write.
func parse(text string) report {
	r := report{}
	for _, part := range strings.Split(text, "\n## ")[1:] {
		title, section, _ := strings.Cut(part, "\n")
		r[title] = section
	}
	return r
}

// machine describes what the figures depend on. It contains nothing that
// identifies the machine.
func (b *bench) machine(ctx context.Context) (string, error) {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "", err
	}
	stern, err := buildinfo.ReadFile(b.stern)
	if err != nil {
		return "", err
	}
	lines := []string{
		fmt.Sprintf("%s, %d cores, %s; Linux %s", field("/proc/cpuinfo", "model name"), runtime.NumCPU(), field("/proc/meminfo", "MemTotal"), strings.TrimSpace(string(kernel))),
		firstWords(ctx, 3, b.ktail, "--version") + ", " + runtime.Version(),
		"stern " + stern.Main.Version + ", " + stern.GoVersion,
		"kubectl: " + firstWords(ctx, 3, "kubectl", "version", "--client"),
		firstWords(ctx, 2, "curl", "--version"),
		firstWords(ctx, 2, "rsyslogd", "-v"),
		"server: Kubernetes of test/cluster, its logs served by kwok, on the same machine",
	}
	return "- " + strings.Join(lines, "\n- ") + "\n", nil
}

// field returns the first value of that name in a file of /proc.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return "?"
	}
	defer f.Close() //nolint:errcheck // errors do not matter after reading
	for in := bufio.NewScanner(f); in.Scan(); {
		if key, value, found := strings.Cut(in.Text(), ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// firstWords returns the start of a program's version output.
func firstWords(ctx context.Context, n int, path string, args ...string) string {
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if err != nil {
		return "?"
	}
	words := strings.Fields(string(out))
	return strings.TrimRight(strings.Join(words[:min(n, len(words))], " "), ",")
}
