#!/usr/bin/env python3
"""What people on the real programs live through: members who cheat (DoS9, DoS10), an operator who cheats (DoS11 to DoS15,
ME6, MitM1 to MitM3). Each beside honest people who talk all the while, with a control in which the same is done to a
client that lacks the defence (hearth_malicious, tests/malicious/client.c), or to a server whose limit is raised: there the
attack must succeed.

usage: people.py BIN_FOLDER [ID...] [--rounds N]     --rounds: each so many times, as in tests/long.sh
"""
import base64
import copy
import os
import shutil
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../client"))
import log_attacks  # noqa: E402  its Operator, and how people are alarmed
import stage  # noqa: E402
from log_attacks import BIN, Operator, alarmed, convicts, person, quiet  # noqa: E402
from stage import Failed, Person, connect  # noqa: E402

PATIENCE_S = 60
FORBIDDEN = 64 + 7  # exit code of a PERMISSION_DENIED
THREATS = {}
LONG = ["DoS9_control"]  # too long for ./dev test


def threat(test):
    THREATS[test.__name__] = test
    return test


class Odd(Person):
    """hearth_malicious, and what it does: does("spoil-all")."""

    def __init__(self, server, name, *words):
        super().__init__(BIN, server, name)
        self.hearth = os.path.join(BIN, "hearth_malicious")
        self.malice = os.path.join(server.scratch.name, f"malice-of-{name}")
        self.does(*words)

    def does(self, *words):
        with open(self.malice, "w") as out:
            out.write(" ".join(words))

    def words(self, *words, **how):
        return ["/usr/bin/env", f"HEARTH_MALICE={self.malice}", *super().words(*words, **how)]


class Talk:
    """Two honest people, one of whom says something to the other again and again. At the end nothing was lost and nobody was
    alarmed; median of a send, alone and beside the attack."""

    ALONE = 3

    def __init__(self, server):
        self.one, self.other = person(server, "yael"), person(server, "zoe")
        self.took, self.over, self.why, self.hold = [], threading.Event(), None, threading.Lock()
        connect(self.one, self.other)

    def say(self):
        began = time.time()
        self.one.run("send", self.other.handle, f"number {len(self.took)}", code=0)
        self.took.append(time.time() - began)

    def go_on(self):
        try:
            while not self.over.is_set():
                with self.hold:
                    self.say()
                self.over.wait(0.3)
        except Failed as why:
            self.why = why

    def __enter__(self):
        for _ in range(self.ALONE):
            self.say()
        self.thread = threading.Thread(target=self.go_on)
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join()
        if kind is not None:
            return
        if self.why:
            raise self.why
        self.other.run("sync", code=0)
        got = self.other.run("history", self.one.handle, "--count", "1000", code=0)
        lost = [n for n in range(len(self.took)) if f"number {n}\n" not in got.replace("\r", "") + "\n"]
        if lost:
            raise Failed(f"of {len(self.took)} honest messages {lost} are lost\n{got}")
        quiet(self.one), quiet(self.other)
        alone, beside = self.took[:self.ALONE], self.took[self.ALONE:] or self.took
        print(f"       honest: {len(self.took)} messages, none lost, nobody alarmed; a send takes {statistics.median(beside):.2f} s, "
              f"{statistics.median(alone):.2f} s before", flush=True)


def until(what, within_s=PATIENCE_S):
    """The first answer that is not false, and after how many seconds."""
    began = time.time()
    while True:
        answer = what()
        if answer:
            return answer, time.time() - began
        if time.time() > began + within_s:
            raise Failed(f"not within {within_s} s: {what.__doc__ or what.__name__}")
        time.sleep(0.2)


def held(control):
    """The control failed to fail."""
    return Failed(f"the control was held as well, so the test proves nothing: {control}")


def not_told(p):
    """The control: for a whole window nothing is noticed."""
    began = time.time()
    while time.time() < began + log_attacks.WINDOW_S + 1:
        said = p.run("kt", "monitor", code=None)
        if "BAD" in said or "DISTRUSTED" in said:
            raise held(p.name)
        time.sleep(1)


def register(p):
    """By an invitation, whatever becomes of it."""
    return p.run("account", "create", "--invite", p.server.invite(), "--homeserver", p.server.where, "--ca", p.server.ca, code=None)


