#!/usr/bin/env python3
"""Runs gRPC's interoperability tests between our programs and other people's stacks, each way, plain and TLS.

usage: run.py --bin build/dev/bin [--work build/interop] [--peer NAME]... [--cases a,b] [--plain-only] [--verbose]

Prints a table of pairs and a closing line `N passed, N failed, N skipped`. A peer that can't be installed is
skipped with the reason. Exit code: 0, 1 when something failed, 77 when nothing but our own pair could run.
"""
import argparse
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import credentials
import matrix

SERVER_START_S, CASE_S = 20, 60
HOST_OVERRIDE = "foo.test.google.fr"


def free_port():
    """Below the range from which the kernel takes ports for clients, so that none of them is in the way."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("0.0.0.0", random.randrange(20000, 32000)))
                return probe.getsockname()[1]
            except OSError:
                pass


class Server:
    """One server of a peer, up while the `with` lasts."""

    def __init__(self, peer, work, tls, creds):
        self.port, self.log = free_port(), tempfile.TemporaryFile("w+")
        command = [*peer.server(work), f"--port={self.port}", f"--use_tls={str(tls).lower()}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env={**os.environ, "HEARTH_TEST_CREDS": creds, **peer.environment})

    def __enter__(self):
        deadline = time.monotonic() + SERVER_START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.05)
        said = self.said()
        self.__exit__()
        raise RuntimeError(f"the server did not start: {said}")

    def said(self):
        self.log.seek(0)
        return self.log.read()[-2000:]

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.code = self.process.returncode
        self.log.close()


def run_case(peer, work, case, port, tls, creds):
    """None, or why it failed."""
    command = [*peer.client(work), "--server_host=127.0.0.1", f"--server_port={port}", f"--test_case={case}",
               f"--use_tls={str(tls).lower()}", f"--use_test_ca={str(tls).lower()}"]
    if tls:
        command.append(f"--server_host_override={HOST_OVERRIDE}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=CASE_S, check=False,
                              env={**os.environ, "HEARTH_TEST_CREDS": creds, **peer.environment})
    except subprocess.TimeoutExpired:
        return f"not done after {CASE_S} s"
    return None if done.returncode == 0 else f"exit {done.returncode}: {(done.stderr or done.stdout)[-800:].strip()}"


class Tally:
    def __init__(self, verbose):
        self.passed = self.failed = self.skipped = 0
        self.rows, self.failures, self.verbose = [], [], verbose

    def pair(self, client, server, tls, results):
        failed = {case: why for case, why in results.items() if why}
        self.passed += len(results) - len(failed)
        self.failed += len(failed)
        verdict = f"{len(results) - len(failed)}/{len(results)}"
        if failed:
            verdict += " FAILED: " + ", ".join(failed)
        row = (client.name, server.name, "TLS" if tls else "plain", verdict)
        print(f"{row[0]:>8} -> {row[1]:<8} {row[2]:<6} {row[3]}", flush=True)
        for case, why in failed.items():
            print(f"           {case}: {why}", flush=True)

    def skip(self, what, why):
        self.skipped += 1
        print(f"SKIP {what}: {why.strip()}", flush=True)


def run_pair(tally, client, server, tls, creds, works, only):
    cases = [case for case in client.calls if case in server.serves and (not only or case in only)]
    if not cases:
        return
    try:
        with Server(server, works[server.name], tls, creds) as up:
            results = {case: run_case(client, works[client.name], case, up.port, tls, creds) for case in cases}
            if up.process.poll() is not None:
                results["server"] = f"it ended ({up.process.returncode}): {up.said()}"
        if server.name == "hearth" and up.code != 0:
            results["server"] = f"exit code {up.code} at its end"
    except RuntimeError as error:
        results = {"server": str(error)}
    tally.pair(client, server, tls, results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--bin", required=True, help="where interop_server and interop_client are")
    parser.add_argument("--work", default="build/interop", help="what peers need is built here")
    parser.add_argument("--peer", action="append", help="only these, by name")
    parser.add_argument("--cases", default="", help="only these, joined by commas")
    parser.add_argument("--plain-only", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    work = os.path.abspath(arguments.work)
    only = [case for case in arguments.cases.split(",") if case]

    peers = matrix.peers(os.path.abspath(arguments.bin))
    us, tally, works = peers[0], Tally(arguments.verbose), {}
    creds = tempfile.mkdtemp(prefix="hearth-creds-")
    why = us.prepare(None) or credentials.make(creds)
    if why:
        print(f"SKIP {why}")
        return 77
    works[us.name] = None
    wanted = [peer for peer in peers if not arguments.peer or peer.name in arguments.peer]
    for peer in wanted:
        works[peer.name] = os.path.join(work, peer.name)
        why = peer.prepare(works[peer.name])
        if why:
            tally.skip(f"peer {peer.name}", why)
            continue
        for tls in (False, True):
            if tls and arguments.plain_only:
                continue
            run_pair(tally, us, peer, tls, creds, works, only)
            if peer is not us:
                run_pair(tally, peer, us, tls, creds, works, only)
    shutil.rmtree(creds, ignore_errors=True)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    if tally.failed:
        return 1
    return 0 if tally.passed else 77


if __name__ == "__main__":
    sys.exit(main())
