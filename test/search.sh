#!/bin/bash
# Sets up the search servers of test/search, runs the tests of forwarding on
# them, and takes them down. Debian with Go; root only where Java or Maven is
# missing. Arguments go to `go test`:
#   test/search.sh -run TestOutage
#   SERVERS=elasticsearch6 test/search.sh
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
read -ra servers <<<"${SERVERS:-}"

search/setup.sh "${servers[@]}"
trap 'search/stop.sh all wipe' EXIT
go test -tags e2e -count=1 -v -parallel 4 -timeout 20m "$@" ./e2esearch
