#!/bin/bash
# Tests the page in Chromium, which it installs on Debian. The accessibility rules
# of axe-core are checked if npm can fetch it.
#   test/web.sh [ARGUMENT OF GO TEST...]
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

if ! command -v chromium >/dev/null; then
  apt-get update -q -o Acquire::Retries=3
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o Acquire::Retries=3 \
    chromium fonts-dejavu-core fonts-noto-core
fi

# axe-core is data for a test, so it is no dependency of a module.
axe=axe-core-4.14.1
sum=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
if [ ! -f ".bin/$axe.js" ] && command -v npm >/dev/null; then
  dir=$(mktemp -d)
  trap 'rm -rf "$dir"' EXIT
  if (cd "$dir" && npm pack --silent "axe-core@${axe#axe-core-}" >/dev/null); then
    echo "$sum  $dir/$axe.tgz" | sha512sum --check --quiet
    tar -xzf "$dir/$axe.tgz" -C "$dir" package/axe.min.js
    mkdir -p .bin
    mv "$dir/package/axe.min.js" ".bin/$axe.js"
  fi
fi
[ -f ".bin/$axe.js" ] && export AXE="$PWD/.bin/$axe.js"

go build -o .bin/ktail-web-test ./cmd/ktail
export KTAIL="$PWD/.bin/ktail-web-test"
cd test/web
go vet ./...
exec go test -count=1 -timeout 8m "$@" ./...
