#!/usr/bin/env python3
"""The package as its users meet it: installs a release build into a folder of its own, then holds the exported symbols
against the list, builds and runs small consumers, and builds and runs the examples of docs/examples/c.

usage: check.py BUILD [--write] [PART...]     parts: symbols consumers examples; --write: tests/package/symbols.txt anew
"""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import consumers  # noqa: E402
import examples  # noqa: E402
import symbols  # noqa: E402
from place import Failed, Prefix, run  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "client"))
import stage  # noqa: E402

THERE = ["bin/hearthd", "bin/hearth", "bin/protoc-gen-hearth", "include/hearth/client.h", "include/hearth/rpc.h",
         "include/hearth-stubs/hearth/v1/auth_rpc.h", "share/hearth/proto/hearth/v1/auth.proto",
         "share/hearth/hearth.v1.pb", "share/man/man1/hearth.1", "share/bash-completion/completions/hearth"]


def install(build, folder):
    run("cmake", "--install", build, "--prefix", folder)
    for name in THERE:
        path = os.path.join(folder, name)
        if not os.path.exists(path) or os.path.getsize(path) == 0:
            raise Failed(f"cmake --install puts no {name}")
    return Prefix(build, folder)


def main():
    words = [word for word in sys.argv[1:] if word != "--write"]
    build, parts = os.path.abspath(words[0]), words[1:] or ["symbols", "consumers", "examples"]
    skipped = []
    with tempfile.TemporaryDirectory(prefix="hearth-package-") as scratch:
        prefix = install(build, os.path.join(scratch, "prefix"))
        print(f"ok    installed, {len(THERE)} files looked for", flush=True)
        if "symbols" in parts:
            print("ok    " + symbols.check(prefix, "--write" in sys.argv), flush=True)
        if "consumers" in parts:
            print("ok    " + consumers.check(prefix, build, scratch), flush=True)
        if "examples" in parts:
            said, skipped = examples.check(prefix, scratch)
            print("ok    " + said, flush=True)
    for why in skipped:
        print(f"SKIP {why}")
    return 77 if skipped else 0


try:
    sys.exit(main())
except (Failed, stage.Failed) as e:
    print(f"FAIL  {e}")
    sys.exit(1)
