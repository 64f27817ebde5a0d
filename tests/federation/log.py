#!/usr/bin/env python3
"""A homeserver whose operator hands out a federation key that is not in his log (hearthd_malicious), and an honest one that is
to believe it: at first sight, and when the key changes. The same with keys for vouchers.

usage: log.py BIN_FOLDER
"""
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../client"))
from stage import Failed, Homeserver, federate  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
PATIENCE_S = 60
VOUCHERS = "it does not have the keys of its vouchers, or had them too late"
MISSING = "its key is not to be found in its log"


def expect(good, what):
    if not good:
        raise Failed(what)


class World:
    def __init__(self):
        self.a = Homeserver(BIN, "a.test")
        self.malice = os.path.join(self.a.scratch.name, "malice")
        os.environ["HEARTH_MALICE"] = self.malice
        self.b = Homeserver(BIN, "b.test", "[server]\nconfine = no\n", beside=self.a)
        self.b.hearthd = os.path.join(BIN, "hearthd_malicious")
        federate(self.a, self.b)

    def does(self, *words):
        with open(self.malice + "-new", "w") as out:
            out.write(" ".join(words))
        os.replace(self.malice + "-new", self.malice)

    def peer(self, verb):
        return self.a.run("admin", "peer", verb, "b.test", code=None)

    def calls_until(self, text):
        """b calls a, signed with its own key, until a says that of it."""
        until = time.monotonic() + PATIENCE_S
        while text not in self.peer("why"):
            expect(time.monotonic() < until, self.peer("show"))
            caller = subprocess.Popen([self.b.hearthd, "--dir", self.b.folder, "check", "a.test"], stdout=subprocess.DEVNULL)
            try:
                caller.wait(2)
            except subprocess.TimeoutExpired:
                caller.kill()
                caller.wait()

    def is_well(self):
        until = time.monotonic() + PATIENCE_S
        while True:  # the first call under another key is what makes a ask for it
            self.peer("retry")  # what is to be waited for is over
            said = self.b.run("check", "a.test", code=None)
            if "\n0 warnings, 0 faults" in said:
                break
            expect(time.monotonic() < until, said)
        expect("its key       good" in self.peer("show"), self.peer("show"))

    def end(self):
        for server in (self.b, self.a):
            server.end()
        self.a.scratch.cleanup()


def at_first_sight(w):
    w.does("federation-key")
    w.a.start()
    w.b.start()
    w.calls_until(MISSING)
    shown = w.peer("show")
    expect("its key       none" in shown and "none is known yet" in shown, shown)
    expect("event=peer_key_not_in_log" in open(w.a.log.name).read(), "the log says so")
    w.does()
    w.is_well()


def when_it_changes(w):
    """The key that a has is not let go for one that is in no log."""
    w.does("federation-key")
    w.b.run("admin", "keys", "federation")
    w.peer("retry")
    w.calls_until(MISSING)
    expect("its key       good" in w.peer("show"), "the one before")
    w.does()
    w.is_well()


def keys_for_vouchers(w):
    """They are refused, and the operator is told; what it sends is taken all the same."""
    w.does("voucher-keys")
    until = time.monotonic() + PATIENCE_S
    while VOUCHERS not in w.peer("show"):  # b makes its keys after its start, and they have to be in its log
        expect(time.monotonic() < until, w.peer("show"))
        w.peer("retry")
        w.b.run("check", "a.test", code=None)
    w.is_well()
    expect("event=peer_voucher_key_not_in_log" in open(w.a.log.name).read(), "the log says so")
    w.does()
    w.is_well()
    until = time.monotonic() + PATIENCE_S
    while VOUCHERS in w.peer("show"):
        expect(time.monotonic() < until, w.peer("show"))
        w.peer("retry")
        w.b.run("check", "a.test", code=None)


def main():
    w = World()
    try:
        for part in (at_first_sight, when_it_changes, keys_for_vouchers):
            began = time.monotonic()
            part(w)
            print(f"ok  {part.__name__}  {time.monotonic() - began:.1f} s", flush=True)
    finally:
        w.end()


try:
    main()
except Failed as e:
    print(f"FAIL  {e}")
    sys.exit(1)
