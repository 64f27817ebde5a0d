#!/usr/bin/env python3
"""People of two homeservers, alice@a.test and bob@b.test and carol@b.test, on the real programs: what federation is
for, through outages of either side.

usage: two_homeservers.py BIN_FOLDER
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import Failed, Homeserver, Person, connect, federate  # noqa: E402

BIN = os.path.abspath(sys.argv[1])


class Two:
    def __init__(self, a, b):
        self.a, self.b = a, b
        self.alice, self.bob, self.carol = Person(BIN, a, "alice"), Person(BIN, b, "bob"), Person(BIN, b, "carol")
        self.phone = Person(BIN, b, "bobs-phone")
        self.dora = Person(BIN, a, "dora")
        self.places = sorted(a.where.split(","))


def registering(t):
    for person in (t.alice, t.bob, t.carol):
        person.create(person.name)


def told_later(t):
    """An account that knew its own homeserver's place alone is told of another's, besides."""
    t.dora.run("account", "create", "--invite", t.a.invite(), "--handle", "dora", "--homeserver", t.places[0], "--ca", t.a.ca)
    t.dora.run("contact", "add", "bob@b.test", code=2, says="--homeserver DOMAIN=HOST:PORT")
    t.dora.run("--homeserver", t.places[1], "contact", "add", "bob@b.test", says="asked")
    t.dora.run("--homeserver", t.places[1], "account", "delete", typed=["y\n"], says="deleted")
    t.bob.run("sync")


def contacts(t):
    t.alice.run("contact", "add", "nobody@b.test", code=64 + 5)  # NOT_FOUND, says b.test
    connect(t.alice, t.bob)
    connect(t.carol, t.alice)
    t.bob.run("handle", "add", "bobby", says="handle +bobby@b.test")
    t.bob.run("sync")
    t.alice.run("sync")
    number = t.alice.json("verify", "bob@b.test")[0]["digits"]
    assert number == t.bob.json("verify", "alice@a.test")[0]["digits"]


def talking(t):
    t.alice.run("send", "bob@b.test", "hello across the border", says="sent")
    t.bob.run("listen", "--count", "1", says=r"alice@a.test.* hello across the border")
    t.bob.run("send", "alice@a.test", "and back", says="sent")
    t.alice.run("listen", "--count", "1", says=r"bob@b.test.* and back")
    t.bob.run("profile", "set", "Bob of the Border", says="profile")
    for _ in range(3):
        t.bob.run("sync")
        t.alice.run("sync")
    assert "Bob of the Border" in t.alice.run("contact", "list")


def group(t):
    """a.test owns it; two of three members live at b.test, and one of them becomes an admin."""
    t.alice.run("group", "create", "garden", says="group +garden")
    t.alice.run("group", "add", "garden", "bob@b.test", "carol@b.test", says="added +bob@b.test")
    t.bob.run("wait", "joined", "garden", says="joined +garden")
    t.carol.run("wait", "joined", "garden", says="joined +garden")
    t.carol.run("send", "garden", "tulips tomorrow", says="sent")
    for person in (t.alice, t.bob):
        person.run("listen", "--count", "1", says="tulips tomorrow")
    t.bob.run("group", "rename", "garden", "orchard", code=1)
    t.alice.run("group", "promote", "garden", "bob@b.test", says="admin")
    t.bob.run("wait", "changed", code=None)
    t.bob.run("sync")
    t.bob.run("group", "rename", "garden", "orchard", says="renamed")
    for person in (t.alice, t.carol):
        until = time.time() + 90
        while not any(c["name"] == "orchard" for c in person.json("group", "list")):
            assert time.time() < until, person.name
            person.run("sync")
    t.carol.run("send", "orchard", "for alice alone", "--to", "alice@a.test", says="sent")
    t.alice.run("listen", "--count", "1", says=r"\(to one\)  for alice alone")


def files(t):
    path, copy = (os.path.join(t.a.scratch.name, n) for n in ("letter", "copy"))
    for sender, getter in ((t.alice, t.bob), (t.bob, t.alice)):
        with open(path, "wb") as out:
            out.write(os.urandom(1 << 20))
        sender.run("file", "send", getter.handle, path, says="sent")
        message = [e for e in getter.json("listen", "--count", "1") if e.get("file_bytes") and not e["own"]][0]
        getter.run("file", "get", sender.handle, str(message["number"]), copy, says="saved")
        there, here = open(path, "rb").read(), open(copy, "rb").read()
        assert there == here, (sender.name, len(there), len(here), message)
        os.unlink(copy)


def outages(t):
    """Whatever is accepted while the other side is down comes when it is up, once, in order."""
    for down, writer, reader in ((t.b, t.alice, t.bob), (t.a, t.bob, t.alice)):
        lines = [f"{writer.name} {i}" for i in range(5)]
        down.end(signal.SIGKILL)
        if down is t.b:  # the chat is a.test's
            for line in lines:
                writer.run("send", reader.handle, line, says="sent")
        else:
            writer.run("send", reader.handle, lines[0], "--timeout", "2", code=5)  # durable at home, not yet there
        down.start()
        if down is t.a:
            for line in lines[1:]:
                writer.run("send", reader.handle, line, says="sent")
        reader.run("listen", "--count", str(len(lines)), says=lines)
        history = [m["text"] for m in reader.json("history", writer.handle)]
        assert [x for x in history if x in lines] == lines, history


def devices(t):
    """bob's phone is let in by b.test, and into chats that a.test owns; then it is taken away."""
    linking = t.phone.start("device", "link", "--domain", "b.test", "--device", "phone", "--homeserver", t.b.where,
                            "--ca", t.b.ca, "--timeout", "180")
    code = linking.stdout.readline().split()
    if code[:1] != ["code"]:
        raise Failed(f"device link: {code} {linking.stdout.read()}")
    t.bob.run("device", "add", code[1], says="added")
    rest = linking.communicate(timeout=180)[0]
    if linking.returncode != 0:
        raise Failed(f"device link: exit {linking.returncode}\n{rest}")
    t.bob.run("sync")
    t.phone.run("wait", "joined", "orchard", code=None)
    t.phone.run("sync")
    t.alice.run("sync")
    t.alice.run("send", "orchard", "to all devices", says="sent")
    t.bob.run("listen", "--count", "1", says="to all devices")
    t.phone.run("listen", "--count", "1", says="to all devices")
    t.phone.run("send", "orchard", "from the phone", says="sent")
    t.alice.run("listen", "--count", "1", says="from the phone")
    t.bob.run("device", "remove", "phone", "--yes", says="removed")
    until = time.time() + 90
    while True:
        t.bob.run("sync")
        t.alice.run("sync")
        shown = t.alice.json("group", "show", "orchard")[0]
        if [p["devices"] for p in shown["people"] if p["name"] == "bob@b.test"] == [1]:
            break
        assert time.time() < until, shown
    t.phone.run("send", "orchard", "am I in?", "--timeout", "2", code=None)
    t.alice.run("sync")
    assert "am I in?" not in t.alice.run("history", "orchard")


