#!/bin/bash
# Installs what start.sh needs: Java and Maven from Debian, the servers' jars from Maven
# Central (190 MB), and the two launchers. The first run takes a minute. Requires root only
# if Java or Maven is missing.
#   setup.sh [NAME...]     default: all servers
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

main() {
  local name wanted=("$@")
  [ $# -gt 0 ] || wanted=("${names[@]}")
  mkdir -p "$lib" "$classes" "$state" "$run"
  for name in "${wanted[@]}"; do
    describe "$name"
    java "$least" >/dev/null || install_java "$least"
  done
  if ! command -v mvn >/dev/null || ! command -v curl >/dev/null; then
    install ca-certificates curl maven
  fi
  for name in "${wanted[@]}"; do
    describe "$name"
    jars "$name"
    launcher "$name"
  done
}

# install PACKAGE... installs Debian packages.
install() {
  echo "install: $*"
  [ "$(id -u)" = 0 ] || die "$* are missing; installing them needs root"
  apt-get update -q -o Acquire::Retries=3
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 "$@"
}

# install_java LEAST installs the oldest sufficient Java of this Debian release.
install_java() {
  local version
  [ "$(id -u)" = 0 ] || die "Java $1 is missing; installing it needs root"
  apt-get update -q -o Acquire::Retries=3
  for version in 17 21 25; do
    if [ "$version" -ge "$1" ] && apt-cache show "openjdk-$version-jdk-headless" >/dev/null 2>&1; then
      install "openjdk-$version-jdk-headless"
      return
    fi
  done
  die "this Debian has no Java $1: install one below /usr/lib/jvm, or set JAVA_HOME"
}

# jars NAME fetches the jars of the server described last, all or none.
jars() {
  [ ! -e "$lib/$1" ] || return 0
  echo "fetch the jars of $1"
  rm -rf "$lib/$1.new"
  mvn -q -B -C -Dstyle.color=never -f "$here/pom.xml" -Drunner.group="${runner[0]}" -Drunner.artifact="${runner[1]}" -Drunner.version="${runner[2]}" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$lib/$1.new"
  mv "$lib/$1.new" "$lib/$1"
}

# launcher NAME compiles the class that starts the server described last. The jars may
# require a newer compiler than the class, which other servers also use.
launcher() {
  local class=$classes/$launcher.class compiler
  [ ! "$class" -nt "$here/$launcher.java" ] || return 0
  compiler=$(java "$least")c
  "$compiler" --release 17 -d "$classes" -cp "$lib/$1/*" "$here/$launcher.java"
}

main "$@"
