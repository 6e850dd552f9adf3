# Sourced by the other scripts in this directory: shared names and functions.
# shellcheck shell=bash disable=SC2034
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=env.sh
. "$here/env.sh"
work=$TESTCLUSTER_WORK
bin=$work/bin     # what setup.sh builds
images=$work/images
etc=$work/etc     # configuration, with the paths put in
state=$work/state # what the cluster remembers, and its logs
run=$work/run     # process ids and sockets

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# running NAME prints the process ID in run/NAME.pid if that process is alive and ours:
# the file outlives its process, whose ID may be reused.
running() {
  local pid command
  pid=$(cat "$run/$1.pid" 2>/dev/null) || return
  command=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return
  case $1 in
    up | kubelet) [[ $command == "$bin/testcluster $1 "* ]] ;;
    kwok) [[ $command == "$bin/kwok "* ]] ;;
    metrics) [[ $command == "$bin/metrics-server "* ]] ;;
    node | keeper) [[ $command == *"/node.sh "* ]] ;;
    containerd) [[ $command == *"containerd -c $etc/containerd.toml "* ]] ;;
  esac || return
  echo "$pid"
}

# spawn NAME LOG COMMAND... starts a command that outlives this script.
spawn() {
  local name=$1 log=$2
  shift 2
  setsid "$@" >"$log" 2>&1 </dev/null &
  echo $! >"$run/$name.pid"
}

# within SECONDS COMMAND... tries the command until it succeeds.
within() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return
    sleep .1
  done
}

# gone PID reports whether the process has ended. A zombie is still listed. The command
# line is no evidence: it is empty for a moment when a new process starts its program.
gone() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  stat=${stat##*) }
  [[ $stat == [ZX]* ]]
}