def ending(t):
    t.bob.run("handle", "remove", "bobby", says="removed")
    t.alice.run("contact", "add", "bobby@b.test", code=64 + 5)  # given up: NOT_FOUND
    t.carol.run("group", "leave", "orchard", says="left")
    until = time.time() + 90
    while len(t.alice.json("group", "show", "orchard")[0]["people"]) != 2:
        assert time.time() < until
        t.bob.run("sync")
        t.alice.run("sync")
    t.bob.run("group", "remove", "orchard", "alice@a.test", says="removed")  # the guest shuts out the founder
    t.alice.run("wait", "removed", code=None)
    t.alice.run("sync")
    t.alice.run("send", "orchard", "still there?", code=1)
    t.carol.run("account", "delete", typed=["y\n"], says="deleted")
    t.alice.run("contact", "remove", "bob@b.test", "--yes", says="removed")
    t.bob.run("sync")
    t.bob.run("send", "alice@a.test", "why?", "--timeout", "2", code=None)
    t.alice.run("sync")
    assert "why?" not in t.alice.run("history", "bob@b.test", code=None)


def main():
    a = Homeserver(BIN)
    b = Homeserver(BIN, "b.test", beside=a)
    federate(a, b)
    with a, b:
        t = Two(a, b)
        for step in (registering, told_later, contacts, talking, group, files, outages, devices, ending):
            began = time.time()
            step(t)
            print(f"ok  {step.__name__}  {time.time() - began:.1f} s", flush=True)


try:
    main()
except Failed as e:
    print(f"FAIL  {e}")
    sys.exit(1)
