#!/bin/sh
# planted_units.sh BIN: bugs that no world can find (planted.def names a case of a unit test instead of a seed), each
# against that case, which must fail then, and pass without.
set -u
bin=$1
def=$(dirname "$0")/planted.def
out=$(mktemp)
trap 'rm -f "$out"' EXIT
tried=0 found=0
for plant in $(sed -n 's/^PLANT([0-9]*, "\([a-z]*\) \([a-z0-9_]*\)", \([A-Z_]*\), .*/\1:\2:\3/p' "$def"); do
  unit=${plant%%:*} name=${plant##*:}
  HEARTH_CASE=${plant#*:}
  export HEARTH_CASE="${HEARTH_CASE%:*}"
  tried=$((tried + 1))
  if ! "$bin/planted_$unit" >"$out" 2>&1 || ! grep -q "OK \] $HEARTH_CASE" "$out"; then
    echo "$unit: $HEARTH_CASE does not pass without $name:"
    cat "$out"
    continue
  fi
  HEARTH_PLANT=$name "$bin/planted_$unit" >"$out" 2>&1
  status=$?
  if [ $status != 0 ] && grep -q "FAILED  \] $HEARTH_CASE" "$out"; then
    found=$((found + 1))
    echo "found  $name: $unit: $HEARTH_CASE"
  else
    echo "LOST   $name: $unit: $HEARTH_CASE ends with $status"
  fi
done
echo "$found of $tried found"
[ "$tried" -gt 0 ] && [ "$found" = "$tried" ]
