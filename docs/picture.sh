#!/bin/bash
# Makes docs/ktail.svg, the screenshot in README.md, from a run of the demo in
# which ktail writes to a terminal: `make picture`. With QUERY=worker, ktail shows
# only the pods of the query, and the picture the crash at the start. Requires
# script(1) of util-linux.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
freeze=github.com/charmbracelet/freeze@v0.2.2
columns=118
image=${IMAGE:-docs/ktail.svg}   # its suffix selects the format: .svg or .png
theme=${THEME:-dark}
query=${QUERY:-}

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT

# The demo reads what ktail prints through a pipe. This program is its ktail: it
# runs the real one on a terminal of its own and passes the interrupt on.
cat >"$run/ktail" <<EOF
#!/bin/bash
[ -z "$query" ] || set -- "$query" "\${@:2}"
trap 'kill -INT "\$(cat $run/pid)"' INT
export COLUMNS=$columns SHELL=/bin/bash TERM=xterm-256color
script -qefc "stty -onlcr cols $columns; echo \\\$\\\$ >$run/pid; exec $PWD/ktail \$*" /dev/null </dev/null &
wait -f \$! || wait -f \$!
EOF
chmod +x "$run/ktail"

# It misses the lines of the other pods if there is a query.
DEMO_FOR=${DEMO_FOR:-12s} .bin/ktail-demo -ktail "$run/ktail" -color >"$run/all" 2>&1 || [ -n "$query" ]
plain() { sed $'s/\033\[[0-9;]*m//g'; }
# Lines wider than the image are left out.
while IFS= read -r line; do
  [ "$(plain <<<"$line" | wc -m)" -gt "$columns" ] || printf '%s\n' "$line"
done <"$run/all" >"$run/fits"
if [ -n "$query" ]; then
  printf '\033[1m$ ktail %s node/worker-1 -u kubelet -n shop --previous --events\033[0m\n' "$query"
  head -n 14 "$run/fits"
else
  printf '\033[1m$ make demo\033[0m\n'
  head -n 34 "$run/fits"
  printf '\033[2m…\033[0m\n'
  tail -n 1 "$run/all"
fi >"$run/shown"
case $theme in
light) background='#ffffff' ;;
*) background='#171717' ;;
esac
cp "$run/shown" "${SHOWN:-/dev/null}"
(cd / && go run "$freeze" --language ansi --window --border.radius 8 --padding 16 --margin 0 --background "$background" \
  --font.family 'ui-monospace,SFMono-Regular,Menlo,Consolas,monospace' --font.size 13 --line-height 1.25 \
  -o "$OLDPWD/$image" "$run/shown")
