#!/bin/bash
# Unpacks Debian's Prometheus, Alertmanager, and Pushgateway into .bin/monitoring. They
# are not installed, so no service is started. Also builds a newer Prometheus, once,
# which takes 4 minutes of CPU time: Debian's has neither exact increases nor service
# discovery for Kubernetes. With the argument debian, it does not. Needs apt-get, dpkg, and
# Go, not root.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

tools=$PWD/.bin/monitoring
if ! [ -x "$tools/usr/bin/promtool" ] || ! [ -x "$tools/usr/bin/prometheus-alertmanager" ] || ! [ -x "$tools/usr/bin/prometheus-pushgateway" ]; then
  packages=(prometheus prometheus-alertmanager prometheus-pushgateway)
  if ! apt-cache show "${packages[@]}" >/dev/null 2>&1; then
    apt-get update -q -o Acquire::Retries=3
  fi
  debs=$(mktemp -d)
  trap 'rm -rf "$debs"' EXIT
  (cd "$debs" && apt-get download -q -o Acquire::Retries=3 -o APT::Sandbox::User=root "${packages[@]}")
  mkdir -p "$tools"
  for deb in "$debs"/*.deb; do
    dpkg -x "$deb" "$tools"
  done
fi

if [ "${1-}" = debian ]; then
  exit
fi
version=v0.316.0 # Prometheus 3.16.0
new=$PWD/.bin/prometheus-$version
if ! [ -x "$new/prometheus" ] || ! [ -x "$new/promtool" ]; then
  # Without the tags, the clients of all clouds are compiled.
  CGO_ENABLED=0 GOBIN=$new.building go install -trimpath -ldflags '-s -w' -tags remove_all_sd,enable_kubernetes_sd \
    "github.com/prometheus/prometheus/cmd/prometheus@$version" "github.com/prometheus/prometheus/cmd/promtool@$version"
  rm -rf "$new"
  mv "$new.building" "$new"
fi
