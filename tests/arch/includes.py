#!/usr/bin/env python3
"""Holds every #include against the arrows of cmake/modules.cmake.

usage: includes.py ARROWS [ROOT]     ARROWS holds lines `folder: folders it may use directly`

A file may include headers of its own folder, of the folders its module names, and of what those name in turn.
Also: only lib/crypto, lib/net/tls* include OpenSSL; only lib/crypto includes libsodium; only lib/store SQLite.
"""
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
ONLY = [  # (header prefix, folders or files that may include it)
    ("openssl/", ("lib/crypto/", "lib/net/tls")),
    ("sodium", ("lib/crypto/",)),
    ("sqlite3.h", ("lib/store/",)),
    ("nghttp2/", ("lib/rpc/",)),
    ("event2/", ("lib/net/",)),
    ("curl/", ("server/main/notifier",)),
]


def main():
    root = sys.argv[2] if len(sys.argv) > 2 else "."
    direct = {}
    for line in open(sys.argv[1]):
        if ":" in line:
            folder, used = line.strip().split(":", 1)
            direct[folder] = used.split()

    def reach(folder, seen):
        if folder not in seen:
            seen.add(folder)
            for used in direct.get(folder, []):
                reach(used, seen)
        return seen

    bad = checked = 0
    for folder in direct:
        if not os.path.isdir(os.path.join(root, folder)):
            continue  # a module whose folder is still to come
        allowed = reach(folder, set())
        for name in sorted(os.listdir(os.path.join(root, folder))):
            if not name.endswith((".c", ".h")):
                continue
            path = f"{folder}/{name}"
            for number, line in enumerate(open(os.path.join(root, path)), 1):
                match = INCLUDE.match(line)
                if not match:
                    continue
                target = match.group(2)
                for prefix, places in ONLY:
                    if target.startswith(prefix) and not path.startswith(places):
                        print(f"{path}:{number}: <{target}> may only be included by {', '.join(places)}")
                        bad += 1
                checked += 1
                owner = next((f"{base}{os.path.dirname(target)}" for base in ("lib/", "", "include/")
                              if os.path.exists(os.path.join(root, base, target))), None)
                if owner is None or owner.startswith(("include", "generated")):
                    continue
                if owner not in allowed:
                    print(f"{path}:{number}: {target} is in {owner}, which {folder} may not use "
                          f"(cmake/modules.cmake)")
                    bad += 1
    # a folder with C files that no module claims is outside the law
    for top in ("lib", "server", "client"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            rel = os.path.relpath(folder, root)
            # (the top folders themselves hold programs' main files alone)
            if rel != top and any(n.endswith(".c") for n in names) and rel not in direct:
                print(f"{rel}: no module in cmake/modules.cmake")
                bad += 1
    print(f"{checked} includes checked, {bad} wrong")
    if checked == 0:
        sys.exit("checked nothing: wrong root?")
    sys.exit(1 if bad else 0)


main()
