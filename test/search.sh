#!/bin/bash
# Sets up the search servers of test/search, runs the tests of forwarding on
# them, and takes them down. Debian with Go; root only where Java or Maven is
# missing. Arguments go to `go test`:
#   test/search.sh -run TestOutage
#   SERVERS=elasticsearch6 test/search.sh     on that one
#   SERVERS=all test/search.sh                on all, not only the oldest and the newest
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
servers=${SERVERS:-all}
[ "$servers" != all ] || servers='' # which is all that there are

# shellcheck disable=SC2086
search/setup.sh $servers
trap 'search/stop.sh all wipe' EXIT
go test -tags e2e -count=1 -v -parallel 4 -timeout 35m ./e2esearch "$@"
