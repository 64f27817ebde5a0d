#!/usr/bin/env python3
"""The program under "Build on it" in README.md is docs/examples/c/listen.c, which tests/package builds and runs.

usage: readme.py [--write]
"""
import difflib
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
README = os.path.join(ROOT, "README.md")
# The first indented block that begins with an #include, in that section.
BLOCK = re.compile(r"(^## Build on it\n(?:(?!^## |^    #include).*\n)*)((?:    #include.*\n)(?:(?:    .*)?\n)*?)(?=\S)", re.M)


def main():
    text = open(README).read()
    source = open(os.path.join(ROOT, "docs/examples/c/listen.c")).read()
    code = re.sub(r"\A/\*.*?\*/\n", "", source, flags=re.S)
    want = "".join(f"    {line}\n" if line else "\n" for line in code.splitlines()) + "\n"
    found = BLOCK.search(text)
    if not found:
        print('FAILED README.md has no program under "Build on it"')
        return 1
    if "--write" in sys.argv:
        with open(README, "w") as out:
            out.write(text[:found.start(2)] + want + text[found.end(2):])
        found = BLOCK.search(open(README).read())
    diff = list(difflib.unified_diff(found.group(2).splitlines(), want.splitlines(), "README.md",
                                     "docs/examples/c/listen.c", lineterm=""))
    for line in diff:
        print(line)
    if diff:
        print("FAILED tests/golden/readme.py --write makes it anew")
        return 1
    print(f"{len(want.splitlines()) - 1} lines agree")
    return 0


sys.exit(main())
