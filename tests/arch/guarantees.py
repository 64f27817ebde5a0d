#!/usr/bin/env python3
"""Holds docs/guarantees.md against the tree: every promise has a row, every file and every test in it exists.

usage: guarantees.py     at the root of the project

A test is written `file: function, function`. It must be defined there and be run (a static void function of C that
stands in a table of tests as well, a function of Python behind @test), and one test of each promise must carry its id.
"""
import os
import re
import sys

PAGE = "docs/guarantees.md"
PROMISES = ([f"Q{i}" for i in range(1, 7)] + [f"G{i}" for i in range(1, 6)] + ["K1", "T1", "A1"] +
            [f"F{i}" for i in range(1, 4)] + [f"S{i}" for i in range(1, 4)])
REGRESSIONS = ["two commits in one epoch", "state stored but fan-out lost", "limiter that never counts",
               "unbounded reservation set", "listener missing a wake-up", "acknowledgement of another's queue",
               "Welcome list shorter than the adds", "ex-member reading state",
               "content-type and epoch unchecked on send", "unsigned fallback", "spent-token table lost in a crash"]
FILE = re.compile(r"`((?:tests|server|lib)/[A-Za-z0-9_/.]+\.(?:c|h|py|def))(?:: ([A-Za-z0-9_, ]+))?`")


def runs(path, function):
    text = open(path, encoding="utf-8").read()
    if path.endswith(".py"):
        return re.search(rf"^@test\ndef {function}\(", text, re.M) is not None
    defined = re.search(rf"^static void {function}\(void \*\*state\)$", text, re.M)
    return defined is not None and len(re.findall(rf"\b{function}\b(?!\(void)", text)) > 0


def cell_faults(name, cells):
    """What is wrong with a row, and the tests that it names."""
    faults, tests = [], []
    for path, functions in FILE.findall(" ".join(cells)):
        if not os.path.exists(path):
            faults.append(f"{name}: there is no {path}")
        elif path.startswith("tests/"):
            named = [f.strip() for f in functions.split(",") if f.strip()]
            tests += named
            faults += [f"{name}: {path} runs no {f}" for f in named if not runs(path, f)]
    return faults, tests


def main():
    rows = {}
    for line in open(PAGE, encoding="utf-8"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 2 and not set(cells[0]) <= set("-: "):
            rows[cells[0]] = cells[1:]
    faults, count = [], 0
    for name in PROMISES + REGRESSIONS:
        # a promise is `Q1 words`, a regression its words alone
        row = next((cells for first, cells in rows.items() if first == name or first.startswith(name + " ")), None)
        if row is None:
            faults.append(f"{PAGE}: no row for {name}")
            continue
        wrong, tests = cell_faults(name, row)
        count += len(tests)
        faults += wrong
        if not tests:
            faults.append(f"{name}: no test")
        elif name in PROMISES and not any(name.lower() in t.lower().split("_") for t in tests):
            faults.append(f"{name}: none of its tests is named after it")
    print("\n".join(faults + [f"{len(PROMISES)} promises, {len(REGRESSIONS)} regressions, {count} tests named, "
                              f"{len(faults)} faults"]))
    sys.exit(1 if faults or count == 0 else 0)


if __name__ == "__main__":
    main()
