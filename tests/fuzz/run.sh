#!/bin/sh
# Runs every fuzz target of a build of the preset fuzz for so many seconds, from its seeds, and prints a line each.
# usage: tests/fuzz/run.sh SECONDS [BUILD] [NAME...]      exit 1: something was found
set -u
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:-10}
build=${2:-$here/../../build/fuzz}
[ $# -ge 2 ] && shift 2 || shift $#
bad=0
count=0
for source in "$here"/*.c; do
  name=$(basename "$source" .c)
  program=$build/bin/fuzz_$name
  [ -d "$here/$name" ] && [ -x "$program" ] || continue
  case " $* " in "  "|*" $name "*) ;; *) continue ;; esac
  mkdir -p "$build/corpus/$name"
  if "$program" -max_total_time="$seconds" -rss_limit_mb=3072 -timeout=20 -print_final_stats=1 \
      -artifact_prefix="$build/$name-" "$build/corpus/$name" "$here/$name" >"$build/$name.log" 2>&1; then
    result=ok
  else
    result=FOUND
    bad=$((bad + 1))
  fi
  count=$((count + 1))
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
  reached=$(grep -o 'cov: [0-9]*' "$build/$name.log" | tail -1)
  echo "$result $name: ${runs:-?} runs, ${reached:-cov: ?}, $(ls "$build/corpus/$name" | wc -l) inputs"
done
echo "$((count - bad)) passed, $bad failed, 0 skipped"
[ "$bad" = 0 ] && [ "$count" -gt 0 ]
