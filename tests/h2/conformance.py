#!/usr/bin/env python3
"""Does a server keep RFC 9113 (HTTP/2) and RFC 7541 (HPACK)?

usage: conformance.py [--tls] [--path /h2spec] [--only PREFIX] [--verbose] [--list] HOST PORT
       conformance.py --server PROGRAM [--tls] ...     starts `PROGRAM --port P --threads 1` for the run

Every rule that the h2spec suite checks in its strict mode, under the same id, and some more (more/...), each on a
connection of its own.
A path that answers a GET with a few bytes of DATA must exist. One line per rule that does not hold, with what was
seen, then `N passed, N failed, N skipped`. Exit 0 when none failed.
"""
import argparse
import concurrent.futures
import itertools
import sys

import frames as h2
import rules_basic
import rules_frames
import rules_more
import rules_states
from frames import Closed, Conn, Frame
from server import Server

H2SPEC = rules_basic.RULES + rules_states.RULES + rules_frames.RULES
RULES = H2SPEC + rules_more.RULES
THREADS = 24


def data_length(connect):
    """How many bytes of DATA the server answers a GET with; what can't be seen without any is skipped."""
    c = connect().handshake()
    c.send(h2.headers(1, c.request(), end=True))
    length = 0
    for seen in c.frames():
        if isinstance(seen, Frame) and seen.stream == 1:
            length += len(seen.payload) if seen.kind == h2.DATA else 0
            if seen.end_stream:
                c.close()
                return length
    raise Closed(f"GET {c.path} has no answer: {length} bytes of DATA, then {seen}")


def run(rule, connect, available):
    """None when the rule holds, "skipped: why", or what was seen instead."""
    steps = list(rule[3:])
    option = steps.pop(0) if isinstance(steps[0], str) else ""
    if option.startswith("needs data") and available < int(option.split()[2]):
        return "skipped: the answer to a GET is too short"
    try:
        c = connect()
        try:
            if option != "no handshake":
                c.handshake()
            for send, check in zip(steps[::2], steps[1::2]):
                part = send(c)
                if part is None:
                    return "skipped: the server announces no limit"
                c.send(part)
                seen = check(c)
                if seen is not None:
                    return seen
        finally:
            c.close()
    except (Closed, h2.hpack.DecodeError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def conformance(host, port, tls, path="/h2spec", only="", verbose=False, timeout=2.0):
    """Prints what does not hold; returns the counts of passed, failed, skipped."""
    sources = itertools.count(256)

    def connect():
        # A server may limit connections by address, rightly; loopback has addresses enough for one each.
        number = next(sources)
        source = f"127.0.{number // 250}.{number % 250 + 1}" if host.startswith("127.") else None
        return Conn(host, port, tls, timeout, source, path=path)

    chosen = [rule for rule in RULES if rule[0].startswith(only)]
    available = data_length(connect)
    count = {"passed": 0, "failed": 0, "skipped": 0}
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for rule, seen in zip(chosen, pool.map(lambda rule: run(rule, connect, available), chosen)):
            outcome = "passed" if seen is None else "skipped" if seen.startswith("skipped: ") else "failed"
            count[outcome] += 1
            if outcome != "passed" or verbose:
                seen = f": {seen.removeprefix('skipped: ')}" if seen else ""
                print(f"{outcome.upper():7} {rule[0]} (RFC {rule[1]}) {rule[2]}{seen}")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**count))
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--server")
    parser.add_argument("--path", default="/h2spec")
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--timeout", type=float, default=2.0)
    parser.add_argument("address", nargs="*", metavar="HOST PORT")
    options = parser.parse_args()
    if options.list:
        for rule in RULES:
            print(f"{rule[0]:16} RFC {rule[1]}: {rule[2]}")
        print(f"{len(RULES)} rules, {len(H2SPEC)} of them h2spec's")
        return 0
    how = dict(tls=options.tls, path=options.path, only=options.only, verbose=options.verbose,
               timeout=options.timeout)
    if options.server:
        with Server(options.server, tls=options.tls) as server:
            count = conformance(server.host, server.port, **how)
            server.check_alive()
    else:
        host, port = options.address or parser.error("HOST PORT or --server is needed")
        count = conformance(host, int(port), **how)
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
