#!/bin/sh
# The metrics page, as Prometheus itself reads it. usage: promtool.sh FRONT_PAGE
if ! command -v promtool >/dev/null; then
  echo "SKIP promtool is not installed (Debian: prometheus)"
  exit 77
fi
set -e
page=$(mktemp)
trap 'rm -f "$page"' EXIT
"$1" >"$page"
promtool check metrics <"$page"
echo "$(grep -vc '^#' "$page") series, $(grep -c '^# TYPE' "$page") families"
# and a page that is wrong is noticed
if echo 'hearthd_nonces 1 x' | promtool check metrics 2>/dev/null; then
  echo "promtool takes anything"
  exit 1
fi
