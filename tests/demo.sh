#!/usr/bin/env bash
# ./dev demo: what works today, with the real programs over real sockets. Exits 0 only if every step held.
set -uo pipefail
bin=build/release/bin
scratch=$(mktemp -d)
mkdir "$scratch/home"
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null; wait "$p" 2>/dev/null; done; rm -rf "$scratch"' EXIT
failed=0

step() { # step "what it proves" COMMAND...
    local what=$1 begun
    begun=$(date +%s%N)
    shift
    if timeout 60 "$@" >"$scratch/out" 2>&1; then
        printf '  ok    %-72s %6d ms\n' "$what" $((($(date +%s%N) - begun) / 1000000))
    else
        printf '  FAIL  %s\n' "$what"
        tail -20 "$scratch/out" | sed 's/^/        /'
        failed=1
    fi
}

serve() { # serve NAME PROGRAM ARGS...: starts it on a free port, sets $port from its line `ready PORT`
    local out=$scratch/$1
    shift
    "$@" >"$out" 2>&1 &
    pids+=($!)
    for _ in $(seq 50); do
        port=$(grep -oE '[0-9]+$' "$out" | head -1)
        [ -n "$port" ] && return
        sleep 0.1
    done
    echo "  FAIL  $1 did not start"
    failed=1
}

echo "Hearth, as far as it stands (docs/status.md)"
echo
echo "gRPC for C, over TLS 1.3"
step "a certificate for this demonstration" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$scratch/key.pem" -out "$scratch/cert.pem" -days 2 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1"
serve bench "$bin/bench_server" --port 0 --threads 2 --tls "$scratch/cert.pem" "$scratch/key.pem"
step "calls through generated stubs: every answer checked, one second's load" \
    "$bin/bench_client" "127.0.0.1:$port" --tls "$scratch/cert.pem" --secs 1
grep -o '"rps":[0-9]*' "$scratch/out" | sed 's/"rps":/        calls a second, client and server on this machine: /'
step "every rule of HTTP/2 that strict conformance suites ask for" \
    python3 tests/h2/conformance.py --tls 127.0.0.1 "$port"
step "gRPC's own interoperability cases, client and server ours" \
    python3 tests/interop/run.py --bin "$bin" --work build/interop --peer hearth
echo
echo "MLS (RFC 9420)"
if [ -d "${HEARTH_VECTORS:-../shared/vectors}" ]; then
    step "the official test vectors, cipher suites 1 to 7" tests/vectors/run.sh "$bin/mls_vectors"
else
    echo "  SKIP  MLS vectors: no files in ${HEARTH_VECTORS:-../shared/vectors}"
fi
step "groups of up to 20 members through random histories agree on every epoch" \
    "$bin/unit_lib_mls_member_random_world_test"
echo
echo "Storage"
step "a database killed 20 times in mid-work: nothing acknowledged is lost" "$bin/store_crash" --cycles 20
echo
echo "The homeserver"
step "one command makes a homeserver: keys, certificate, databases, an invitation" \
    "$bin/hearthd" --dir "$scratch/home/a" init --dev --domain a.test --listen 127.0.0.1:0
invitation=$(sed -n 's/^invite  *\([^ ]*\).*/\1/p' "$scratch/out")
serve hearthd "$bin/hearthd" --dir "$scratch/home/a" run
step "hearthd check finds no fault" "$bin/hearthd" --dir "$scratch/home/a" check
if /usr/bin/python3 -c 'import grpc, cryptography' 2>/dev/null; then
    step "a client in Python, on our .proto alone: account, credential, queue; a wrong key is refused" \
        /usr/bin/python3 docs/examples/python/account.py "127.0.0.1:$port" "$scratch/home/hearth-dev-ca.pem" "$invitation"
    sed 's/^/        /' "$scratch/out"
else
    echo "  SKIP  the client in Python: python3-grpcio and python3-cryptography are not installed"
fi
step "a backup while it runs, and its verification" \
    sh -c "'$bin/hearthd' --dir '$scratch/home/a' backup '$scratch/home/a/backups/first' && '$bin/hearthd' verify '$scratch/home/a/backups/first'"
echo
[ "$failed" = 0 ] && echo "all of it held"
exit "$failed"
