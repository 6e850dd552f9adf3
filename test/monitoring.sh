#!/bin/bash
# Tests metrics with a real Prometheus, Alertmanager, and Pushgateway, on Debian with
# Go. Takes about five minutes, and five more the first time, to build a newer
# Prometheus. Arguments go to `go test`:
#   test/monitoring.sh -run TestAlert
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
monitoring/setup.sh
go test -tags e2e -count=1 -v -timeout 10m "$@" ./monitoring
