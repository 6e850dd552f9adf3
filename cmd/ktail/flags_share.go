package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
	"github.com/ktail/ktail/pkg/tail"
)

// shareFlags let several processes share the logs of a cluster, and the containers of
// one process share its capacity.
type shareFlags struct {
	shard         kube.Shard
	lease         string
	containerRate sizeValue // bytes per second; 0: no limit
}

func (f *shareFlags) addFlags(fs *pflag.FlagSet) {
	fs.Var((*shardValue)(&f.shard), "shard",
		"Only tail pods on the nodes of this shard, such as 0/3 (of three). Each node belongs to one shard")
	fs.StringVar(&f.lease, "lease", "",
		"Read logs only while holding this Lease, such as logging/ktail-0. "+
			"Waits for the Lease, and exits if it is lost `NAMESPACE/NAME`")
	fs.Var(&f.containerRate, "rate-per-container",
		"Maximum number of bytes per second per container, such as 1Mi. "+
			"Lines above the limit are delayed, not dropped (0: no limit)")
}

func (f shareFlags) validate(readsFiles bool) error {
	switch {
	case readsFiles && f.shard.Count > 0:
		return errors.New("--pod-logs-dir cannot be combined with --shard: the files are those of one node")
	case readsFiles && f.lease != "":
		return errors.New("--pod-logs-dir cannot be combined with --lease")
	case f.lease == "":
		return nil
	}
	if namespace, name := f.leaseName(); namespace == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("invalid --lease %s: must be NAMESPACE/NAME", quoted(f.lease))
	}
	return nil
}

func (f shareFlags) leaseName() (namespace, name string) {
	namespace, name, _ = strings.Cut(f.lease, "/")
	return namespace, name
}

// holdingLease calls run, while the process holds the lease of --lease if it is given.
func (p plan) holdingLease(ctx context.Context, m *messenger, run func(context.Context) error) error {
	if p.lease == "" || p.client == nil {
		return run(ctx)
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("--lease: %w", err)
	}
	namespace, name := p.leaseName()
	l := &kube.Lease{
		Client: p.client, Namespace: namespace, Name: name, Identity: host + "_" + rand.Text(),
		OnWait: func(holder string, err error) {
			switch {
			case apierrors.IsForbidden(err):
				m.printf("warning: %v; --lease requires permission to get, create, and update leases; retrying", err)
			case err != nil:
				m.printf("warning: %v; retrying", err)
			default:
				m.printf("waiting for lease %s: %s holds it", p.lease, holder)
			}
		},
	}
	err = l.Hold(ctx, run)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil // interrupted while waiting
	}
	return err
}

// limitRate returns the watcher with the limit of --rate-per-container.
func (p plan) limitRate(w ktail.Watcher, m *messenger) ktail.Watcher {
	if p.containerRate == 0 {
		return w
	}
	return &tail.RateLimit{Watcher: w, BytesPerSecond: int64(p.containerRate), OnDelay: func(s *ktail.Stream) {
		m.printf("%s writes more than %s bytes per second; its lines are delayed (--rate-per-container)", s, &p.containerRate)
	}}
}

// shardValue is the flag for a shard of the nodes.
type shardValue kube.Shard

// String implements pflag.Value.
func (v *shardValue) String() string { return kube.Shard(*v).String() }

// Set implements pflag.Value.
func (v *shardValue) Set(s string) error {
	shard, err := kube.ParseShard(s)
	if err == nil {
		*v = shardValue(shard)
	}
	return err
}

// Type implements pflag.Value.
func (*shardValue) Type() string { return "INDEX/COUNT" }
