#!/usr/bin/env bash
# ./dev bench: every figure, one after the other, on an otherwise idle machine.
set -uo pipefail
bin=build/release/bin
for program in crypto_bench pass_bench mls_bench member_bench store_bench tlog_bench; do
    [ -x "$bin/$program" ] || continue
    echo "## $program"
    "$bin/$program"
done
for program in front_bench keeper_bench queue_bench queue_listen_bench delivery_bench outbox_bench blob_bench kt_bench charge_bench; do
    [ -x "$bin/$program" ] || continue
    echo "## $program"
    "$bin/$program"
done
echo "## server_bench"
"$bin/server_bench" "$bin/hearthd" 2>/dev/null
echo "## log_bench"
python3 tests/bench/log_bench.py "$bin"
echo "## rpc"
tests/bench/rpc.sh "${1:-3}"
