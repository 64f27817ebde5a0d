#!/usr/bin/env python3
"""Two homeservers, and what is not as it says it is: a peer with a wrong certificate, one with other keys under a known
name, somebody between them who repeats, loses, keeps and changes what passes; and one that came back from a backup.

usage: hostile.py BIN_FOLDER

After each part, within 30 s, everybody has everything that was written, once, in order (people.py).
"""
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../client")]
from people import Group, Person, befriend_and_gather  # noqa: E402
from stage import Failed, Homeserver, federate, free_port  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
HEALED_S = 30
LIMITS = "\n[limits]\nPEER_QUEUE = 60000\nSEND_LEAF = 60000\n"


class World:
    def __init__(self):
        self.a = Homeserver(BIN, "a.test", LIMITS)
        self.b = Homeserver(BIN, "b.test", LIMITS, beside=self.a)
        federate(self.a, self.b)
        self.where_b = self.b.listen
        self.people = []

    def start(self):
        self.a.start()
        self.b.start()
        self.people = [Person(BIN, s, name, s.where, []) for name, s in (("alma", self.a), ("bela", self.b), ("boris", self.b))]
        for person in self.people:
            person.do("register", person.server.invite(), person.name)
        self.alma, self.bela, self.boris = self.people
        self.groups = [Group("of-a", self.people), Group("of-b", [self.bela, self.alma, self.boris])]
        befriend_and_gather(self.groups)

    def write(self, lines, *people):
        for _ in range(lines):
            for group in self.groups:
                for person in people or self.people:
                    group.write(person)

    def settle(self, told=()):
        """told: who may learn that something was withheld, since it was."""
        until = time.monotonic() + HEALED_S
        while True:
            differing = [d for d in (g.differing() for g in self.groups) if d]
            if not differing:
                break
            if time.monotonic() > until:
                raise Failed(f"after {HEALED_S} s: {differing[0]}")
            time.sleep(0.1)
        faults = [f"{p.name}: {f}" for p in self.people for f in p.faults if p not in told or not f.startswith("fault 15 ")]
        if faults:
            raise Failed(faults[0])

    def heard(self, reader, writer):
        return sum(f"/{writer.name}/" in text for text in reader.heard)

    def end(self):
        for person in self.people:
            person.end()
        self.b.end()
        self.a.end()
        self.a.scratch.cleanup()


def restart(server):
    server.end(signal.SIGKILL)  # at once, and as hard as can be
    server.start()


def expect(good, what):
    if not good:
        raise Failed(what)


def certificate(w):
    """b shows the certificate of another domain: nobody speaks with it, neither a nor its own people."""
    other = Homeserver(BIN, "other.test", beside=w.a)
    kept = os.path.join(w.a.scratch.name, "kept-tls")
    shutil.move(os.path.join(w.b.folder, "tls"), kept)
    shutil.copytree(os.path.join(other.folder, "tls"), os.path.join(w.b.folder, "tls"))
    restart(w.b)
    before = w.heard(w.bela, w.alma)
    w.write(2, w.alma)
    said = w.a.run("check", "b.test", code=1)
    expect("fail" in said, f"hearthd check b.test: {said}")
    time.sleep(3)
    expect(w.heard(w.bela, w.alma) == before, "a delivered to whoever shows a certificate")
    shutil.rmtree(os.path.join(w.b.folder, "tls"))
    shutil.move(kept, os.path.join(w.b.folder, "tls"))
    restart(w.b)
    w.settle()
    expect("0 faults" in w.a.run("check", "b.test"), "and all is well again")


def impostor(w):
    """Another homeserver says it is a.test, with a certificate for that, but its root is not the one that b knows."""
    fake = Homeserver(BIN, "a.test", beside=w.a, name="impostor", listen=w.a.listen)
    fake.configure(f"\n[federation]\nmode = allow\npeer = b.test={w.where_b}\n")
    said = fake.run("check", "b.test", code=1)
    expect("fail" in said, f"b answers a stranger with a known name: {said}")
    w.a.end(signal.SIGKILL)
    fake.start()  # at the place where a was: b asks it for keys
    said = fake.run("check", "b.test", code=1)
    expect("fail" in said, f"b took other keys for a.test: {said}")
    time.sleep(1)
    fake.end()
    w.a.start()
    w.write(2)
    w.settle()
    expect("0 faults" in w.a.run("check", "b.test"), "a itself is known as before")


