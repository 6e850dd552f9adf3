#!/bin/bash
# Makes docs/ktail.svg, the picture of the README, of a real run: `make picture`.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
freeze=github.com/charmbracelet/freeze@v0.2.2
columns=118

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
DEMO_FOR=${DEMO_FOR:-12s} .bin/ktail-demo -ktail ./ktail -color >"$run/all" 2>&1
plain() { sed $'s/\033\[[0-9;]*m//g'; }
# What is too wide for the picture is left out.
while IFS= read -r line; do
  [ "$(plain <<<"$line" | wc -m)" -gt "$columns" ] || printf '%s\n' "$line"
done <"$run/all" >"$run/fits"
{
  printf '\033[1m$ make demo\033[0m\n'
  head -n 34 "$run/fits"
  printf '\033[2m…\033[0m\n'
  tail -n 1 "$run/all"
} >"$run/shown"
(cd / && go run "$freeze" --language ansi --window --border.radius 8 --padding 16 --margin 0 \
  --font.family 'ui-monospace,SFMono-Regular,Menlo,Consolas,monospace' --font.size 13 --line-height 1.25 \
  -o "$OLDPWD/docs/ktail.svg" "$run/shown")
