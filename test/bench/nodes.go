package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/ktail/ktail/pkg/ktail"
	"github.com/ktail/ktail/pkg/kube"
)

// watchersArg, as the first argument, makes this program watch the pods of each fake node
// as the ktail of that node does, each with connections of its own. It runs in a separate
// process, because its cost is that of a thousand machines.
const watchersArg = "-watchers"

const (
	fakeNodes   = 1000
	podsPerNode = 3
)

// watchNodes prints the index of a node whenever it has found the pods of the node.
func watchNodes(ctx context.Context) error {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	var watching sync.WaitGroup
	errs := make(chan error, fakeNodes)
	for i := range fakeNodes {
		client, err := kube.Connect(config, kube.ClientOptions{})
		if err != nil {
			return err
		}
		w := &kube.Watcher{
			Client:    client,
			Selection: kube.Selection{FieldSelector: "spec.nodeName=fake-" + strconv.Itoa(i)},
			Options:   kube.LogOptions{Follow: true},
		}
		watching.Go(func() {
			errs <- w.Watch(ctx, func(sources []ktail.Source) {
				if len(sources) >= podsPerNode {
					fmt.Println(i)
				}
			})
		})
	}
	watching.Wait()
	close(errs)
	var failed []error
	for err := range errs {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// nodes measures what the watches of a DaemonSet cost the API server.
func (b *bench) nodes(ctx context.Context, out *strings.Builder) error {
	const length = 30 * time.Second
	if _, err := b.namespaceOn(ctx, "bench-nodes", fakeNodes*podsPerNode, fakeNodes); err != nil {
		return err
	}
	api, err := b.apiServer(ctx)
	if err != nil {
		return err
	}
	before, watchesBefore := api, 0
	if watchesBefore, err = b.watches(ctx); err != nil {
		return err
	}
	pause(ctx, length)
	if api, err = b.apiServer(ctx); err != nil {
		return err
	}
	idle := api.cpu - before.cpu

	began := time.Now()
	cmd := exec.CommandContext(ctx, b.self, watchersArg)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	found, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer cmd.Wait()                       //nolint:errcheck // it ends because of the signal
	defer cmd.Process.Signal(os.Interrupt) //nolint:errcheck // it may have ended
	if err := allNodes(found); err != nil {
		return err
	}
	first := time.Since(began)
	started, err := b.apiServer(ctx)
	if err != nil {
		return err
	}
	pause(ctx, length)
	steady, err := b.apiServer(ctx)
	if err != nil {
		return err
	}
	watches, err := b.watches(ctx)
	if err != nil {
		return err
	}
	recovery, err := b.recovery(ctx, watches)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%d fake nodes with %d pods each; a watcher for each node, as the DaemonSet of deploy/ktail has, "+
		"all in one process with connections of their own. One run.\n\n", fakeNodes, podsPerNode)
	fmt.Fprintf(out, "| API server | without | with the watchers |\n|---|---|---|\n")
	fmt.Fprintf(out, "| watches | %d | %d |\n", watchesBefore, watches)
	fmt.Fprintf(out, "| cores, while nothing changes | %.3f | %.3f |\n", idle.Seconds()/length.Seconds(), (steady.cpu-started.cpu).Seconds()/length.Seconds())
	fmt.Fprintf(out, "| resident MB | %.0f | %.0f |\n", float64(api.resident)/1e6, float64(steady.resident)/1e6)
	fmt.Fprintf(out, "\nAll watchers had their pods after %.1f s, for which the API server used %.1f s of CPU. "+
		"After it was killed, it was ready again after %.1f s, and all watches were there %.1f s later.\n",
		first.Seconds(), (started.cpu - api.cpu).Seconds(), recovery.ready.Seconds(), recovery.watches.Seconds())
	return nil
}

// recovered says how long a restart of the API server took.
type recovered struct{ ready, watches time.Duration }

// recovery kills the API server, and waits until there are as many watches as before.
func (b *bench) recovery(ctx context.Context, watches int) (recovered, error) {
	began := time.Now()
	if out, err := exec.CommandContext(ctx, "test/cluster/controlplane.sh", "restart").CombinedOutput(); err != nil {
		return recovered{}, fmt.Errorf("controlplane.sh restart: %w\n%s", err, out)
	}
	r := recovered{ready: time.Since(began)}
	for {
		n, err := b.watches(ctx)
		if err == nil && n >= watches {
			r.watches = time.Since(began) - r.ready
			return r, nil
		}
		if time.Since(began) > 5*time.Minute {
			return r, fmt.Errorf("%d of %d watches came back: %w", n, watches, err)
		}
		pause(ctx, 200*time.Millisecond)
	}
}

// watches returns how many watches of pods the API server serves.
func (b *bench) watches(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close() //nolint:errcheck // errors do not matter after reading
	n := 0
	in := bufio.NewScanner(resp.Body)
	for in.Scan() {
		series, value, _ := strings.Cut(in.Text(), "} ")
		if strings.HasPrefix(series, "apiserver_longrunning_requests{") &&
			strings.Contains(series, `resource="pods"`) && strings.Contains(series, `verb="WATCH"`) {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, err
			}
			n += int(v)
		}
	}
	return n, in.Err()
}

// process is what a running process has used.
type process struct {
	cpu      time.Duration // user and system
	resident int64         // bytes
}

// apiServer returns what the API server has used since its start.
func (b *bench) apiServer(ctx context.Context) (process, error) {
	out, err := exec.CommandContext(ctx, "pgrep", "-f", "^testcluster kube-apiserver ").Output()
	if err != nil {
		return process{}, fmt.Errorf("find the API server: %w", err)
	}
	pid := string(bytes.TrimSpace(out))
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return process{}, err
	}
	// Fields 14, 15, and 24 of proc_pid_stat(5), counted after the command in parentheses.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const tick = time.Second / 100
	var p process
	for _, i := range []int{11, 12} {
		ticks, err := strconv.Atoi(fields[i])
		if err != nil {
			return p, err
		}
		p.cpu += time.Duration(ticks) * tick
	}
	pages, err := strconv.ParseInt(fields[21], 10, 64)
	p.resident = pages * int64(os.Getpagesize())
	return p, err
}

// allNodes reads until every node was printed.
func allNodes(r io.Reader) error {
	seen := map[string]bool{}
	in := bufio.NewScanner(r)
	for len(seen) < fakeNodes && in.Scan() {
		seen[in.Text()] = true
	}
	if len(seen) < fakeNodes {
		return fmt.Errorf("the watchers found the pods of %d of %d nodes", len(seen), fakeNodes)
	}
	go io.Copy(io.Discard, r) //nolint:errcheck // it ends with the process
	return nil
}
