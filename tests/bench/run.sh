#!/usr/bin/env bash
# ./dev bench: every figure, one after the other, on an otherwise idle machine.
set -uo pipefail
bin=build/release/bin
for program in crypto_bench mls_bench member_bench store_bench; do
    [ -x "$bin/$program" ] || continue
    echo "## $program"
    "$bin/$program"
done
echo "## rpc"
tests/bench/rpc.sh "${1:-3}"
