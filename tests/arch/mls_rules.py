#!/usr/bin/env python3
"""The rules of RFC 9420 that lib/mls holds messages against, as a numbered list, section by section: docs/mls-rules.md.

usage: mls_rules.py [--write]     without it: is the list fresh, and does a test name each rule's error?

A rule is a comment `RFC 9420 12.2: text` in lib/mls with the error it gives in the lines behind it. Tests that break
a rule name its error; a rule whose error no test names fails, unless it is in UNTESTED with a reason.
"""
import collections
import glob
import os
import re
import sys

PAGE = "docs/mls-rules.md"
COMMENT = re.compile(r"/\*\s*RFC 9420 ([0-9][0-9., to]*?[0-9]):\s*(.*?)\*/", re.S)
ERROR = re.compile(r"\bERR(?:_|\()((?:MLS|CRYPTO|WIRE)_[A-Z_0-9]+)")
BEHIND_LINES = 8
UNTESTED = {}


def rules():
    for path in sorted(glob.glob("lib/mls/*/*.c")):
        text = open(path, encoding="ascii").read()
        for found in COMMENT.finditer(text):
            behind = text[found.end():].split("\n")[:BEHIND_LINES]
            until = next((i for i, line in enumerate(behind) if i > 0 and (line.startswith("}") or "/* RFC" in line)),
                         len(behind))
            error = ERROR.search("\n".join(behind[:until]))
            if error:
                words = " ".join(found.group(2).replace("*", " ").split())
                yield found.group(1), words, error.group(1), path


def section_key(sections):
    return [int(n) for n in re.findall(r"\d+", re.split(r"[, ]", sections)[0])], sections


def tests():
    named = collections.defaultdict(list)
    for path in sorted(glob.glob("tests/unit/lib/mls/*/*.c") + glob.glob("tests/unit/lib/crypto/*.c")):
        text = open(path, encoding="utf-8").read()
        if path.endswith("/mutation_test.c"):  # else it compares errors, whatever they are
            text = " ".join(re.findall(r"assert_err\([^;]*;", text))
        for name in set(re.findall(r"\b(?:ERR_)?((?:MLS|CRYPTO|WIRE)_[A-Z_0-9]+)\b", text)):
            named[name].append(os.path.basename(path))
    return named


def page(found, named):
    lines = ["# The rules of RFC 9420 that messages are held against", "",
             "Made from the comments in lib/mls by `tests/arch/mls_rules.py --write`; ctest sees that it is fresh and that",
             "tests name every error. The tests break one rule each and expect this error.", "",
             "| no. | RFC 9420 | rule | error | where | tests |", "|---|---|---|---|---|---|"]
    for number, (sections, words, error, path) in enumerate(found, 1):
        where = ", ".join(named[error]) or f"none: {UNTESTED.get(error, '?')}"
        words = words.replace("|", "\\|")
        lines.append(f"| {number} | {sections} | {words} | {error} | {path[len('lib/mls/'):]} | {where} |")
    return "\n".join(lines) + "\n"


def main():
    found = sorted(rules(), key=lambda rule: (section_key(rule[0]), rule[3], rule[1]))
    named = tests()
    text = page(found, named)
    if "--write" in sys.argv:
        open(PAGE, "w", encoding="ascii").write(text)
        return 0
    bad = [f"{path}: no test names {error} ({words})" for _, words, error, path in found
           if not named[error] and error not in UNTESTED]
    if not os.path.exists(PAGE) or open(PAGE, encoding="ascii").read() != text:
        bad.append(f"{PAGE} is not fresh: run tests/arch/mls_rules.py --write")
    print("\n".join(bad) or f"{len(found)} rules, each with a test")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
