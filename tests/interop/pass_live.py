#!/usr/bin/env python3
"""Our tokens against Cloudflare's JavaScript (npm), both ways: peers/js/pass_live.js says how.

usage: pass_live.py --bin build/dev/bin [--rounds N]
"""
import argparse
import os
import subprocess
import sys

import matrix


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--bin", required=True, help="where pass_peer is")
    parser.add_argument("--rounds", default="3")
    arguments = parser.parse_args()
    why = matrix.install_node_packages()
    if why:
        print(f"SKIP {why}")
        return 77
    command = ["node", os.path.join(matrix.HERE, "peers", "js", "pass_live.js"),
               f"--peer={os.path.join(os.path.abspath(arguments.bin), 'pass_peer')}", f"--rounds={arguments.rounds}"]
    environment = {**os.environ, "NODE_PATH": os.path.join(matrix.NODE, "node_modules")}
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
