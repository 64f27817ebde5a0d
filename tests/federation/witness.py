#!/usr/bin/env python3
"""Homeservers cosign each other's logs: who is named as a witness brings its line to the newest checkpoint, also after it was
killed; a log that forked is cosigned no more. usage: witness.py BIN_FOLDER

a is honest; b's operator can show another log of his (hearthd_malicious). Each names the other.
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
    b = Homeserver(BIN, "b.test", CONF + "[server]\nconfine = no\n", beside=a)
    b.hearthd = os.path.join(BIN, "hearthd_malicious")
    malice = os.path.join(a.scratch.name, "malice")
    os.environ["HEARTH_MALICE"] = malice

    def b_does(*words):
        with open(malice + "-new", "w") as out:
            out.write(" ".join(words))
        os.replace(malice + "-new", malice)

    b_does()
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
    before = cosigned(a, b, before)
    # control: a log that showed another one has no witness any more, also where it is the old one again
    b_does("other")
    end = time.monotonic() + PATIENCE_S
    while "forked" not in a.run("admin", "peer", "show", "b.test"):
        if time.monotonic() > end:
            raise Failed("a does not notice that b has two logs")
        a.run("admin", "peer", "retry", "b.test")
        time.sleep(0.3)
    b_does()
    before = head(b)["size"]
    b.run("admin", "keys", "sender")
    grown = until("b's log does not go on", a, b, lambda now: now["size"] > before)["size"]
    for _ in range(8):
        a.run("admin", "peer", "retry", "b.test")
        time.sleep(0.3)
    now = head(b)
    if now["size"] >= grown and now["cosignatures"] != 0:
        raise Failed("a forked log is cosigned")
    for server in (a, b):
        server.end()
    a.scratch.cleanup()
    print("cosigned while it was one log")


main()
