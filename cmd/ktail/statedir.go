package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ktail/ktail/pkg/durable"
	"github.com/ktail/ktail/pkg/elastic"
)

// A stateDir is the directory with the state that outlives a run: the spool,
// the positions, the dead letters, and the destination that they belong to.
type stateDir struct {
	path string
	lock io.Closer // nil unless the run reads state, because it has a spool or resumes
	now  destination

	mu       sync.Mutex
	recorded destination // destination recorded by this run or an earlier one, or zero
}

// destination is where lines are forwarded. It is the same no matter how the
// nodes of its cluster are addressed.
type destination struct {
	Version     int      `json:"version"`
	ClusterUUID string   `json:"cluster_uuid,omitempty"` // empty if not yet known
	Index       string   `json:"index,omitempty"`        // empty: the default
	Hosts       []string `json:"hosts"`                  // host:port of the nodes, or host, sorted
}

const (
	destinationVersion = 1
	destinationFile    = "destination.json"
	positionsFile      = "positions.2"
	// positionsV1 is the file of an earlier version, whose document IDs differ.
	positionsV1 = "positions"
)

func (o *elasticOptions) destination() destination {
	d := destination{Version: destinationVersion, Index: o.index}
	for _, n := range o.nodes {
		d.Hosts = append(d.Hosts, n.Host)
	}
	slices.Sort(d.Hosts)
	d.Hosts = slices.Compact(d.Hosts)
	return d
}

// hasState reports whether the run reads state of an earlier run.
func (o *elasticOptions) hasState() bool { return o.resume || o.spool != "" }

