#!/bin/bash
# Stops the server on PORT, or on all ports, and keeps its data for the next start, unless
# wipe is given.
#   stop.sh [PORT|all] [wipe]
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

stop() {
  if pid=$(running "$1"); then
    kill -CONT "$pid" # it may be frozen
    kill -TERM "$pid"
    within 20 gone "$pid" || kill -9 "$pid"
  fi
  rm -f "$run/$1.pid"
  [ "${2:-}" != wipe ] || rm -rf "${state:?}/$1" "$state/$1.log"
}

if [ "${1:-all}" != all ]; then
  stop "$@"
  exit 0
fi
for file in "$run"/*.pid; do
  [ ! -e "$file" ] || stop "$(basename "$file" .pid)"
done
[ "${2:-}" != wipe ] || rm -rf "$state"
exit 0
