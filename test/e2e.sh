#!/bin/bash
# Sets up and starts the real Kubernetes of test/cluster, runs the tests on it,
# and takes it down; some of them use a search server of test/search, or the Prometheus
# of test/monitoring.
# Requires root, Debian, and Go. Arguments go to `go test`:
#   test/e2e.sh -run TestCrashLoop
# A running cluster is used, and stays up.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
if [ "$(id -u)" != 0 ]; then
  echo "$0: the test cluster runs containers and needs root" >&2
  exit 1
fi

# shellcheck source=cluster/lib.sh
. cluster/lib.sh

cluster/setup.sh
search/setup.sh opensearch2
monitoring/setup.sh debian
if ! running up >/dev/null; then
  cluster/stop.sh wipe # what one that was killed has left
  trap 'cluster/stop.sh wipe' EXIT
fi
cluster/start.sh
# The tests that run in parallel mostly wait.
go test -tags e2e -count=1 -v -parallel 4 -timeout 35m "$@" ./e2e