// openStateDir opens the directory for the destination: the one that a flag
// names, or else the one in the user's state directory that belongs to the
// destination. probe requests the UUID of the cluster. If the run has no state,
// a directory that cannot be created is not an error: the path is then empty,
// and warn is called.
func openStateDir(ctx context.Context, o *elasticOptions, env func(string) (string, bool),
	probe func(context.Context) (string, error), warn func(string, ...any),
) (*stateDir, error) {
	d := &stateDir{path: o.spool, now: o.destination()}
	if o.hasState() {
		// An unreachable cluster is checked later, before the first line is
		// sent.
		d.now.ClusterUUID, _ = probe(ctx)
	}
	var err error
	if d.path == "" {
		d.path, err = findStateDir(d.now, env)
	}
	if err == nil {
		err = os.MkdirAll(d.path, 0o700)
	}
	if err != nil && !o.hasState() {
		if o.deadLetters == "" {
			warn("warning: documents that Elasticsearch rejects cannot be saved: %v; use --elasticsearch-dead-letters FILE", err)
		}
		d.path = ""
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("create state directory: %w; use --elasticsearch-spool DIRECTORY", err)
	}
	if !o.hasState() {
		return d, nil
	}
	if d.lock, err = elastic.LockDir(d.path); err != nil {
		return nil, err
	}
	if err := d.load(o, warn); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// load reads which destination the directory belongs to, and checks it.
func (d *stateDir) load(o *elasticOptions, warn func(string, ...any)) error {
	err := durable.RemoveTemporary(filepath.Join(d.path, destinationFile))
	if err != nil {
		return err
	}
	if d.recorded, err = readDestination(d.path); err != nil {
		return err
	}
	if o.resume && exists(filepath.Join(d.path, positionsV1)) && !exists(d.file(positionsFile)) {
		warn("warning: the positions in %s are not used: an earlier version of ktail, whose document IDs differ, saved them", filepath.Join(d.path, positionsV1))
	}
	return d.check(d.now.ClusterUUID)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// file returns the path of a file in the directory, or "" if there is no
// directory.
func (d *stateDir) file(name string) string {
	if d.path == "" {
		return ""
	}
	return filepath.Join(d.path, name)
}

// check compares the destination with the one that the directory belongs to,
// and records it. The UUID is empty if it is not known.
func (d *stateDir) check(clusterUUID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now
	now.ClusterUUID = clusterUUID
	next, err := d.recorded.merge(now)
	if err != nil {
		return fmt.Errorf("%s belongs to another destination: %w; use another directory, or delete %s to continue with this one",
			d.path, err, filepath.Join(d.path, destinationFile))
	}
	if d.recorded.equal(next) {
		return nil
	}
	if err := writeDestination(d.path, next); err != nil {
		return err
	}
	d.recorded = next
	return nil
}

func (d *stateDir) close() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Close()
}

// merge combines what is known of a destination, which was recorded as d and is
// now described by other. It returns an error if they are different
// destinations.
func (d destination) merge(other destination) (destination, error) {
	if d.Version == 0 {
		return other, nil
	}
	switch {
	case d.Index != other.Index:
		return d, fmt.Errorf("its lines went to %s, not to %s", indexName(d.Index), indexName(other.Index))
	case d.ClusterUUID != "" && other.ClusterUUID != "" && d.ClusterUUID != other.ClusterUUID:
		return d, fmt.Errorf("its lines went to the cluster %s at %s, and %s is the cluster %s",
			d.ClusterUUID, strings.Join(d.Hosts, ","), strings.Join(other.Hosts, ","), other.ClusterUUID)
	case d.ClusterUUID != "" && d.ClusterUUID == other.ClusterUUID, d.shares(other):
	case d.ClusterUUID == "": // no run has reached it
		return d, fmt.Errorf("its lines are for %s, which no run has reached, so it is not known whether %s is the same cluster",
			strings.Join(d.Hosts, ","), strings.Join(other.Hosts, ","))
	default:
		return d, fmt.Errorf("its lines went to %s, and %s cannot be reached to find out whether it is the same cluster",
			strings.Join(d.Hosts, ","), strings.Join(other.Hosts, ","))
	}
	if other.ClusterUUID == "" {
		other.ClusterUUID = d.ClusterUUID
	}
	return other, nil
}

// shares reports whether the destinations have a node in common.
func (d destination) shares(other destination) bool {
	return slices.ContainsFunc(d.Hosts, func(h string) bool { return slices.Contains(other.Hosts, h) })
}

func (d destination) equal(other destination) bool {
	return d.Version == other.Version && d.ClusterUUID == other.ClusterUUID && d.Index == other.Index && slices.Equal(d.Hosts, other.Hosts)
}

func indexName(index string) string {
	if index == "" {
		return "the default index"
	}
	return "the index " + index
}

// findStateDir returns the directory of the destination in the user's state
// directory: the one that belongs to it or, if there is none, a new one.
func findStateDir(now destination, env func(string) (string, bool)) (string, error) {
	base, err := stateHome(env)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(base)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	// A directory of the same cluster takes precedence over one that has a host
	// in common, because that host may now belong to another cluster.
	var byHost string
	for _, e := range entries {
		path := filepath.Join(base, e.Name())
		d, err := readDestination(path)
		if err != nil || d.Version == 0 || d.Index != now.Index {
			continue
		}
		switch {
		case d.ClusterUUID != "" && d.ClusterUUID == now.ClusterUUID:
			return path, nil
		case d.shares(now) && byHost == "":
			byHost = path
		}
	}
	if byHost != "" {
		return byHost, nil
	}
	sum := sha256.Sum256([]byte(strings.Join(append(now.Hosts, now.Index), "\n")))
	return filepath.Join(base, hex.EncodeToString(sum[:8])), nil
}

// stateHome returns ktail's directory in the user's state directory.
func stateHome(env func(string) (string, bool)) (string, error) {
	base, ok := env("XDG_STATE_HOME")
	if !ok || base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		base = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(base, "ktail"), nil
}

// readDestination returns the zero destination if none is recorded.
func readDestination(dir string) (d destination, err error) {
	path := filepath.Join(dir, destinationFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return destination{}, nil
	}
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(b, &d); err != nil || d.Version == 0 {
		return d, fmt.Errorf("%s is damaged; delete it if the directory belongs to this destination", path)
	}
	if d.Version != destinationVersion {
		return d, fmt.Errorf("%s has version %d, which this version of ktail does not support; use a later version or another directory", path, d.Version)
	}
	return d, nil
}

// writeDestination replaces the file atomically, even if power is lost.
func writeDestination(dir string, d destination) error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if err := durable.Replace(filepath.Join(dir, destinationFile), 0o600, b, []byte("\n")); err != nil {
		return fmt.Errorf("record destination: %w", err)
	}
	return nil
}

// probeTimeout bounds how long the start of a run waits for the cluster.
const probeTimeout = 5 * time.Second

// probeCluster returns a function that requests the UUID of the options'
// cluster.
func probeCluster(o elastic.Options) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		return elastic.ClusterUUID(ctx, o)
	}
}
