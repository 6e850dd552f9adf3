#!/bin/bash
# Stops what start.sh started, and keeps the state for the next start. `stop.sh wipe`
# removes the state.
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# The kubelet and containerd exit with the node, unless it was killed.
for name in metrics kwok node keeper kubelet containerd up; do
  if pid=$(running "$name"); then
    kill -TERM "$pid"
    within 20 gone "$pid" || kill -9 "$pid"
  fi
  rm -f "$run/$name.pid"
done

# Shims outlive containerd. Ours have its socket in their arguments.
pgrep -f "containerd-shim-runc-v2 .*-address $run/containerd.sock" | xargs -r kill -9 2>/dev/null

[ "${1:-}" = wipe ] || exit 0
awk -v dir="$work/" 'index($2, dir) == 1 {print $2}' /proc/mounts | sort -r | xargs -r umount -l
rm -rf "$state" "$run"
for ns in /var/run/netns/cni-*; do
  [ -e "$ns" ] || continue
  umount "$ns" 2>/dev/null
  rm -f "$ns"
done
ip link del cni0 2>/dev/null
for group in /sys/fs/cgroup/{,*/}{kubepods,k8s.io}; do
  [ -d "$group" ] && find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
done
exit 0
