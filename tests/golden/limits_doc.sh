#!/bin/sh
# docs/limits.md holds the server's limits as limit.def has them. usage: limits_doc.sh FRONT_PAGE [--write]
set -e
doc=docs/limits.md
begin='<!-- server limits: printed from server/front/limit.def -->'
end='<!-- end of server limits -->'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" limits >"$work/want"
if [ "$2" = --write ]; then
  awk -v begin="$begin" -v end="$end" -v rows="$work/want" '
    $0 == end { inside = 0 }
    !inside { print }
    $0 == begin { inside = 1; while ((getline line < rows) > 0) print line }' "$doc" >"$work/doc"
  cat "$work/doc" >"$doc"
fi
awk -v begin="$begin" -v end="$end" '$0 == end { inside = 0 } inside { print } $0 == begin { inside = 1 }' "$doc" \
  >"$work/got"
diff -u "$work/got" "$work/want" || {
  echo "docs/limits.md is out of date: tests/golden/limits_doc.sh PROGRAM --write"
  exit 1
}
echo "$(wc -l <"$work/want") lines agree"
