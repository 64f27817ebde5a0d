#!/bin/sh
# run.sh MLS_VECTORS: runs it over the files in $HEARTH_VECTORS/mls. The time is that of the files we made ourselves.
folder=${HEARTH_VECTORS:-../shared/vectors}/mls
files="
crypto-basics.json
deserialization.json
key-schedule.json
message-protection.json
messages.json
passive-client-handling-commit.json
passive-client-welcome.json
psk_secret.json
secret-tree.json
transcript-hashes.json
tree-math.json
tree-operations.json
tree-validation.json
treekem.json
welcome.json
public-follower-sample.json
labelled-sample.txt
"
program=$1
set --
for file in $files; do
    if [ ! -f "$folder/$file" ]; then
        echo "SKIP $folder/$file is missing (set HEARTH_VECTORS)"
        exit 77
    fi
    set -- "$@" "$folder/$file"
done
exec "$program" --now 1795219200 "$@"
