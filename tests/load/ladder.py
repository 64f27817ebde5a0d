#!/usr/bin/env python3
"""The overload ladder of a real hearthd (server/front/ladder.h): its process is held still again and again, so long that its loop lags as
each rung wants, and people try what that rung sheds and what it does not.

usage: ladder.py BIN_FOLDER     prints a row for each rung: when it was entered, what passed, when it was left
"""
import os
import re
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../client"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../server"))
import h2raw  # noqa: E402
from stage import Failed, Homeserver, Person, connect  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
MARK_MS, RUN_MS, SAMPLE_MS = 100, 25, 100
RUNGS = ["calm", "careful", "guarded", "narrow", "closed"]
PATIENCE_S = 60


class Held(threading.Thread):
    """The server runs for 25 ms and is held for so long that a timer of 100 ms is late by lag_ms, again and again."""

    def __init__(self, pid, lag_ms):
        super().__init__()
        self.pid, self.hold_s, self.over = pid, (lag_ms + SAMPLE_MS - RUN_MS) / 1000, threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            os.kill(self.pid, signal.SIGSTOP)
            time.sleep(self.hold_s)
            os.kill(self.pid, signal.SIGCONT)
            time.sleep(RUN_MS / 1000)

    def end(self):
        self.over.set()
        self.join()


class Calls(threading.Thread):
    """Somebody asks for something small some thirty times a second: a loop on which nothing
    begins, or no call is under way, is not looked at."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.over = server, threading.Event()
        self.start()

    def run(self):
        port, connection = int(self.server.listen.split(":")[1]), None
        while not self.over.is_set():
            try:
                connection = connection or h2raw.Connection(port, self.server.ca, self.server.domain)
                connection.call(b"/hearth.v1.Info/GetServerInfo", b"")
                connection.read(0.03)
                if connection.ended:
                    connection = None
            except OSError:
                connection = None
            self.over.wait(0.03)


def rung_of(server):
    return int(re.search(r"hearthd_overload_rung +(\d+)", server.run("status")).group(1))


def wait_for(server, test):
    began = time.time()
    while not test(rung_of(server)):
        if time.time() > began + PATIENCE_S:
            raise Failed(f"on rung {rung_of(server)} after {PATIENCE_S} s")
        time.sleep(0.05)
    return time.time() - began


def timed(p, *words):
    """Does it pass, and after how long?"""
    began = time.time()
    text = p.run("--timeout", "15", *words, code=None)
    return ("refused" if "overloaded" in text or "no answer" in text else "passed" if "hearth:" not in text else text.strip(),
            time.time() - began)


def climb(server, alice, rung):
    lag_ms = MARK_MS * 2 ** (rung - 1) * 1.4
    held = Held(server.process.pid, lag_ms)
    try:
        up_s = wait_for(server, lambda now: now >= rung)
        send, sync = timed(alice, "send", "bob@a.test", f"on rung {rung}"), timed(alice, "sync")
        new = timed(Person(BIN, server, f"new-{rung}"), "account", "create", "--invite", server.invite(), "--homeserver", server.where,
                    "--ca", server.ca)
        now = rung_of(server)
    finally:
        held.end()
    down_s = wait_for(server, lambda at: at == 0)
    if (send[0], new[0]) != ("refused" if rung == 4 else "passed", "passed" if rung == 1 else "refused"):
        raise Failed(f"on rung {rung}: a message {send}, a new account {new}")  # who calls anew finds no connection on the last
    print(f"{RUNGS[rung]:8} lag {lag_ms:4.0f} ms: after {up_s:4.1f} s (then {RUNGS[now]}); a known caller's message {send[0]} ({send[1]:.1f} s), "
          f"fetching {sync[0]} ({sync[1]:.1f} s), a new account {new[0]} ({new[1]:.1f} s); calm {down_s:4.1f} s after it was over", flush=True)


def main():
    with Homeserver(BIN, conf=f"[server]\nthreads = 1\n[limits]\nOVERLOAD_LAG_MS = {MARK_MS}\n") as server:
        alice, bob = Person(BIN, server, "alice"), Person(BIN, server, "bob")
        alice.create("alice"), bob.create("bob")
        connect(alice, bob)
        calls, listening = Calls(server), bob.start("--timeout", "600", "listen")
        began = time.time()
        alice.run("send", "bob@a.test", "calm", code=0)
        print(f"calm: a message {time.time() - began:.1f} s", flush=True)
        try:
            for rung in range(1, 5):
                climb(server, alice, rung)
        finally:
            calls.over.set()
            listening.kill()
            listening.communicate()


if __name__ == "__main__":
    main()
