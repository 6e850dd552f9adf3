#!/bin/bash
# Measures ktail on the real API server of test/cluster beside stern, kubectl and
# curl, and writes BENCHMARKS.md. Root on Debian with Go; `make bench` builds what
# is measured. Arguments go to test/bench: test/bench.sh -only delay,window
# A cluster that is up already is used, and left up.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

if [ "$(id -u)" != 0 ]; then
  echo "$0: the test cluster runs containers and needs root" >&2
  exit 1
fi

# shellcheck source=cluster/lib.sh
. test/cluster/lib.sh

go build -trimpath -ldflags '-s -w' -o .bin/bench ./test/bench

test/cluster/setup.sh
if ! running up >/dev/null; then
  test/cluster/stop.sh wipe # what one that was killed has left
  trap 'test/cluster/stop.sh wipe' EXIT
fi
test/cluster/start.sh
ulimit -n "$(ulimit -Hn)"
.bin/bench -out BENCHMARKS.md "$@"