def told(p, says=None):
    """After how many seconds."""
    began = time.time()
    alarmed(p, says=says)
    return time.time() - began


def figure(name, text):
    print(f"{name:6} {text}", flush=True)


# ---- members who cheat

def found(admin, name, *others):
    """A group of all of them, who are contacts of its admin."""
    for other in others:
        connect(admin, other)
    admin.run("group", "create", name, code=0)
    admin.run("group", "add", name, *[other.handle for other in others], code=0)
    for other in others:
        until(lambda: "open" in other.run("sync", code=None) + other.run("group", "list", code=0)
              and any(chat["name"] == name for chat in other.json("group", "list")))


def chat_of(p, name):
    return p.json("group", "show", name)[0]


def together(people, name):
    """All are in the group, in one epoch."""
    def look():
        for p in people:
            p.run("sync", code=None)
        chats = [chat_of(p, name) for p in people]
        return all(c["state"] == "open" and c["epoch"] == chats[0]["epoch"] for c in chats) and chats[0]["epoch"]
    look.__doc__ = "all are in one epoch of " + name
    return until(look)


def all_hear(people, name):
    """What each says all read."""
    for p in people:
        p.run("send", name, f"{p.name} is here", code=0)
    for p in people:
        p.run("sync", code=0)
        said = p.run("history", name, "--count", "100", code=0)
        for other in people:
            if other is not p and f"{other.name} is here" not in said:
                raise Failed(f"{p.name} does not read {other.name}\n{said}")


def deaf(speaker, people, name):
    """None of them reads what is said, for some seconds."""
    speaker.run("send", name, "can you read this?", code=0)
    until_s = time.time() + 5
    while time.time() < until_s:
        for p in people:
            p.run("--timeout", "1", "sync", code=None)
    return not any("can you read this?" in p.run("history", name, "--count", "100", code=0) for p in people)


def updates(p, name, times=3):
    """How many changes of a member go through, who does not wait long for each."""
    done = 0
    for _ in range(times):
        done += "updated" in p.run("--timeout", "2", "group", "update", name, code=None)
        p.run("sync", code=None)
    return done


def reported(conf):
    """A change that nobody can follow: everybody is told whose it was, and joins again. How many more its maker then gets through in
    three attempts, and how many somebody whom nobody reported."""
    with stage.Homeserver(BIN, conf=conf) as server:
        alice, bob, mallory = person(server, "alice"), person(server, "bob"), Odd(server, "mallory")
        mallory.create("mallory")
        talk = Talk(server)
        found(alice, "club", bob, mallory)
        with talk:
            mallory.does("spoil-all")
            mallory.run("group", "update", "club", code=0)
            mallory.does()
            _, again_s = together([alice, bob, mallory], "club")
            figure("DoS9", f"all in again after {again_s:.1f} s")
            all_hear([alice, bob, mallory], "club")
            alice.run("history", "club", "--count", "100", code=0, says="bob.* could not follow a change by mallory")
            mallory.run("history", "club", "--count", "100", code=0, says="could not follow a change of yours")
            return updates(mallory, "club"), updates(bob, "club")


@threat
def DoS9():
    """A change that no other member can follow: reported by those members, who join again; everybody reads whose it was, its admin,
    too, and he gets one more change through in ten minutes."""
    more, others = reported("")
    figure("DoS9", f"who was reported made {more} more changes; control, whom nobody reported: {others}")
    if more > 1:
        raise Failed("who was reported is not slowed")
    if others <= more:
        raise held("whom nobody reported")


def DoS9_control():
    """The same where the limit is raised."""
    more, _ = reported("[limits]\nCOMMITS_REPORTED = 1000\n")
    figure("DoS9", f"control, without the limit: {more} more changes")
    if more <= 1:
        raise held("a homeserver without the limit")


