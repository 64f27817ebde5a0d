#!/usr/bin/env bash
# Each bad/X.proto is refused with exactly the lines of bad/X.txt, and nothing is written.
# usage: refusals.sh PLUGIN SCRATCH [--write]     --write takes what the plugin says now; read the difference.
# Plugin options stand in the first line: `// options: policy=optional`.
set -euo pipefail
plugin=$1 scratch=$2 write=${3:-}
command -v protoc >/dev/null || { echo "SKIP no protoc"; exit 77; }
here=tests/golden/plugin/bad
count=0 status=0
for proto in "$here"/*.proto; do
    name=$(basename "$proto" .proto)
    options=$(sed -n '1s|^// options: ||p' "$proto")
    rm -rf "$scratch" && mkdir -p "$scratch/out"
    if protoc --plugin=protoc-gen-hearth="$plugin" -I "$here" -I proto -I /usr/include \
        --hearth_out="$options:$scratch/out" "$name.proto" 2>"$scratch/said"; then
        echo "$proto: was not refused"
        status=1
    fi
    [ "$write" = --write ] && cp "$scratch/said" "$here/$name.txt"
    diff "$here/$name.txt" "$scratch/said" || { echo "$proto: refused with other words"; status=1; }
    [ -z "$(ls -A "$scratch/out")" ] || { echo "$proto: wrote files"; status=1; }
    count=$((count + 1))
done
echo "$count refusals"
[ $count -gt 0 ] || exit 1
exit $status
