#!/bin/bash
# Starts one real node on 127.0.0.1:PORT, and returns when it responds. Its data is kept
# per port when it stops: a newer version that is started on the port takes it over.
#   start.sh NAME PORT [SETTING=VALUE...]
# HEAP is the size of its heap (default: 512m).
set -euo pipefail
# shellcheck source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ $# -ge 2 ] || die "usage: start.sh NAME PORT [SETTING=VALUE...]"
name=$1 port=$2
shift 2
describe "$name"
[ -e "$lib/$name" ] && [ -e "$classes/$launcher.class" ] || die "run setup.sh first"
command=$(java "$least") || die "$name needs Java $least: run setup.sh first"
if pid=$(running "$port"); then
  die "a server runs on port $port already (process $pid)"
fi

# Each server has its own transport port and discovers only itself, so several can run at
# the same time without forming a cluster.
transport=$((port + 100))
settings=(network.host=127.0.0.1 http.cors.enabled=false cluster.routing.allocation.disk.threshold_enabled=false)
case $name in
  elasticsearch6) settings+=(transport.tcp.port=$transport discovery.zen.ping.unicast.hosts=127.0.0.1:$transport) ;;
  elasticsearch7) settings+=(transport.port=$transport discovery.seed_hosts=127.0.0.1:$transport "cluster.initial_master_nodes=Node 1") ;;
  opensearch*) settings+=(transport.port=$transport discovery.seed_hosts=127.0.0.1:$transport node.roles=cluster_manager,data,ingest) ;;
esac
[ "$name" != opensearch2 ] || settings+=("cluster.initial_master_nodes=Node 1")

mkdir -p "$state/$port" "$run"
rm -rf "$state/$port/node_1/config" # another version would not understand it
cd "$state/$port"
opens=(--add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED --add-opens=java.base/sun.nio.ch=ALL-UNNAMED)
setsid "$command" -Xms"${HEAP:-512m}" -Xmx"${HEAP:-512m}" -XX:+UseSerialGC "${opens[@]}" -cp "$classes:$lib/$name/*" \
  "$launcher" "$state/$port" "$port" "${settings[@]}" "$@" >"$state/$port.log" 2>&1 </dev/null &
pid=$!
echo "$pid" >"$run/$port.pid"

answers() {
  gone "$pid" || curl -sf "http://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=1s"
}
if ! within 240 answers || gone "$pid"; then
  "$here/stop.sh" "$port"
  tail -n 20 "$state/$port.log" >&2
  die "$name does not start, see $state/$port.log"
fi
