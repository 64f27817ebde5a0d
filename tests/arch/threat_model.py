#!/usr/bin/env python3
"""Holds docs/threat-model.md against the tree: every id has a row with all its columns, and whatever the page names exists.

usage: threat_model.py     at the root of the project

A file is written `path`, tests in it `path: function, function` (defined there and run, as in guarantees.py), a program of
ctest: ctest `name`. A row names a test, or says **No test yet**.
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guarantees import runs  # noqa: E402

PAGE = "docs/threat-model.md"
IDS = ([f"DoS{i}" for i in range(1, 18)] + [f"ME{i}" for i in range(1, 7)] + [f"MitM{i}" for i in range(1, 4)] +
       [f"T{i}" for i in range(1, 6)])
COLUMNS = 6
FILE = re.compile(r"`((?:tests|server|client|lib|proto|docs|include)/[A-Za-z0-9_/.-]+)(?:: ([A-Za-z0-9_, ]+))?`")
CTEST = re.compile(r"ctest ((?:`[a-zA-Z0-9_]+`(?:, )?)+)")


def ctests():
    """Names in cmake/, and what they are made of where they are made in a loop."""
    text = "".join(open(os.path.join("cmake", f), encoding="utf-8").read() for f in sorted(os.listdir("cmake"))
                   if f.endswith(".cmake"))
    names, patterns = set(re.findall(r"hearth_test\((\w+)\s", text)), []
    for name in re.findall(r"hearth_test\((\w*\$\{\w+\}\w*)\s", text):
        patterns.append(re.sub(r"\\\$\\\{\w+\\\}", r"\\w+", re.escape(name)))
    return names, patterns


def row_faults(name, cells, known):
    faults, tests = [], 0
    if len(cells) != COLUMNS - 1 or not all(cells):
        faults.append(f"{name}: {len(cells) + 1} columns instead of {COLUMNS}, or an empty one")
    for path, functions in FILE.findall(" ".join(cells)):
        if not os.path.exists(path):
            faults.append(f"{name}: there is no {path}")
            continue
        tests += path.startswith("tests/")
        faults += [f"{name}: {path} runs no {f.strip()}" for f in functions.split(",")
                   if f.strip() and not runs(path, f.strip())]
    for group in CTEST.findall(" ".join(cells)):
        for test in re.findall(r"`(\w+)`", group):
            tests += 1
            if test not in known[0] and not any(re.fullmatch(p, test) for p in known[1]):
                faults.append(f"{name}: there is no ctest {test}")
    if tests == 0 and "**No test yet**" not in " ".join(cells):
        faults.append(f"{name}: no test, and it does not say so")
    return faults, tests


def main():
    rows, faults, count = {}, [], 0
    for line in open(PAGE, encoding="utf-8"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and cells[0] not in ("id", "---"):
            if cells[0] in rows:
                faults.append(f"{PAGE}: two rows for {cells[0]}")
            rows[cells[0]] = cells[1:]
    faults += [f"{PAGE}: no row for {name}" for name in IDS if name not in rows]
    faults += [f"{PAGE}: {name} is no threat that we know" for name in rows if name not in IDS]
    known = ctests()
    for name, cells in rows.items():
        wrong, tests = row_faults(name, cells, known)
        faults += wrong
        count += tests
    print("\n".join(faults + [f"{len(rows)} threats, {count} tests named, {len(faults)} faults"]))
    sys.exit(1 if faults or count == 0 else 0)


if __name__ == "__main__":
    main()
