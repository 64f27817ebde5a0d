#!/usr/bin/env python3
"""Homeservers cosign each other's logs: who is named as a witness brings its line to the newest checkpoint, also after it was
killed. usage: witness.py BIN_FOLDER

Nobody is named at first, then each names the other.
"""
import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../client")]
from stage import Failed, Homeserver, federate  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
PATIENCE_S = 90
CONF = "\n[transparency]\nwindow_s = 6\nepoch_ms = 100\n"


def head(server):
    return json.loads(server.run("--json", "admin", "log"))


def until(what, witness, log, good):
    """The witness looks soon, rather than when it is due; not so often that the log's homeserver has enough of it."""
    end, again = time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < end:
        now = head(log)
        if good(now):
            return now
        if time.monotonic() > again:
            witness.run("admin", "peer", "retry", log.domain, code=None)
            again = time.monotonic() + 1.5
        time.sleep(0.3)
    raise Failed(f"{what}\n{head(log)}\n" + witness.run("admin", "peer", "show", log.domain, code=None))


def cosigned(witness, log, above=0):
    return until(f"{witness.domain} does not cosign the log of {log.domain}", witness, log,
                 lambda now: now["cosignatures"] == 1 and now["size"] > above)["size"]


def check(one, other):
    subprocess.run([one.hearthd, "--dir", one.folder, "check", other.domain], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=60)


def main():
    a = Homeserver(BIN, "a.test", CONF)
    b = Homeserver(BIN, "b.test", CONF, beside=a)
    federate(a, b)
    for server in (a, b):
        server.start()
    check(a, b)
    check(b, a)
    names = {server: head(server)["witness"] for server in (a, b)}
    if not names[a].startswith("a.test/witness+"):
        raise Failed(f"no verifier key: {names[a]}")
    # nobody has named anybody: what is brought is refused
    time.sleep(3)
    for server in (a, b):
        if head(server)["cosignatures"] != 0:
            raise Failed("a cosignature of somebody who was not named")
        server.end()
    for one, other in ((a, b), (b, a)):
        one.configure(f"\n[transparency]\nwitness = {names[other]}\n")
    for server in (a, b):
        server.start()
    if {server: head(server)["witness"] for server in (a, b)} != names:
        raise Failed("the witness's key does not stay")
    cosigned(b, a)
    before = cosigned(a, b)
    # a witness that was killed goes on from what it has stored
    a.end(signal.SIGKILL)
    a.start()
    b.run("admin", "keys", "sender")  # what is said of its keys is in its log, which grows
    cosigned(a, b, before)
    for server in (a, b):
        server.end()
    a.scratch.cleanup()
    print("cosigned")


main()
