#!/bin/bash
# Controls the control plane alone: controlplane.sh start|kill|restart
#
# `restart` is a fault for tests: all its processes are killed at once and started again
# with the same state, while the node and its containers keep running.
#   KCM=0 omits the scheduler and the controller manager
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

start() {
  if pid=$(running up); then
    echo "the control plane runs already (process $pid)"
    return
  fi
  # Processes that the previous one left exit by themselves, but hold their ports until then.
  orphans | xargs -r kill -9 2>/dev/null || true
  within 10 no_orphans || die "the processes $(orphans | xargs) of the last control plane do not end"
  rm -f "$state/ready"
  local parts=()
  [ "${KCM:-1}" = 0 ] || parts=(-scheduler -kcm)
  spawn up "$state/up.log" "$bin/testcluster" up -dir "$state" "${parts[@]}"
  until [ -e "$state/ready" ]; do
    # Not running: the new process does not have its command line yet.
    gone "$(cat "$run/up.pid")" && { cat "$state/up.log" >&2; die "the control plane did not come up"; }
    sleep .05
  done
  cat "$state/up.log"
}

# All at once, so that clients get no notice and nothing is flushed.
kill_all() {
  local pid
  pid=$(running up) || die "the control plane does not run"
  # shellcheck disable=SC2046
  kill -9 "$pid" $(pgrep -P "$pid") || true
  within 10 gone "$pid" || die "process $pid does not end"
  rm -f "$run/up.pid"
}

# orphans prints the processes that a killed control plane left behind.
orphans() {
  local f pid
  for f in "$state"/kube-*.pid; do
    pid=$(cat "$f" 2>/dev/null) || continue
    [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") == "testcluster kube-"* ]] && echo "$pid"
  done
  true
}

no_orphans() { [ -z "$(orphans)" ]; }

mkdir -p "$state" "$run"
case ${1:-} in
  start) start ;;
  kill) kill_all ;;
  restart) kill_all && start ;;
  *) die "usage: controlplane.sh start|kill|restart" ;;
esac
