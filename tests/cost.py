#!/usr/bin/env python3
"""What tests cost: tests/cost.py PRESET [--jobs N] [--most N] [CTEST-OPTION...]

Runs the tests of a build that are selected (as ctest's -R, -L, -LE do; default: what ./dev test runs of that preset) and
prints, dearest first: processor seconds of each with all processes that it waited for, seconds of real time, exit code,
MiB of the largest process. Processor time is nearly the same on a busy machine; real time, and what ctest writes down,
is not. Half of the sum is what two cores need at least.
"""
import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from run import PRESETS  # noqa: E402


def tests(preset, selection):
    said = subprocess.run(["ctest", "--test-dir", f"build/{preset}", "-C", "Attacks", "--show-only=json-v1", *selection],
                          cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for test in json.loads(said)["tests"]:
        if "command" in test:  # else it is not built
            yield test["name"], test["command"], {p["name"]: p["value"] for p in test["properties"]}


def run(name, command, properties):
    began = time.monotonic()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, cwd=properties.get("WORKING_DIRECTORY", ROOT), stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=out)
        timer = threading.Timer(properties.get("TIMEOUT", 1500), process.kill)
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime, time.monotonic() - began, process.returncode, used.ru_maxrss // 1024, name


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", choices=PRESETS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--most", type=int, default=40, help="rows that are printed")
    a, selection = parser.parse_known_args()
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        rows = list(pool.map(lambda test: run(*test), tests(a.preset, selection or PRESETS[a.preset])))
    print("processor    real  exit  MiB")
    for cpu, real, code, mib, name in sorted(rows, reverse=True)[:a.most]:
        print(f"{cpu:9.1f} {real:7.1f} {code:5} {mib:4}  {name}")
    print(f"{len(rows)} tests, {sum(row[0] for row in rows):.0f} s of processor time, "
          f"{sum(row[2] not in (0, 77) for row in rows)} failed")


main()
