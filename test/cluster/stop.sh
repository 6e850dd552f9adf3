#!/bin/bash
# Ends what start.sh started. The state stays for the next start, except with:
# stop.sh wipe
set -uo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# kubelet and containerd end with the node, unless it was killed.
for name in metrics kwok node keeper kubelet containerd up; do
  if pid=$(running "$name"); then
    kill -TERM "$pid"
    within 20 gone "$pid" || kill -9 "$pid"
  fi
  rm -f "$run/$name.pid"
done

# Shims outlive containerd: ours are those with its socket in their arguments.
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
