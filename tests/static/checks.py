#!/usr/bin/env python3
"""The static checks: ./dev static [--jobs N] [NAME...]; ./dev test runs them all.

cppcheck      over our sources, what it may not say in cppcheck.txt
clang-tidy    the same with .clang-tidy, compiled as the dev preset does
gcc-analyzer  gcc -fanalyzer over lib/, compiled as the release preset does; known mistakes of it in gcc-analyzer.txt
clang-format  over all that is written by hand

A finding is a failure. A known mistake that is no longer made is one too, so that the lists stay short. The steps of
all checks share N processes, so that a slow check does not wait for another; logs in build/static/.
"""
import argparse
import concurrent.futures
import json
import os
import shlex
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = "tests/static"
STEP_SECONDS = 900  # only what hangs: a machine may be slow and busy
CPPCHECK_FILES = 32  # of one process; none of its checks is about all files at once
NOT_FOR_ANALYZER = {"-Werror", "-O2"}  # findings are counted here; paths grow with inlining


def tracked(*patterns):
    out = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for path in out.split() if os.path.exists(os.path.join(ROOT, path))]


def sources():
    return tracked("lib/*.c", "server/*.c", "client/*.c", "proto/*.c")


def commands(preset):
    """file -> compile command. Configures first: the list may be from before a file was added. When that fails, no
    file has one, which each check reports."""
    path = os.path.join(ROOT, "build", preset, "compile_commands.json")
    if run(["cmake", "--preset", preset])[0] != 0:
        return {}
    return {os.path.relpath(entry["file"], ROOT): entry for entry in json.load(open(path))}


def run(command, cwd=ROOT):
    """(exit code, what it said)"""
    try:
        done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=STEP_SECONDS)
    except subprocess.TimeoutExpired:
        return 1, f"{shlex.join(command)}: no end after {STEP_SECONDS} s\n"
    return done.returncode, done.stdout


# A check is a list of steps, each returning what is wrong as text, and what to do when all are done.

def plain(command):
    def step():
        code, said = run(command)
        return said or f"{command[0]}: exit {code}\n" if code != 0 else ""
    return step


def cppcheck():
    command = ["cppcheck", "--quiet", "--error-exitcode=1", "--inline-suppr", "--std=c11",
               "--enable=warning,portability,performance", f"--suppressions-list={HERE}/cppcheck.txt",
               "-I.", "-Ilib", "-Iinclude"]
    paths = sources()
    return [plain([*command, *paths[first:first + CPPCHECK_FILES]]) for first in range(0, len(paths), CPPCHECK_FILES)]


def clang_tidy():
    known = commands("dev")
    # a file that no preset compiles would be read without our flags
    paths = [path for path in sources() if path in known]
    missing = [path for path in sources() if path not in known]
    # a process for each: of two, clang-tidy 14 no longer knows va_start in the second
    steps = [plain(["clang-tidy", "-p", "build/dev", "--quiet", path]) for path in paths]
    if missing:
        steps.append(lambda: "".join(f"{path}: not in build/dev/compile_commands.json\n" for path in missing))
    return steps


def clang_format():
    paths = [path for path in tracked("*.c", "*.h") if not path.startswith("generated/")]
    return [plain(["clang-format", "--dry-run", "-Werror", *paths])]


class Mistakes:
    """gcc-analyzer.txt: `FILE FUNCTION WARNING`, the reason in the comment above."""

    def __init__(self):
        lines = [line.split() for line in open(os.path.join(ROOT, HERE, "gcc-analyzer.txt"))]
        self.known = {tuple(line) for line in lines if line and line[0] != "#"}
        self.made = set()

    def excuse(self, mistake):
        if mistake not in self.known:
            return False
        self.made.add(mistake)
        return True

    def left(self):
        return "".join(f"{HERE}/gcc-analyzer.txt: {' '.join(line)}: no longer reported, delete the line\n"
                       for line in sorted(self.known - self.made))


def analyze(path, entry, mistakes):
    command = [word for word in shlex.split(entry["command"])
               if word not in NOT_FOR_ANALYZER and "FORTIFY_SOURCE" not in word]
    command[command.index("-o") + 1] = os.devnull
    code, said = run([*command, "-O1", "-fanalyzer", "-fdiagnostics-format=json"], entry["directory"])
    try:
        findings = [finding for line in said.splitlines() for finding in json.loads(line)]
    except ValueError:
        code = code or 1
    if code != 0:
        return f"{path}: exit {code}: {said}\n"
    wrong = ""
    for finding in findings:
        warning = finding.get("option", finding["kind"]).removeprefix("-Wanalyzer-")
        events = finding.get("path") or [{}]
        function = events[-1].get("function", "-")
        if mistakes.excuse((path, function, warning)):
            continue
        for event in events:
            at = event.get("location", {})
            wrong += f"    {at.get('file')}:{at.get('line')}: {event.get('description')}\n"
        wrong += f"{path} {function} {warning}: {finding['message']}\n"
    return wrong


def gcc_analyzer():
    mistakes = Mistakes()
    known = commands("release")
    paths = tracked("lib/*.c")
    steps = [lambda path=path: analyze(path, known[path], mistakes) if path in known
             else f"{path}: not in build/release/compile_commands.json\n" for path in paths]
    return steps, mistakes.left


# Longest single step first: cppcheck can't be cut without losing what it sees across files.
CHECKS = {"cppcheck": cppcheck, "clang-tidy": clang_tidy, "gcc-analyzer": gcc_analyzer, "clang-format": clang_format}
PROGRAMS = {"gcc-analyzer": "gcc"}


def checks(jobs, names=tuple(CHECKS)):
    """Yields (name, outcome, detail) per check; outcome is passed, failed or skipped."""
    logs = os.path.join(ROOT, "build/static")
    os.makedirs(logs, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        begun = []
        for name in names:
            if shutil.which(PROGRAMS.get(name, name)) is None:
                yield name, "skipped", f"SKIP {PROGRAMS.get(name, name)} is not installed"
                continue
            made = CHECKS[name]()
            steps, at_end = made if isinstance(made, tuple) else (made, lambda: "")
            begun.append((name, [pool.submit(step) for step in steps], at_end))
        for name, steps, at_end in begun:
            wrong = "".join(step.result() for step in steps) + at_end()
            with open(os.path.join(logs, f"{name}.log"), "w") as log:
                log.write(wrong)
            yield name, "failed" if wrong else "passed", "\n" + wrong[-6000:] if wrong else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(CHECKS)}; default: all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    a = parser.parse_args()
    unknown = set(a.names) - set(CHECKS)
    if unknown:
        parser.error(f"no such check: {', '.join(sorted(unknown))}")
    begun = time.monotonic()
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for name, outcome, detail in checks(a.jobs, a.names or tuple(CHECKS)):
        count[outcome] += 1
        print(f"{outcome.upper():8}{name}  {detail}", flush=True)
    print(f"static: {time.monotonic() - begun:.0f} s with {a.jobs} jobs")
    print(", ".join(f"{number} {outcome}" for outcome, number in count.items()), flush=True)
    sys.exit(1 if count["failed"] or not count["passed"] else 0)


if __name__ == "__main__":
    main()
