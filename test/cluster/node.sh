#!/bin/bash
# Runs the node. start.sh starts it in its own mount namespace, in which /var/log belongs
# to the cluster, so that node logs come from files of the cluster. The kubelet and
# containerd are restarted when they exit, as by a service manager.
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

ctr=(ctr -a "$run/containerd.sock" -n k8s.io)

main() {
  mount --bind "$state/varlog" /var/log
  ulimit -n "$(ulimit -Hn)"
  keep_containerd &
  containerd=$!
  echo $containerd >"$run/keeper.pid"
  trap 'stop=1; kill $kubelet' TERM INT
  within 60 "${ctr[@]}" version
  for image in "$images"/*.tar; do "${ctr[@]}" images import "$image"; done
  start_journal
  until [ -n "${stop:-}" ]; do
    start_kubelet
    wait "$kubelet"
    echo "kubelet ended with $?"
    sleep .3
  done
  end
}

# keep_containerd runs containerd until it is terminated.
keep_containerd() {
  local pid
  trap 'stop=1; kill $pid' TERM INT
  until [ -n "${stop:-}" ]; do
    containerd -c "$etc/containerd.toml" >>"$state/containerd.log" 2>&1 &
    pid=$!
    echo "$pid" >"$run/containerd.pid"
    until wait "$pid" || ! kill -0 "$pid" 2>/dev/null; do :; done
    echo "containerd ended"
    sleep .3
  done
}

# start_kubelet starts a kubelet with the variables in etc/kubelet.env, such as TZ=Asia/Tokyo.
start_kubelet() {
  local env=()
  [ ! -e "$etc/kubelet.env" ] || mapfile -t env <"$etc/kubelet.env"
  env "${env[@]}" "$bin/testcluster" kubelet --config="$etc/kubelet.yaml" --kubeconfig="$state/node-10.200.0.1.kubeconfig" \
    --hostname-override=10.200.0.1 --root-dir="$state/kubelet" --cert-dir="$state/kubelet-certs" --v=2 >>"$state/varlog/kubelet.log" 2>&1 &
  kubelet=$!
  echo $kubelet >"$run/kubelet.pid"
}

# start_journal writes the kubelet's log to a journal without journald, because the kubelet
# reads the logs of its node from there.
start_journal() {
  local remote=/lib/systemd/systemd-journal-remote journal
  journal=/var/log/journal/$(cat /etc/machine-id)
  touch "$state/varlog/kubelet.log"
  [ -x $remote ] || return
  mkdir -p "$journal"
  tail -n0 -F "$state/varlog/kubelet.log" 2>/dev/null \
    > >(sed -u 's/^/kubelet\t/' | python3 "$here/journal-feed.py" | $remote -o "$journal/node.journal" - 2>/dev/null) &
  journal_tail=$!
}

end() {
  kill -0 "$kubelet" 2>/dev/null && wait "$kubelet"
  local kills=()
  for task in $("${ctr[@]}" tasks ls -q); do
    "${ctr[@]}" tasks kill -s KILL "$task" &
    kills+=($!)
  done
  [ ${#kills[@]} = 0 ] || wait "${kills[@]}"
  kill ${journal_tail:+"$journal_tail"} "$containerd"
  wait "$containerd"
}

# bash has read the whole script when main starts, so edits do not affect a running node.
main
exit
