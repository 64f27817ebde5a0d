#!/usr/bin/env python3
"""Homeservers cosign each other's logs: who is named as a witness brings its line to the checkpoint of each window's first
entry, also after it was killed; a client says whether those that it names did; a log that forked is cosigned no more.
usage: witness.py BIN_FOLDER

a is honest; b's operator can show another log of his (hearthd_malicious). Each names the other. That a size is of a window's
first entry is read out of the log's tiles, without code of ours.
"""
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../client")]
from stage import Failed, Homeserver, Person, federate, free_port  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
PATIENCE_S = 90
WINDOW_S = 3
CONF = f"\n[transparency]\nwindow_s = {WINDOW_S}\nepoch_ms = 100\n"


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
                 lambda now: now["cosignatures"] == 1 and now["cosigned_size"] > above)["cosigned_size"]


def windows(where, size):
    """The window of each entry before that size; None of entry 0, the configuration."""
    out = []
    for tile in range(-(-size // 256)):
        width = min(256, size - 256 * tile)
        path = f"tile/entries/{tile:03}" + (f".p/{width}" if width < 256 else "")
        with urllib.request.urlopen(f"http://{where}/{path}", timeout=60) as answer:
            data = answer.read()
        while data:
            length = int.from_bytes(data[:2], "big")
            out.append(int.from_bytes(data[2:10], "big") // (1000 * WINDOW_S) if out else None)
            data = data[2 + length:]
    return out


def begins_a_window(where, size):
    of = windows(where, size)
    if len(of) != size or size > 2 and of[size - 1] == of[size - 2]:
        raise Failed(f"size {size} is not of a window's first entry: {of[-3:]}")
    return of[size - 1]


def of_a(person):
    return next(log for log in person.json("kt", "head") if log["domain"] == "a.test")


def policy(person, lines):
    path = os.path.join(person.server.scratch.name, "policy")
    with open(path, "w") as out:
        out.write(lines)
    person.json("kt", "policy", path)


def clients_say(person, b, witness, stranger):
    """Witnessed by whom the person names, and by nobody else."""
    if of_a(person)["witness"] != "":
        raise Failed("a log is judged without a policy")
    policy(person, f"witness mine {witness}\nquorum mine\n")
    end = time.monotonic() + PATIENCE_S
    while of_a(person)["witness"] != "witnessed":
        if time.monotonic() > end:
            raise Failed(f"what b cosigns is not witnessed\n{of_a(person)}")
        b.run("admin", "peer", "retry", "a.test")
        time.sleep(0.5)
        person.json("kt", "monitor")
    said = of_a(person)
    if said["witnesses"] != "mine" or said["witnessed_entries"] != said["window_entry"] + 1:
        raise Failed(f"witnessed by whom? {said}")
    policy(person, f"witness mine {witness}\nwitness other {stranger}\ngroup both all mine other\nquorum both\n")
    person.json("kt", "monitor")
    said = of_a(person)
    if said["witness"] != "unwitnessed" or said["witnessed_entries"] != 0:
        raise Failed(f"one of two is not both: {said}")
    person.run("kt", "policy", "/dev/null")


def check(one, other):
    subprocess.run([one.hearthd, "--dir", one.folder, "check", other.domain], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=60)


def main():
    a = Homeserver(BIN, "a.test", CONF)
    pages = f"127.0.0.1:{free_port()}"
    b = Homeserver(BIN, "b.test", CONF + f"listen = {pages}\n[server]\nconfine = no\n", beside=a)
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
    time.sleep(1)
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
    of_b = cosigned(a, b)
    window = begins_a_window(pages, of_b)
    alice = Person(BIN, a, "alice")
    alice.create("alice")
    clients_say(alice, b, names[b], names[a])
    # a witness that was killed goes on from what it has stored
    a.end(signal.SIGKILL)
    a.start()
    of_b = cosigned(a, b, of_b)
    if begins_a_window(pages, of_b) <= window:
        raise Failed("two sizes of one window are cosigned")
    # control: a log that showed another one has no witness any more, also where it is the old one again
    b_does("other")
    end = time.monotonic() + PATIENCE_S
    while "forked" not in a.run("admin", "peer", "show", "b.test"):
        if time.monotonic() > end:
            raise Failed("a does not notice that b has two logs")
        a.run("admin", "peer", "retry", "b.test")
        time.sleep(0.3)
    b_does()
    # meanwhile a's log, of the same windows, is cosigned twice, and b's grows by two windows
    was, last = head(b), head(a)["cosigned_size"]
    for _ in range(2):
        a.run("admin", "peer", "retry", "b.test")
        last = cosigned(b, a, last)
    now = until("b's log does not go on", a, b, lambda now: now["size"] >= was["size"] + 2)
    if now["cosigned_size"] != was["cosigned_size"]:
        raise Failed("a forked log is cosigned")
    for server in (a, b):
        server.end()
    a.scratch.cleanup()
    print(f"sizes of windows' first entries cosigned, up to {last} and, while it was one log, {of_b}")


main()