@threat
def DoS10():
    """A change that two members of a subtree can't follow: they join again, each by one commit, and nobody is lost. The control does
    not join again."""
    with stage.Homeserver(BIN) as server:
        alice, mallory, bob, carol = person(server, "alice"), Odd(server, "mallory"), Odd(server, "bob"), Odd(server, "carol")
        people = [alice, mallory, bob, carol]
        for p in people[1:]:
            p.create(p.name)
        talk = Talk(server)
        found(alice, "club", mallory, bob, carol)
        before, _ = together(people, "club")
        with talk:
            mallory.does("spoil-2", "spoil-3")
            mallory.run("group", "update", "club", code=0)
            after, took_s = together(people, "club")
            joins = after - before - 1
            figure("DoS10", f"all in again after {took_s:.1f} s and {joins} commits of two victims")
            if joins != 2:
                raise Failed(f"two victims took {joins} commits")
            all_hear(people, "club")
            bob.does("stays-out"), carol.does("stays-out")
            mallory.does("spoil-all")
            mallory.run("group", "update", "club", code=0)
            mallory.does()
            if not deaf(mallory, (bob, carol), "club"):
                raise held("clients that don't join again")
            figure("DoS10", "control, clients that don't join again: they read nothing any more")


# ---- an operator who refuses

def refusals(p, method):
    return [r for r in p.json("receipts") if not r.get("accepted", True) and r["method"].endswith("/" + method)]


def refused(word, method, call, prepare=None):
    """call(person, server) is refused, and there is a signed receipt of it; a client that keeps none has nothing to show."""
    with Operator() as server:
        bob, careless = person(server, "bob"), Odd(server, "careless", "no-receipts")
        careless.create("careless")
        friend = person(server, "friend")
        for p in (bob, careless):
            connect(p, friend)
        with Talk(server) if method != "SendMessage" else open(os.devnull):
            server.does(word)
            call(bob, server), call(careless, server)
            server.does()
        rows = refusals(bob, method)
        if not rows or rows[0]["status"] != FORBIDDEN - 64 or not rows[0]["bytes"]:
            raise Failed(f"no receipt of {method}: {bob.run('receipts')}")
        if refusals(careless, method):
            raise Failed("the control was held as well, so the test proves nothing: a client that keeps no receipts")
        bob.run("receipts", code=0, says=rf"refused +{method} by a.test, PERMISSION_DENIED")
        figure(word, f"{len(rows)} refusals of {method}, a receipt of {rows[0]['bytes']} bytes for each; control without receipts: 0")


def add_device(p, server):
    """p's attempt to let another device in, which is refused."""
    def said():
        """the log has answered, and the device is refused"""
        p.run("kt", "monitor", code=None)
        tablet = Person(BIN, server, p.name + "-tablet")
        link = tablet.start("--timeout", "60", "device", "link", "--domain", "a.test", "--device", "tablet", "--homeserver",
                            server.where, "--ca", server.ca)
        code = next(line.split()[1] for line in link.stdout if line.startswith("code"))
        text = p.run("device", "add", code, "--yes", code=None)
        link.kill()
        link.communicate()
        shutil.rmtree(tablet.folder, ignore_errors=True)
        return "not answered yet" not in text and text
    text, _ = until(said)
    if "added" in text:
        raise Failed(f"{p.name} was not refused: {text}")


@threat
def DoS11():
    """The operator refuses a client a further device: the refusal is signed, and kept."""
    refused("refuse-user", "AddClient", add_device)


@threat
def DoS14():
    """The operator refuses a member's messages: the refusal is signed, and kept."""
    refused("refuse-member", "SendMessage", lambda p, server: p.run("send", "friend@a.test", "hello", code=FORBIDDEN))


@threat
def DoS12():
    """The operator puts a set without any of his clients into the log: no signature of the user's allowed that, and he can prove it;
    as a reset he is told. The control looks at no log."""
    with Operator() as server, Talk(server):
        bob, carol, control = Person(BIN, server, "bob"), Person(BIN, server, "carol"), Odd(server, "control", "no-log")
        server.does("only-us", "unsigned")
        register(bob)
        unsigned_s = told(bob, "DISTRUSTED")
        convicts(bob, "none of the keys before allowed")
        register(control)
        server.does("only-us")
        register(carol)
        figure("DoS12", f"told after {unsigned_s:.1f} s with evidence, after {told(carol, 'BAD'):.1f} s of a reset")
        server.does()
        control.run("account", "show", code=0, says="on a.test")
        not_told(control)
        figure("DoS12", "control, a client that looks at no log: not told")


