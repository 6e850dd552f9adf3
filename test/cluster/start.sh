#!/bin/bash
# Starts the control plane, containerd and the kubelet as node 10.200.0.1, and kwok, unless
# they are running.
#   NODE=0, KWOK=0, KCM=0 omit the node, kwok, scheduler and controller manager
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$bin/testcluster" ] || die "run setup.sh first"

mkdir -p "$state/varlog" "$state/manifests" "$run"
ln -sfn "$state/pods" "$state/varlog/pods" # the kubelet serves the logs of pods where they are by default
sysctl -qw fs.inotify.max_user_instances=8192 fs.inotify.max_user_watches=1048576 # each follow through kwok needs one
ulimit -n "$(ulimit -Hn)"

"$here/controlplane.sh" start

if [ "${NODE:-1}" = 1 ]; then
  if pid=$(running node); then
    echo "the node runs already (process $pid)"
  else
    spawn node "$state/node.log" unshare -m --propagation shared "$here/node.sh" run
  fi
fi

if [ "${KWOK:-1}" = 1 ] && [ -x "$bin/kwok" ]; then
  if pid=$(running kwok); then
    echo "kwok runs already (process $pid)"
  else
    kubectl apply --server-side -f "$etc/kwok/crds.yaml" >/dev/null
    # Without leases: with them, kwok ignores the pods that it sees before its lease of
    # a new node is in its own cache, and never looks at them again.
    spawn kwok "$state/kwok.log" "$bin/kwok" --kubeconfig="$KUBECONFIG" \
      --manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake \
      --node-ip=10.200.0.3 --node-port=10247 --server-address=127.0.0.3:10247 --cidr=10.99.0.0/16 \
      --tls-cert-file="$state/pki/kubelet-server.crt" --tls-private-key-file="$state/pki/kubelet-server.key" \
      --node-lease-duration-seconds=0 --enable-crds=Logs,ClusterLogs --config="$etc/kwok/stages.yaml"
  fi
fi

if [ "${NODE:-1}" = 1 ]; then
  within 60 curl -sf http://127.0.0.1:10248/healthz || { tail -n 20 "$state/node.log" >&2; die "the kubelet does not come up, see $state/varlog/kubelet.log"; }
  within 60 kubectl get node 10.200.0.1 || die "the kubelet does not register its node, see $state/varlog/kubelet.log"
  kubectl wait --for=condition=Ready node/10.200.0.1 --timeout=90s
  # Pods cannot be created before the namespace has its service account.
  [ "${KCM:-1}" = 0 ] || within 30 kubectl get serviceaccount default
fi
echo "export KUBECONFIG=$KUBECONFIG TESTCLUSTER_WORK=$work"
