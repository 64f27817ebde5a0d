#!/usr/bin/env bash
# The RPC table: our server beside gRPC C++ and a bare nghttp2 program, interleaved, on the same cores.
# The baselines and the load tools lie outside this repository, in $HEARTH_PEERS (default ../shared/peers/grpc);
# where they are missing only our own client and server are measured.
# usage: tests/bench/rpc.sh [ROUNDS]
set -euo pipefail
rounds=${1:-3}
bin=$PWD/build/release/bin
peers=${HEARTH_PEERS:-$PWD/../shared/peers/grpc}
if [ ! -x "$peers/bench.sh" ]; then
    echo "SKIP no baselines in $peers: our own client against our own server"
    "$bin/bench_server" --port 0 --threads 1 >build/bench_server.out &
    server=$!
    trap 'kill $server' EXIT
    sleep 0.5
    read -r _ port <build/bench_server.out
    exec "$bin/bench_client" "127.0.0.1:$port" --secs 5
fi
export BENCH_B=${BENCH_B:-$PWD/build/bench}
mkdir -p "$BENCH_B"
"$peers/bench.sh" build >"$BENCH_B/build.log" 2>&1 || { tail -20 "$BENCH_B/build.log"; exit 1; }
(cat "$peers/servers.conf"; echo "ours ; grpc ; $bin/bench_server --port {port} --threads 1 {tls}") >"$BENCH_B/servers.conf"
rm -f "$BENCH_B/r.jsonl"
"$peers/bench.sh" run --conf "$BENCH_B/servers.conf" --rounds "$rounds" --only ours,cpp-callback,cpp-async-min,ng-pbc \
    --work u100,u1024,c200,stream --out "$BENCH_B/r.jsonl" >"$BENCH_B/run.log"
lscpu | grep -E 'Model name|^CPU\(s\)'
"$peers/bench.sh" report "$BENCH_B/r.jsonl"
"$peers/bench.sh" mem --conf "$BENCH_B/servers.conf" --only ours,cpp-callback