@threat
def DoS13():
    """The operator issues bob no tokens any more: he goes on with those that he has, and has signed refusals. The control has
    none in stock."""
    server = Operator()
    server.configure("[tokens]\nmode = on\n[limits]\nPRICE_FACTOR = 1\n")  # a machine that is busy has high prices
    with server:
        bob, carol = person(server, "bob"), person(server, "carol")
        until(lambda: sum(bob.json("account", "show")[0]["tokens"]["now"]) > 0 or bob.run("sync", code=None) is None)
        stock = sum(bob.json("account", "show")[0]["tokens"]["now"])
        connect(bob, carol)
        server.does("refuse-tokens")
        late = Person(BIN, server, "late")
        if " on a.test" in late.run("--timeout", "6", "account", "create", "--invite", server.invite(), "--homeserver", server.where, "--ca",
                                  server.ca, code=None):
            raise held("who has no tokens in stock")
        bob.run("group", "create", "his", code=0)
        bob.run("send", "carol@a.test", "still here", code=0)
        if sum(bob.json("account", "show")[0]["tokens"]["now"]) >= stock:
            raise Failed("nothing was paid for")
        rows = refusals(late, "IssueTokens")
        if not 0 < len(rows) <= 20:  # a client that asked without end would push out all other receipts
            raise Failed(f"{len(rows)} receipts of IssueTokens: {late.run('receipts')}")
        figure("DoS13", f"who had {stock} tokens went on; control, who had none: got nowhere, and has {len(rows)} signed refusals")


@threat
def DoS15():
    """An item of bob's queue is replaced by an empty one: told with the next. The control does not follow the chain."""
    with Operator() as server, Talk(server) as talk:
        alice, bob, control = person(server, "alice"), person(server, "bob"), Odd(server, "control", "no-chain")
        control.create("control")
        for p in (bob, control):
            connect(alice, p)
            alice.run("send", p.handle, "one", code=0)
            p.run("sync", code=0)
        with talk.hold:  # the operator's word is for all queues
            server.does("replace-item")
            for p in (bob, control):
                alice.run("send", p.handle, "two", code=0)
            said = [p.run("sync", code=None) for p in (bob, control)]
            server.does()
        for p in (bob, control):
            alice.run("send", p.handle, "three", code=0)
        if "changed our queue" not in said[0]:  # else that was followed by another one already
            bob.run("sync", code=3, says="changed our queue")
        figure("DoS15", "told with the next item")
        if "changed our queue" in said[1] + control.run("sync", code=None):
            raise held("a client that does not follow the chain")
        figure("DoS15", "control, a client that does not follow the chain: its queue was changed, and it does not say so")


# ---- an operator who lies

@threat
def ME6():
    """One user is given a token key, or a sealing key, of his own, by which his calls could be told from others': it is not the one
    in the log, so he does not use it and is told. The control looks at no log."""
    with Operator() as server, Talk(server):
        for word in ("token-key", "sealing-key"):
            p = Person(BIN, server, "with-" + word)
            server.does(word)
            register(p)
            server.does()
            figure("ME6", f"{word}: told after {told(p):.1f} s")
        control = Odd(server, "control", "no-log")
        server.does("token-key")
        register(control)
        server.does()
        control.run("account", "show", code=0, says="on a.test")
        not_told(control)
        figure("ME6", "control, a client that looks at no log: takes the key and is not told")


def pin_of(invitation):
    """The root's fingerprint in an invitation, in hex."""
    text = invitation.split("/")[1].replace("-", "")
    standard = text.translate(str.maketrans("0123456789ABCDEFGHJKMNPQRSTVWXYZ", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))
    return base64.b32decode(standard + "=" * (-len(standard) % 8))[16:32].hex()


@threat
def MitM1():
    """Another homeserver under the name of ours, with a certificate for it: who was told the root's fingerprint does not take it
    for ours. The control was not told, and is given the other one's keys of his friend."""
    with Operator() as server, Talk(server):
        false = stage.Homeserver(BIN, domain="a.test", beside=server, name="false",
                                 conf="[registration]\nmode = open\n[limits]\nPUZZLE_BITS_LEAST = 4\nPUZZLE_BITS_MOST = 8\n")
        with false:
            person(false, "carol-of-the-false-one", create=False).create("carol")
            pin = pin_of(server.invite())

            def register_at(name, to, *more):
                p = Person(BIN, server, name)
                began = time.time()
                code = p.run("--timeout", "10", "account", "create", "--domain", "a.test", *more, "--homeserver", to.where, "--ca",
                             to.ca, code=None)
                return p, " on a.test" in code, time.time() - began

            _, taken_in, took_s = register_at("bob", false, "--root-pin", pin)
            invited = Person(BIN, server, "invited").run("account", "create", "--invite", server.invite(), "--homeserver", false.where,
                                                         "--ca", false.ca, code=None)
            if taken_in or " on a.test" in invited:
                raise Failed("the false homeserver was taken for ours")
            figure("MitM1", f"refused after {took_s:.1f} s, and where an invitation brought the fingerprint")
            _, right, _ = register_at("dave", false, "--root-pin", pin_of(false.invite()))
            if not right:
                raise Failed("the false homeserver takes nobody, so the test proves nothing")
            eve, taken_in, _ = register_at("eve", false)
            if not taken_in:
                raise Failed("the control was held as well, so the test proves nothing")
            eve.run("contact", "add", "carol@a.test", code=0)
            figure("MitM1", "control, without the fingerprint: registered at the false one, and given its key for a friend")


