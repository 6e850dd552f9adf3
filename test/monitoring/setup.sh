#!/bin/bash
# Unpacks Debian's Prometheus, Alertmanager and Pushgateway into .bin/monitoring. They
# are not installed, so no service is started. Needs apt-get and dpkg, not root.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

tools=$PWD/.bin/monitoring
if [ -x "$tools/usr/bin/promtool" ] && [ -x "$tools/usr/bin/prometheus-alertmanager" ] && [ -x "$tools/usr/bin/prometheus-pushgateway" ]; then
  exit 0
fi
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
