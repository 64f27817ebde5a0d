#!/bin/sh
# run.sh PROGRAM SUPPRESSIONS: the program under valgrind must be clean, and its control must be reported (exit 9).
if [ ! -x "$1" ]; then
    echo "SKIP not built: needs package valgrind, and a build without sanitizer"
    exit 77
fi
if ! command -v valgrind >/dev/null; then
    echo "SKIP valgrind is not installed"
    exit 77
fi
check="valgrind -q --error-exitcode=9 --suppressions=$2"
$check "$1" --control 2>/dev/null
status=$?
if [ $status -ne 9 ]; then
    echo "the control, which branches on a secret, was not found out (exit $status)"
    exit 1
fi
exec $check "$1"
