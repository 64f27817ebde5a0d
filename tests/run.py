#!/usr/bin/env python3
"""Everything CI runs, on a clean clone: ./dev test [PRESET...] [--jobs N] [--fuzz-seconds N] [--no-static]

Builds each preset and runs its ctest; then fuzzes each target for some seconds, then the static checks. Prints a
line per step and at the end `N passed, N failed, N skipped`. A skipped test says why above; it is never a pass.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/static"))
import checks  # noqa: E402
# What runs where: everything with gcc optimised (as shipped); with clang, and under ASan+UBSan, what does not speak
# for one build alone (conformance, peers, attacks under a clock; with clang also the long worlds, kills and people on the real
# programs); under TSan what has threads. Controls and planted bugs ask whether a test finds what it should, which no sanitizer
# changes: what they run with nothing planted runs under ASan too.
PRESETS = {
    "release": [],
    "dev": ["-LE", "h2|interop|bench|crash|flow"],
    "asan": ["-LE", "interop|bench|attacks|threats|control"],
    "tsan": ["-R", "unit_lib_net|unit_lib_rpc|unit_lib_base|unit_lib_store|unit_server_.*(threads|loop_end|notifier|process)",
             "-LE", "interop|bench"],
}
# Presets of which only the programs that are run are built: what else there is, release and dev compile with either compiler.
BUILT_IN_PART = ("tsan",)


# What a failing line of ours, of cmocka, of a sanitizer or of a compiler looks like.
TELLING = re.compile(r"FAIL|HELD|Sanitizer|runtime error|error:|Error|BROKEN|[Aa]ssert|Timeout")


def excerpt(output, most=20):
    """The lines that tell why, and the end: a log may be cut anywhere, so what matters is short."""
    lines = output.splitlines()
    telling = [line for line in lines[:-10] if TELLING.search(line)][-most:]
    return "\n".join(line[:300] for line in telling + lines[-10:])


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def add(self, name, outcome, detail=""):
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome != "passed":
            print(f"{outcome.upper():8}{name}  {detail}", flush=True)
        if outcome == "failed":
            self.failures.append((name, excerpt(detail, 5)))

    def recall(self):
        """All failures once more, shortly, where a reader looks first: at the end."""
        for name, why in self.failures:
            print(f"failed: {name}\n{why}", flush=True)


def run(command, log, **more):
    with open(log, "w") as out:
        return subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, **more).returncode


def tail(log, lines=40):
    return "".join(open(log, errors="replace").readlines()[-lines:])


def chosen(preset):
    """The names of the tests that a preset runs."""
    out = subprocess.run(["ctest", "--test-dir", f"build/{preset}", "-N", *PRESETS[preset]], cwd=ROOT, capture_output=True,
                         text=True, check=True).stdout
    return re.findall(r"Test +#\d+: (\S+)", out)


def build(preset, jobs, tally):
    log = os.path.join(ROOT, "build", f"build-{preset}.log")
    code = run(["cmake", "--preset", preset], log)
    if code == 0:
        targets = ["fuzzers"] if preset == "fuzz" else chosen(preset) if preset in BUILT_IN_PART else ["all"]
        code = run(["cmake", "--build", f"build/{preset}", "-j", str(jobs), "--target", *targets], log)
    tally.add(f"build {preset}", "passed" if code == 0 else "failed", "" if code == 0 else "\n" + tail(log))
    return code == 0


def ctest(preset, selection, jobs, tally):
    log = os.path.join(ROOT, "build", f"test-{preset}.log")
    junit = os.path.join(ROOT, "build", f"test-{preset}.xml")
    if os.path.exists(junit):
        os.remove(junit)
    run(["ctest", "--test-dir", f"build/{preset}", "-C", "Attacks", "-j", str(jobs), "--output-on-failure",
         "--output-junit", junit, *selection], log)
    if not os.path.exists(junit):
        tally.add(f"ctest {preset}", "failed", "\n" + tail(log))
        return
    for case in xml.parse(junit).getroot().iter("testcase"):
        name = f"{preset}: {case.get('name')}"
        status = case.get("status")
        output = case.findtext("system-out") or ""
        if status == "run":
            tally.add(name, "passed")
        elif status == "notrun" or case.find("skipped") is not None:
            why = [line for line in output.splitlines() if line.startswith("SKIP")]
            tally.add(name, "skipped", "; ".join(why) or "no reason given")
        else:
            tally.add(name, "failed", "\n" + excerpt(output))


def fuzz_one(name, seconds):
    """(outcome, detail)"""
    log = os.path.join(ROOT, "build", f"{name}.log")
    scratch = os.path.join(ROOT, "build", "corpus", name)
    os.makedirs(scratch, exist_ok=True)
    seeds = os.path.join(ROOT, "tests/fuzz", name[len("fuzz_"):])
    command = [os.path.join(ROOT, "build/fuzz/bin", name), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
               "-print_final_stats=1", f"-artifact_prefix={scratch}/", scratch]
    if os.path.isdir(seeds):
        command.append(seeds)
    code = run(command, log)
    runs = re.search(r"number_of_executed_units:\s*(\d+)", open(log, errors="replace").read())
    return "passed" if code == 0 and runs else "failed", "" if code == 0 else "\n" + tail(log)


def fuzz(seconds, jobs, tally):
    """As many targets at once as there are cores, so that each has one for its seconds."""
    begun = time.monotonic()
    if not build("fuzz", jobs, tally):
        return
    targets = sorted(name for name in os.listdir(os.path.join(ROOT, "build/fuzz/bin")) if name.startswith("fuzz_"))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for name, result in zip(targets, pool.map(lambda name: fuzz_one(name, seconds), targets)):
            tally.add(name, *result)
    print(f"{len(targets)} fuzz targets, {seconds} s each: {time.monotonic() - begun:.0f} s", flush=True)


def static_checks(jobs, tally):
    """tests/static/checks.py says what they are."""
    begun = time.monotonic()
    for name, outcome, detail in checks.checks(jobs):
        tally.add(name, outcome, detail)
    print(f"static: {time.monotonic() - begun:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="*", help=f"some of {', '.join(PRESETS)}; default: all, fuzz and static too")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--fuzz-seconds", type=int, default=10)
    parser.add_argument("--no-static", action="store_true")
    a = parser.parse_args()
    os.makedirs(os.path.join(ROOT, "build"), exist_ok=True)
    tally = Tally()
    for preset in a.presets or PRESETS:
        begun = time.monotonic()
        if build(preset, a.jobs, tally):
            ctest(preset, PRESETS[preset], max(2, a.jobs), tally)
        print(f"{preset}: {time.monotonic() - begun:.0f} s", flush=True)
    if not a.presets:
        fuzz(a.fuzz_seconds, a.jobs, tally)
        if not a.no_static:
            static_checks(a.jobs, tally)
    tally.recall()
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped", flush=True)
    sys.exit(1 if tally.failed or not tally.passed else 0)


if __name__ == "__main__":
    main()
