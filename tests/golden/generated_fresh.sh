#!/usr/bin/env bash
# Is what is committed under generated/ and docs/protocol what the .proto files give today?
# usage: generated_fresh.sh PLUGIN SCRATCH
set -euo pipefail
plugin=$1 scratch=$2
for tool in protoc protoc-c; do
    command -v "$tool" >/dev/null || { echo "SKIP no $tool"; exit 77; }
done
version=$(protoc-c --version)
case $version in
    "protobuf-c 1.4."*) ;;
    *) echo "SKIP protoc-c writes other text: $version"; exit 77 ;;
esac
rm -rf "$scratch"
mkdir -p "$scratch/generated" "$scratch/docs/protocol"
proto/generate.sh "$plugin" "$scratch/generated" "$scratch/docs"
status=0
diff -r generated "$scratch/generated" || status=1
if [ -d docs/protocol ]; then
    diff -r docs/protocol "$scratch/docs/protocol" || status=1
fi
files=$(find "$scratch" -type f | wc -l)
echo "$files files compared"
[ "$files" -gt 10 ] || { echo "too few: generated nothing?"; exit 1; }
[ $status = 0 ] || echo "run ./dev generate and look at the difference"
exit $status
