#!/bin/bash
# Compares ktail with stern, kubectl and curl on the real API server of
# test/cluster, and its forwarding with rsyslog, and writes BENCHMARKS.md. Root on Debian
# with Go; `make bench` builds what is measured. Arguments go to test/bench:
# test/bench.sh -only delay,window
# A running cluster is used, and stays up.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

if [ "$(id -u)" != 0 ]; then
  echo "$0: the test cluster runs containers and needs root" >&2
  exit 1
fi

# shellcheck source=cluster/lib.sh
. test/cluster/lib.sh

if ! dpkg -s rsyslog rsyslog-elasticsearch >/dev/null 2>&1; then
  apt-get update -q -o Acquire::Retries=3 && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 rsyslog rsyslog-elasticsearch ||
    echo "$0: ktail's forwarding is measured alone" >&2
fi

go build -trimpath -ldflags '-s -w' -o .bin/bench ./test/bench

test/cluster/setup.sh
if ! running up >/dev/null; then
  test/cluster/stop.sh wipe # what one that was killed has left
  trap 'test/cluster/stop.sh wipe' EXIT
fi
test/cluster/start.sh
ulimit -n "$(ulimit -Hn)"
.bin/bench -out BENCHMARKS.md "$@"
