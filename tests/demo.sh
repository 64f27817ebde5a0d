#!/usr/bin/env bash
# ./dev demo: what works today, with the real programs over real sockets. Exits 0 only if every step held.
set -uo pipefail
bin=build/release/bin
scratch=$(mktemp -d)
server=
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; rm -rf "$scratch"' EXIT
failed=0

step() { # step "what it proves" COMMAND...
    local what=$1 begun=$(date +%s%N)
    shift
    if "$@" >"$scratch/out" 2>&1; then
        printf '  ok    %-66s %5d ms\n' "$what" $((($(date +%s%N) - begun) / 1000000))
    else
        printf '  FAIL  %s\n' "$what"
        sed 's/^/        /' "$scratch/out"
        failed=1
    fi
}

echo "Hearth, as far as it stands (docs/status.md): gRPC for C, and MLS underneath."
step "a certificate for the demonstration" openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -keyout "$scratch/key.pem" -out "$scratch/cert.pem" -days 2 -subj /CN=localhost \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:foo.test.google.fr"
coproc SERVER { exec "$bin/bench_server" --port 0 --threads 2 --tls "$scratch/cert.pem" "$scratch/key.pem"; }
server=$SERVER_PID
read -r _ port <&"${SERVER[0]}"
step "a server of generated stubs answers over TLS 1.3, HTTP/2 (nghttp2's client)" \
    nghttp --no-verify-peer -v -d /dev/null "https://127.0.0.1:$port/h2spec"
step "every HTTP/2 rule that strict conformance suites check, over TLS" \
    python3 tests/h2/conformance.py --tls 127.0.0.1 "$port"
if [ -d "${HEARTH_VECTORS:-../shared/vectors}" ]; then
    step "MLS: the official test vectors, all cipher suites" tests/vectors/run.sh "$bin/mls_vectors"
else
    echo "  SKIP  MLS vectors: no files in ${HEARTH_VECTORS:-../shared/vectors}"
fi
kill "$server" 2>/dev/null && wait "$server" 2>/dev/null
server=
[ "$failed" = 0 ] && echo "all of it held"
exit "$failed"
