#!/bin/sh
# What hearthd prints of itself is kept in docs/, so that a change of the attack surface or of a default shows in a diff.
# usage: hearthd.sh HEARTHD [--write]
set -eu
cd "$(dirname "$0")/../.."
hearthd=$1
failed=0
page() { # page FILE WORDS...
    file=$1
    shift
    if [ "${write:-}" = --write ]; then
        "$hearthd" "$@" >"$file"
    elif ! "$hearthd" "$@" | diff -u "$file" -; then
        echo "FAILED $file is not what hearthd $* prints; tests/golden/hearthd.sh HEARTHD --write makes it anew"
        failed=1
    fi
}
write=${2:-}
page docs/endpoints.txt endpoints
page docs/configuration.txt config describe
page docs/hearthd.txt --help
exit "$failed"
