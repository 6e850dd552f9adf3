package main

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// destinationOptions returns options that forward to the addresses, with --resume.
func destinationOptions(t *testing.T, index string, addresses ...string) *elasticOptions {
	t.Helper()
	o := &elasticOptions{index: index, resume: true}
	for _, a := range addresses {
		u, err := url.Parse(a)
		if err != nil {
			t.Fatal(err)
		}
		o.nodes = append(o.nodes, u)
	}
	return o
}

// A directory that was first used while its cluster was down belongs to the addresses. The
// message does not blame the cluster that is reachable.
func TestStateDir_OfAClusterThatWasNeverReached(t *testing.T) {
	dir := t.TempDir()
	open := func(address, uuid string) error {
		o := destinationOptions(t, "", address)
		o.spool = dir
		d, err := openStateDir(t.Context(), o, os.LookupEnv, func(context.Context) (string, error) { return uuid, nil }, t.Logf)
		if err != nil {
			return err
		}
		return d.close()
	}
	if err := open("http://es1:9200", ""); err != nil {
		t.Fatal(err)
	}
	err := open("http://other:9200", "B")
	if err == nil || !strings.Contains(err.Error(), "its lines are for es1:9200, which no run has reached") || strings.Contains(err.Error(), "other:9200 cannot be reached") {
		t.Errorf("the error is %v, want one that names the cluster that was not reached", err)
	}
	if err := open("http://es1:9200", "A"); err != nil {
		t.Errorf("the same address is refused: %v", err)
	}
}

// A process that was killed while it recorded the destination leaves a file behind.
func TestStateDir_RemovesTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{destinationFile + ".123456", destinationFile + ".tmp"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := destinationOptions(t, "", "http://es1:9200")
	o.spool = dir
	d, err := openStateDir(t.Context(), o, os.LookupEnv, func(context.Context) (string, error) { return "A", nil }, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, destinationFile+"*"))
	if err != nil || len(left) != 1 || filepath.Base(left[0]) != destinationFile {
		t.Errorf("the directory has %q, %v", left, err)
	}
}

func TestStateDir_BelongsToItsDestination(t *testing.T) {
	unreachable := errors.New("unreachable")
	for name, test := range map[string]struct {
		index     string
		addresses []string
		uuid      string
		err       error // error of the probe
		refused   string
		own       bool // uses a different directory if no flag names one
	}{
		"the same":                        {"", []string{"http://es1:9200"}, "A", nil, "", false},
		"one more node":                   {"", []string{"http://es1:9200", "http://es2:9200"}, "A", nil, "", false},
		"https":                           {"", []string{"https://es1:9200"}, "A", nil, "", false},
		"another node of the cluster":     {"", []string{"http://es9:9200"}, "A", nil, "", false},
		"unreachable":                     {"", []string{"http://es1:9200"}, "", unreachable, "", false},
		"a cluster that hides its UUID":   {"", []string{"http://es1:9200"}, "", nil, "", false},
		"another cluster":                 {"", []string{"http://other:9200"}, "B", nil, "the cluster B", true},
		"a new cluster at the same place": {"", []string{"http://es1:9200"}, "B", nil, "the cluster B", false},
		"another index":                   {"shop", []string{"http://es1:9200"}, "A", nil, "the index shop", true},
		"another place, unreachable":      {"", []string{"http://other:9200"}, "", unreachable, "whether it is the same cluster", true},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			env := func(string) (string, bool) { return base, true }
			open := func(o *elasticOptions, uuid string, err error) (*stateDir, error) {
				return openStateDir(t.Context(), o, env, func(context.Context) (string, error) { return uuid, err }, t.Logf)
			}
			first, err := open(destinationOptions(t, "", "http://es1:9200"), "A", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := first.close(); err != nil {
				t.Fatal(err)
			}

			named := destinationOptions(t, test.index, test.addresses...)
			named.spool = first.path
			d, err := open(named, test.uuid, test.err)
			if refused := err != nil; refused != (test.refused != "") || refused && (!strings.Contains(err.Error(), test.refused) || !strings.Contains(err.Error(), first.path)) {
				t.Errorf("with a named directory: %v, want %q", err, test.refused)
			}
			if err == nil {
				if err := d.check("C"); err == nil && test.uuid != "" {
					t.Error("another cluster is not rejected once it is reachable")
				}
				if err := d.close(); err != nil {
					t.Fatal(err)
				}
			}

			d, err = open(destinationOptions(t, test.index, test.addresses...), test.uuid, test.err)
			if err != nil {
				if test.own || test.refused == "" {
					t.Errorf("without a flag: %v", err)
				}
				return
			}
			defer d.close() //nolint:errcheck // errors do not matter at the end of the test
			if own := d.path != first.path; own != test.own {
				t.Errorf("uses a different directory: %v, want %v", own, test.own)
			}
		})
	}
}

func TestStateDir_IsNotNeededWithoutState(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(string) (string, bool) { return file, true } // nothing can be created in a file
	probe := func(context.Context) (string, error) { t.Error("the cluster was queried"); return "", nil }
	o := destinationOptions(t, "", "http://es1:9200")
	o.resume = false
	warned := 0
	d, err := openStateDir(t.Context(), o, env, probe, func(string, ...any) { warned++ })
	if err != nil || d.file("x") != "" || warned != 1 {
		t.Errorf("got %+v, %v, %d warnings", d, err, warned)
	}
	o.resume = true
	if _, err := openStateDir(t.Context(), o, env, func(context.Context) (string, error) { return "", nil }, t.Logf); err == nil || !strings.Contains(err.Error(), "--elasticsearch-spool") {
		t.Errorf("with --resume: %v", err)
	}
}