@threat
def MitM2():
    """Connect gives another key for bob's handle than the log: alice seals nothing to it. The control looks at no log."""
    with Operator() as server, Talk(server):
        alice, control = person(server, "alice"), Odd(server, "control", "no-log")
        control.create()
        person(server, "bob")
        server.does("swap-handle")
        began = time.time()
        alice.run("contact", "add", "bob@a.test", code=3, says="log")
        figure("MitM2", f"refused after {time.time() - began:.1f} s, nothing was sealed to the false key")
        control.run("contact", "add", "bob@a.test", code=0, says="asked")
        server.does()
        figure("MitM2", "control, a client that looks at no log: sealed to the false key")


@threat
def MitM3():
    """A client of the operator's enters somebody's set: he is told, with evidence where no key of his signed it. The control looks at
    no log."""
    with Operator() as server, Talk(server):
        bob, carol, control = Person(BIN, server, "bob"), Person(BIN, server, "carol"), Odd(server, "control", "no-log")
        server.does("extra-client", "unsigned")
        register(bob)
        unsigned_s = told(bob, "DISTRUSTED")
        convicts(bob, "none of the keys before allowed")
        register(control)
        server.does("extra-client")
        register(carol)
        figure("MitM3", f"told after {unsigned_s:.1f} s with evidence, after {told(carol, 'BAD'):.1f} s of a reset")
        server.does()
        control.run("account", "show", code=0, says="on a.test")
        not_told(control)
        figure("MitM3", "control, a client that looks at no log: not told")


# ---- the network

