#!/usr/bin/env python3
"""buf lint over proto/, by proto/buf.yaml (STANDARD and COMMENTS, exceptions with reasons). Exit 77: no buf."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/interop"))
import matrix  # noqa: E402

why = matrix.install_node_packages()
if why:
    print(f"SKIP {why}")
    sys.exit(77)
sys.exit(subprocess.run([os.path.join(matrix.NODE, "node_modules", ".bin", "buf"), "lint", os.path.join(ROOT, "proto")],
                        timeout=120).returncode)