class Relay:
    """Between a and b: a is told that b is there."""

    def __init__(self, w):
        listen = f"127.0.0.1:{free_port()}"
        tls = [os.path.join(w.b.folder, "tls", name) for name in ("certificate.pem", "key.pem")]
        self.process = subprocess.Popen(["/usr/bin/python3", os.path.join(HERE, "relay.py"), listen, w.where_b, *tls, w.b.ca, "b.test"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.first = self.process.stdout.readline().strip()
        if self.first == "ready":
            self.point(w, w.where_b, listen)
            self.listen = listen

    def point(self, w, before, after):
        path = os.path.join(w.a.folder, "hearthd.conf")
        with open(path) as conf:
            text = conf.read()
        expect(f"peer = b.test={before}\n" in text, text)
        with open(path, "w") as conf:
            conf.write(text.replace(f"peer = b.test={before}\n", f"peer = b.test={after}\n"))
        restart(w.a)  # connections that there are would go on

    def say(self, word):
        self.process.stdin.write(word + "\n")

    def mode(self, word):
        """What was said until then."""
        self.say(word)
        out = []
        while (line := self.process.stdout.readline().strip()) != f"now {word}":
            out.append(line)
        return out

    def end(self, w):
        if self.first == "ready":
            self.point(w, self.listen, w.where_b)
        self.process.stdin.close()
        self.process.wait(120)


def between(w):
    relay = Relay(w)
    if relay.first != "ready":
        relay.end(w)
        return relay.first
    w.write(2)
    w.settle()
    for mode in ("twice", "lose", "flip", "keep"):
        relay.mode(mode)
        w.write(3, w.alma, w.boris)
        time.sleep(3 if mode in ("keep", "lose") else 1.5)  # the courier repeats
        if mode == "keep":
            w.write(2, w.alma)
            time.sleep(2)
        told = relay.mode("pass")
        if mode == "keep":  # what is new overtakes what was kept, whose signature is good still
            w.settle()
            relay.say("release")
            told += relay.mode("pass")
            expect(sum(t.startswith("released") for t in told) >= 1, told)
        if mode == "twice":
            expect(told and set(told) == {"again UNAUTHENTICATED"}, f"a repeated signature: {told}")
        if mode == "flip":
            expect(told and set(told) == {"flipped UNAUTHENTICATED"}, f"a changed body: {told}")
        if mode == "lose":
            expect(told and set(told) == {"lost"}, told)
        w.settle()
    relay.end(w)
    return ""


def backup(w):
    """a comes back from a backup that is older than what b has got: what it sends from then on is new to b."""
    copy = os.path.join(w.a.folder, "backups", "one")
    w.a.run("backup", copy)
    w.write(3, w.bela, w.boris)
    readers, w.groups[0].members = w.groups[0].members, [w.bela, w.boris]  # what a's own people heard went with its queues
    shown, w.groups[1].members = w.groups[1].members, [w.bela, w.boris]
    w.settle()
    w.a.end(signal.SIGKILL)
    w.a.run("restore", copy)
    w.a.start()
    w.write(3, w.bela, w.boris)
    w.settle(told=[w.alma])  # her queue is the old one, and the others name what it lost
    w.groups[0].members, w.groups[1].members = readers, shown


def main():
    w = World()
    began = time.monotonic()
    try:
        w.start()
        w.write(2)
        w.settle()
        print(f"ok  set up  {time.monotonic() - began:.1f} s", flush=True)
        for part in (certificate, impostor, between, backup):
            began = time.monotonic()
            said = part(w)
            print(f"ok  {part.__name__}  {time.monotonic() - began:.1f} s  {said or ''}", flush=True)
    finally:
        w.end()


try:
    main()
except Failed as e:
    print(f"FAIL  {e}")
    sys.exit(1)
