#!/bin/sh
# run.sh MLS_VECTORS: runs it over all files in $HEARTH_VECTORS/mls, whatever lies there; a file that it can't place or
# does not support yet is a failure. The time is that of the files we made ourselves.
folder=${HEARTH_VECTORS:-../shared/vectors}/mls
if [ ! -d "$folder" ]; then
    echo "SKIP $folder is missing (set HEARTH_VECTORS)"
    exit 77
fi
exec "$1" --now 1795219200 "$folder"/*
