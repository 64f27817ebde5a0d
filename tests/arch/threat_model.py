#!/usr/bin/env python3
"""Holds docs/threat-model.md against the tree: every id has a row with all its columns, and whatever the page names exists.

usage: threat_model.py     at the root of the project

A file is written `path`, tests in it `path: function, function` (defined there and run, as in guarantees.py), a program of
ctest: ctest `name`. A row names a test, or says **No test yet**.

Its column "runs" says what shows it in ./dev test, what is its control and what is its long form:

    ctest `threats_DoS1`; control `tests/threats/threats.c: judge`; long `threats DoS1`

The ctest is one of those in cmake/ (or a unit test); the control's word stands in its file; the long form's words stand in one
command of tests/long.sh, whose loops are written out. Where there is none: "no control: why", "no long form: why". What was
measured is a figure, or "no figure: why".
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guarantees import runs  # noqa: E402

PAGE = "docs/threat-model.md"
IDS = ([f"DoS{i}" for i in range(1, 18)] + [f"ME{i}" for i in range(1, 7)] + [f"MitM{i}" for i in range(1, 4)] +
       [f"T{i}" for i in range(1, 6)])
COLUMNS = 7
RUNS, MEASURED = 3, 4  # of the cells after the id
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


def long_commands():
    """Those of tests/long.sh, each loop over words written out."""
    commands, loop = [], None
    for line in open("tests/long.sh", encoding="utf-8"):
        begin = re.match(r"for (\w+) in (.*?); do(.*)", line)
        if begin:
            loop = (begin[1], begin[2].split())
            line = begin[3]
        words = loop[1] if loop else [""]
        commands += [line.replace(f'"${loop[0]}"', word) if loop else line for word in words if not line.startswith("#")]
        if loop and (line.strip() == "done" or line.rstrip().endswith("; done")):
            loop = None
    return commands


def unit_tests():
    names = set()
    for folder, _, files in os.walk("tests/unit"):
        names |= {os.path.join(folder, f)[len("tests/"):-2].replace("/", "_") for f in files if f.endswith("_test.c")}
    return names


def runs_faults(name, cell, measured, commands):
    faults = []
    shorts = [t for group in CTEST.findall(cell) for t in re.findall(r"`(\w+)`", group)]
    if not shorts:
        faults.append(f"{name}: nothing runs it in ./dev test")
    control = re.search(r"; control `([^`:]+): (\w+)`", cell)
    if control and not (os.path.exists(control[1]) and
                        re.search(rf"\b{control[2]}\b", open(control[1], encoding="utf-8").read())):
        faults.append(f"{name}: there is no control {control[2]} in {control[1]}")
    if not control and not re.search(r"; no control: \w", cell):
        faults.append(f"{name}: no control, and no word why")
    long = re.search(r"; long `([^`]+)`", cell)
    if long and not any(all(re.search(rf"(?<![\w]){re.escape(word)}(?![\w])", command) for word in long[1].split())
                        for command in commands):
        faults.append(f"{name}: tests/long.sh has no {long[1]}")
    if not long and not re.search(r"; no long form: \w", cell):
        faults.append(f"{name}: no long form, and no word why")
    if not re.search(r"\d", re.sub(r"`[^`]*`|docs/\S+", "", measured)) and not measured.startswith("no figure: "):
        faults.append(f"{name}: no figure, and no word why")
    return faults


def row_faults(name, cells, known, commands):
    faults, tests = [], 0
    if len(cells) != COLUMNS - 1 or not all(cells):
        return [f"{name}: {len(cells) + 1} columns instead of {COLUMNS}, or an empty one"], 0
    if "**No test yet**" not in cells[RUNS]:
        faults += runs_faults(name, cells[RUNS], cells[MEASURED], commands)
    for path, functions in FILE.findall(" ".join(cells[:RUNS] + cells[MEASURED:])):
        if not os.path.exists(path):
            faults.append(f"{name}: there is no {path}")
            continue
        tests += path.startswith("tests/")
        faults += [f"{name}: {path} runs no {f.strip()}" for f in functions.split(",")
                   if f.strip() and not runs(path, f.strip())]
    for group in CTEST.findall(" ".join(cells)):
        for test in re.findall(r"`(\w+)`", group):
            tests += 1
            if test not in known[0] and test not in known[2] and not any(re.fullmatch(p, test) for p in known[1]):
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
    known = (*ctests(), unit_tests())
    commands = long_commands()
    for name, cells in rows.items():
        wrong, tests = row_faults(name, cells, known, commands)
        faults += wrong
        count += tests
    print("\n".join(faults + [f"{len(rows)} threats, {count} tests named, {len(faults)} faults"]))
    sys.exit(1 if faults or count == 0 else 0)


if __name__ == "__main__":
    main()
