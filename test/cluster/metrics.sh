#!/bin/bash
# Runs metrics-server in the cluster. `kubectl top` works after about 20 seconds. Requires
# METRICS=1 ./setup.sh.
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -x "$bin/metrics-server" ] || die "run METRICS=1 setup.sh first"
if pid=$(running metrics); then
  echo "metrics-server runs already (process $pid)"
  exit
fi
kubectl apply -f "$here/etc/metrics-server.yaml"
export HTTPS_PROXY=http://127.0.0.1:10230 NO_PROXY=127.0.0.1,localhost
spawn metrics "$state/metrics-server.log" "$bin/metrics-server" --kubeconfig="$KUBECONFIG" \
  --authentication-kubeconfig="$KUBECONFIG" --authorization-kubeconfig="$KUBECONFIG" --bind-address=127.0.0.1 --secure-port=4443 \
  --tls-cert-file="$state/pki/metrics-server.crt" --tls-private-key-file="$state/pki/metrics-server.key" \
  --kubelet-certificate-authority="$state/pki/ca.crt" --kubelet-client-certificate="$state/pki/admin.crt" --kubelet-client-key="$state/pki/admin.key" \
  --kubelet-preferred-address-types=InternalIP --metric-resolution=10s --kubelet-request-timeout=5s
