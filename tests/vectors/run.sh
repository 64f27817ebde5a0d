#!/bin/sh
# run.sh MLS_VECTORS: runs it over all files in $HEARTH_VECTORS/mls, whatever lies there; a file that it can't place or
# does not support yet is a failure. The time is that of the files we made ourselves.
folder=${HEARTH_VECTORS:-../shared/vectors}/mls
if [ ! -d "$folder" ]; then
    echo "SKIP $folder is missing (set HEARTH_VECTORS)"
    exit 77
fi
exec "$1" --now 1795219200 "$folder"/*
exec "$1" --now 1795219200 \
    "$folder/crypto-basics.json" \
    "$folder/deserialization.json" \
    "$folder/key-schedule.json" \
    "$folder/message-protection.json" \
    "$folder/messages.json" \
    "$folder/passive-client-handling-commit.json" \
    "$folder/passive-client-welcome.json" \
    "$folder/psk_secret.json" \
    "$folder/secret-tree.json" \
    "$folder/transcript-hashes.json" \
    "$folder/tree-math.json" \
    "$folder/tree-operations.json" \
    "$folder/tree-validation.json" \
    "$folder/treekem.json" \
    "$folder/welcome.json" \
    "$folder/public-follower-sample.json" \
    "$folder/labelled-sample.txt"
