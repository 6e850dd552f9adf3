#!/bin/bash
# Installs and builds everything that start.sh needs. That takes about 15 CPU minutes from
# empty caches, and seconds afterwards. Requires root, Debian, and Go.
#   KWOK=0 omits fake pods, METRICS=1 also builds metrics-server
#   setup.sh compile        only builds the large programs; needs no root
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
export CGO_ENABLED=0

main() {
  mkdir -p "$bin" "$images" "$etc/kwok" "$work/cni"
  if [ "${1-}" = compile ]; then
    compile
    return
  fi
  packages
  compile
  app
  configuration
  [ "${KWOK:-1}" = 0 ] || kwok
  [ "${METRICS:-0}" = 0 ] || tool sigs.k8s.io/metrics-server/cmd/metrics-server v0.9.0
}

# packages installs missing Debian packages, without starting services.
packages() {
  local missing=() c
  for c in containerd runc ctr iptables ip curl python3 pgrep sysctl unshare; do
    command -v $c >/dev/null || missing+=("$c")
  done
  [ -x /usr/lib/cni/bridge ] || missing+=(/usr/lib/cni/bridge)
  [ ${#missing[@]} = 0 ] && return
  echo "missing: ${missing[*]}"
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod +x $policy
    # shellcheck disable=SC2064
    trap "rm -f $policy" EXIT
  fi
  apt-get update -q -o Acquire::Retries=3
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 \
    ca-certificates containerd runc containernetworking-plugins curl iproute2 iptables procps python3 systemd-journal-remote util-linux
}

# compile builds the large programs.
compile() {
  controlplane
  [ "${KWOK:-1}" = 0 ] || tool sigs.k8s.io/kwok/cmd/kwok v0.8.0
}

# controlplane builds etcd, kube-apiserver, scheduler, controller manager and
# kubelet as one program, and kubectl unless it is installed.
controlplane() {
  cd "$here/controlplane"
  local ldflags
  ldflags=$(cat ldflags)
  go build -buildvcs=false -tags full -trimpath -ldflags "$ldflags" -o "$bin/testcluster" .
  if ! command -v kubectl >/dev/null; then
    go build -buildvcs=false -trimpath -ldflags "$ldflags" -o "$bin/kubectl" k8s.io/kubernetes/cmd/kubectl
  fi
}

# app builds the container images, which contain the same static program, and imports
# them if a node is running.
app() {
  cd "$here/images/app"
  go build -buildvcs=false -trimpath -ldflags '-s -w' -o "$images/app.bin" .
  image pause '["/app","pause"]'
  image app '["/app"]'
}

image() {
  local tar=$images/$1.tar
  python3 "$here/images/mkimage.py" "$tar.new" "$images/app.bin" "ktail.test/$1:1" "$2"
  if cmp -s "$tar" "$tar.new"; then
    rm "$tar.new"
    return
  fi
  mv "$tar.new" "$tar"
  if running containerd >/dev/null; then
    ctr -a "$run/containerd.sock" -n k8s.io images import "$tar"
  fi
}

configuration() {
  local f
  for f in containerd.toml kubelet.yaml; do
    sed "s#@WORK@#$work#g" "$here/etc/$f" >"$etc/$f"
  done
  sed "s#@WORK@#$work#g" "$here/etc/cni.conflist" >"$work/cni/10-test.conflist"
}

# kwok builds the load generator, and collects kwok's custom resources for logs and its
# stages of nodes and pods. It adds container IDs to the stages, because a container
# without an ID counts as not started.
kwok() {
  cd "$here/load"
  go build -buildvcs=false -trimpath -o "$bin/load" .
  local dir f
  dir=$(go env GOMODCACHE)/sigs.k8s.io/kwok@v0.8.0/kustomize
  [ -d "$dir" ] || (cd / && go mod download sigs.k8s.io/kwok@v0.8.0)
  for f in logs clusterlogs; do
    echo ---
    cat "$dir/crd/bases/kwok.x-k8s.io_$f.yaml"
  done >"$etc/kwok/crds.yaml"
  for f in node/fast/node-initialize node/heartbeat/node-heartbeat pod/fast/pod-{ready,complete,delete}; do
    echo ---
    cat "$dir/stage/$f.yaml"
  done | awk '
    /name: pod-ready/    { ready = 1 }
    /name: pod-complete/ { ready = 0 }
    ready && /now := Now/ && !root {
      print; print "      {{ $root := . }}"; root = 1; next
    }
    ready && root && !id && /^        name: \{\{ .name/ {
      print
      print "        containerID: {{ printf \"kwok://%s-%s-0\" ( or $root.metadata.uid \"\" ) .name | Quote }}"
      print "        started: true"
      id = 1; next
    }
    { print }' >"$etc/kwok/stages.yaml"
}

# tool PACKAGE VERSION builds a program, unless that version exists.
tool() {
  local name=${1##*/}
  if [ -x "$bin/$name" ] && [[ $(go version -m "$bin/$name") == *"$2"* ]]; then return; fi
  (cd / && GOBIN=$bin go install -buildvcs=false -trimpath -ldflags '-s -w' "$1@$2")
}

main "$@"
