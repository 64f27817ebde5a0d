#!/bin/sh
# run.sh MLS_VECTORS: runs it over the official files in $HEARTH_VECTORS/mls.
folder=${HEARTH_VECTORS:-../shared/vectors}/mls
files="deserialization messages tree-math tree-operations tree-validation transcript-hashes"
files="$files key-schedule psk_secret"
for file in $files; do
    if [ ! -f "$folder/$file.json" ]; then
        echo "SKIP $folder/$file.json is missing (set HEARTH_VECTORS)"
        exit 77
    fi
    set -- "$@" "$folder/$file.json"
done
exec "$@"