class Wire(threading.Thread):
    """Between people and a homeserver: notes what passes, and turns one bit of each connection where it is told to."""

    def __init__(self, to):
        super().__init__(daemon=True)
        self.to, self.up, self.down, self.flip, self.flipped = to, bytearray(), bytearray(), None, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.where = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            near, _ = self.listener.accept()
            host, port = self.to.split(":")
            far = socket.create_connection((host, int(port)))
            for one, other, tape, way in ((near, far, self.up, "up"), (far, near, self.down, "down")):
                threading.Thread(target=self.carry, args=(one, other, tape, way), daemon=True).start()

    def carry(self, one, other, tape, way):
        passed = 0
        try:
            while piece := bytearray(one.recv(65536)):
                tape += piece
                if self.flip and self.flip[0] == way and passed <= self.flip[1] < passed + len(piece):
                    piece[self.flip[1] - passed] ^= 1
                    self.flipped += 1
                passed += len(piece)
                other.sendall(piece)
        except OSError:
            pass
        for s in (one, other):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Page:
    """A homeserver whose log's page is there in plain text: the control, over the same wire."""

    def __init__(self):
        self.port = stage.free_port()
        self.server = stage.Homeserver(BIN, conf=f"[transparency]\nlisten = 127.0.0.1:{self.port}\n")

    def fetch(self, wire):
        with socket.create_connection(tuple([wire.where.split(":")[0], int(wire.where.split(":")[1])])) as s:
            s.sendall(b"GET /checkpoint HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            got = b""
            while piece := s.recv(65536):
                got += piece
        return got


def wired(server, *names):
    """People who reach the homeserver over a wire, and are contacts."""
    wire, through = Wire(server.listen), copy.copy(server)
    through.where = f"a.test={wire.where}"
    people = [person(through, name) for name in names]
    connect(*people)
    return wire, people


def admitted(server):
    return {line.split()[0]: int(line.split()[1]) for line in server.run("status").splitlines() if line.startswith("hearthd_admitted")}


@threat
def T1():
    """Who watches the wire reads neither words nor names nor which calls are made. The control is a page without TLS."""
    page = Page()
    with page.server as server:
        wire, (alice, robert) = wired(server, "alice", "robert")
        alice.run("send", "robert@a.test", "a canary sentence", code=0)
        robert.run("sync", code=0)
        robert.run("history", "alice@a.test", code=0, says="a canary sentence")
        seen = bytes(wire.up + wire.down)
        words = [b"canary", b"hearth.v1", b"alice", b"robert"]
        read = [word for word in words if word in seen]
        if read or len(seen) < 10000:
            raise Failed(f"in {len(seen)} bytes {read} can be read")
        plain = Wire(f"127.0.0.1:{page.port}")
        page.fetch(plain)
        if b"a.test/kt/1" not in plain.down:
            raise held("a page without TLS")
        figure("T1", f"{len(seen)} bytes seen, none of {len(words)} words in them (the domain is in the greeting); control, a page without "
               "TLS: read")


@threat
def T2():
    """Who turns bits on the wire changes nothing that is taken: what is said arrives as it was said, or not. The control is a page
    without TLS."""
    page = Page()
    with page.server as server:
        wire, (alice, bob) = wired(server, "alice", "bob")
        for way, at in (("up", 20), ("up", 900), ("up", 1500), ("down", 60), ("down", 1200), ("down", 3000)):
            wire.flip = (way, at)
            alice.run("--timeout", "1", "send", "bob@a.test", f"said {way} {at}", code=None)
        wire.flip = None
        until(lambda: alice.run("sync", code=None) is not None and "not sent yet" not in alice.run("history", "bob@a.test", code=0))
        bob.run("sync", code=0)
        said = [m["text"] for m in bob.json("history", "alice@a.test") if not m["own"] and m["text"].startswith("said")]
        wanted = [f"said {way} {at}" for way, at in (("up", 20), ("up", 900), ("up", 1500), ("down", 60), ("down", 1200), ("down", 3000))]
        if said != wanted or wire.flipped < len(wanted):
            raise Failed(f"{wire.flipped} bits turned; read: {said}")
        plain = Wire(f"127.0.0.1:{page.port}")
        true = page.fetch(plain)
        plain.flip = ("down", len(true) - 30)
        if page.fetch(plain) == true:
            raise held("a page without TLS")
        figure("T2", f"{wire.flipped} bits turned in {len(wanted)} attempts to send: all arrived once and as they were said; control, a page "
               "without TLS: taken as changed")


@threat
def ME2():
    """What was seen on the wire is sent again, to see what comes back: the homeserver admits no call. The control is a page without
    TLS, which answers again."""
    page = Page()
    with page.server as server:
        wire, (alice, bob) = wired(server, "alice", "bob")
        wire.up.clear()
        alice.run("send", "bob@a.test", "once", code=0)
        before, again = admitted(server), bytes(wire.up)
        for cut in (len(again), len(again) // 2, 517):
            with socket.create_connection(tuple([server.listen.split(":")[0], int(server.listen.split(":")[1])])) as s:
                s.sendall(again[:cut])
                s.settimeout(2)
                try:
                    while s.recv(65536):
                        pass
                except OSError:
                    pass
        after = admitted(server)
        if after != before:
            raise Failed(f"calls were admitted: {before}, {after}")
        bob.run("sync", code=0)
        if len([m for m in bob.json("history", "alice@a.test") if m["text"] == "once"]) != 1:
            raise Failed("said twice")
        plain = Wire(f"127.0.0.1:{page.port}")
        if page.fetch(plain) != page.fetch(plain):
            raise held("a page without TLS")
        figure("ME2", f"{len(again)} bytes of a conversation sent again in 3 ways: no call admitted; control, a page without TLS: answers again")


def main():
    words, rounds = sys.argv[2:], 1
    if "--rounds" in words:
        at = words.index("--rounds")
        rounds = int(words[at + 1])
        del words[at:at + 2]
    for name in words or [*THREATS, *LONG]:
        test = globals()[name]
        for _ in range(rounds):
            began = time.time()
            print(f"{name}: {test.__doc__.splitlines()[0]}", flush=True)
            test()
            print(f"ok   {name:6} {time.time() - began:5.1f} s", flush=True)


if __name__ == "__main__":
    main()
