#!/usr/bin/env python3
"""Our MLS members and those of another stack (npm) in the same groups: peers/js/mls_live.js says how.

usage: mls_live.py --bin build/dev/bin [--peer ts-mls|core-crypto|HOST:PORT] [--ops N] [--seconds N] [--members 20] [--seed N]
                   [--suites 1,2] [--framings public,private]
"""
import argparse
import os
import subprocess
import sys

import matrix


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--bin", required=True, help="where mls_client and mls_follow are")
    passed = ("peer", "ops", "seconds", "members", "seed", "suites", "framings")
    for name in passed:
        parser.add_argument(f"--{name}", default="")
    arguments = parser.parse_args()
    why = matrix.install_node_packages()
    if why:
        print(f"SKIP {why}")
        return 77
    binaries = os.path.abspath(arguments.bin)
    command = ["node", os.path.join(matrix.HERE, "peers", "js", "mls_live.js"), f"--protos={matrix.PROTO}",
               f"--mls_client={os.path.join(binaries, 'mls_client')}",
               f"--mls_follow={os.path.join(binaries, 'mls_follow')}",
               *(f"--{name}={getattr(arguments, name)}" for name in passed if getattr(arguments, name))]
    environment = {**os.environ, "NODE_PATH": os.path.join(matrix.NODE, "node_modules")}
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
