#!/usr/bin/env python3
"""Two homeservers that no setting names to each other: each on a machine of its own (a network namespace) whose name server
is ours. They and their people are found by SRV records, at the target and port that these say.

usage: srv.py BIN_FOLDER
"""
import os
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../client")]
from net import Net, needs  # noqa: E402
from people import Group, Person, befriend_and_gather  # noqa: E402
from stage import Failed, Homeserver  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
PATIENCE_S = 60
INSIDE = "private_addresses = yes\n"  # all of this lies in a network of one's own
OPEN = "\n[federation]\nmode = open\n" + INSIDE
MOUNTED = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'


class Names:
    """The name server, and how programs are started that ask it."""

    def __init__(self, net, folder):
        self.net, self.zone, self.resolv, self.asked = net, os.path.join(folder, "zone"), os.path.join(folder, "resolv.conf"), []
        with open(self.resolv, "w") as out:
            out.write(f"nameserver {net.address('names')}\noptions timeout:1 attempts:2\n")
        self.set()
        self.process = subprocess.Popen([*net.inside("names"), "/usr/bin/python3", os.path.join(HERE, "names.py"),
                                         net.address("names"), self.zone], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise Failed("the name server did not start")
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.asked.append(line.strip())

    def set(self, *rows):
        with open(self.zone + ".new", "w") as out:
            out.write("".join(row + "\n" for row in rows))
        os.rename(self.zone + ".new", self.zone)

    def inside(self, name):
        return [*self.net.inside(name), "sh", "-c", MOUNTED, self.resolv]

    def end(self):
        self.process.kill()
        self.process.wait()


class World:
    """Certificates name the domains, SRV records other hosts; the ports are nobody's default."""

    def __init__(self, net):
        self.net, self.names, self.people = net, None, []
        at = {name: net.address(name) for name in "ab"}
        self.a = Homeserver(BIN, "alpha.example", OPEN, listen=f"{at['a']}:7555")
        try:
            self.names = Names(net, self.a.scratch.name)
            self.a.inside = self.names.inside("a")
            self.b = Homeserver(BIN, "beta.example", OPEN, beside=self.a, listen=f"{at['b']}:7666", inside=self.names.inside("b"))
        except BaseException:
            self.end()
            raise
        self.srv_a = "_hearth._tcp.alpha.example SRV 0 0 7555 one.hosting.example"
        self.srv_b = "_hearth._tcp.beta.example SRV 0 0 7666 two.hosting.example"
        self.hosts = [f"one.hosting.example A {at['a']}", f"two.hosting.example A {at['b']}"]

    def start(self):
        self.names.set(self.srv_a, self.srv_b, *self.hosts)
        self.a.start()
        self.b.start()
        self.people = [Person(BIN, s, name, "", self.names.inside("people")) for name, s in (("alma", self.a), ("bela", self.b))]
        for person in self.people:
            person.do("register", person.server.invite(), person.name)
        alma, bela = self.people
        self.groups = [Group("of-a", [alma, bela]), Group("of-b", [bela, alma])]
        befriend_and_gather(self.groups)

    def write(self):
        for group in self.groups:
            for person in group.members:
                group.write(person)

    def settle(self):
        until = time.monotonic() + PATIENCE_S
        while differing := [d for d in (g.differing() for g in self.groups) if d]:
            if time.monotonic() > until:
                raise Failed(f"after {PATIENCE_S} s: {differing[0]}; {self.a.run('admin', 'peer', 'show', 'beta.example')}")
            time.sleep(0.1)

    def check(self, domain, code=0):
        """hearthd check DOMAIN from a: {step: (word, text)}"""
        out = self.a.run("check", domain, code=code)
        return {m[2]: (m[1], m[3]) for m in re.finditer(r"^(ok|warn|fail) +(\S.*?)  +(.*)$", out, re.M)}

    def end(self):
        for person in self.people:
            person.end()
        for server in (getattr(self, "b", None), self.a):
            if server is not None:
                server.end()
        if self.names is not None:
            self.names.end()
        self.a.scratch.cleanup()


def expect(good, what):
    if not good:
        raise Failed(what)


def found(w):
    w.write()
    w.settle()
    steps = w.check("beta.example")
    expect({word for word, _ in steps.values()} == {"ok"}, steps)
    expect("two.hosting.example:7666" in steps["found"][1] and "_hearth._tcp.beta.example" in steps["found"][1], steps)
    for asked in ("_hearth._tcp.alpha.example SRV", "_hearth._tcp.beta.example SRV"):
        expect(asked in w.names.asked, f"nobody asked for {asked}: {w.names.asked}")


def moved(w):
    """b goes to another port, and the record with it: what waits follows."""
    w.b.end(signal.SIGKILL)
    conf = os.path.join(w.b.folder, "hearthd.conf")
    with open(conf) as at:
        text = at.read()
    with open(conf, "w") as out:
        out.write(text.replace(":7666", ":7777"))
    w.srv_b = w.srv_b.replace("7666", "7777")
    w.names.set(w.srv_a, w.srv_b, *w.hosts)
    w.write()
    w.b.start()
    w.settle()
    expect("two.hosting.example:7777" in w.check("beta.example")["found"][1], "the new port")


def second(w):
    """The first of two targets is dead: the second is taken."""
    w.names.set(w.srv_a, w.srv_b.replace("SRV 0", "SRV 20"), "_hearth._tcp.beta.example SRV 10 0 7999 two.hosting.example", *w.hosts)
    w.a.end(signal.SIGKILL)  # it would go on with the connection that it has
    w.a.start()
    w.write()
    w.settle()


def itself(w):
    """No SRV record: the domain itself, at the port of HTTPS."""
    w.names.set(w.srv_a, *w.hosts, w.hosts[1].replace("two.hosting.example", "beta.example"))
    steps = w.check("beta.example", code=1)
    expect("beta.example:443" in steps["found"][1] and steps["tls"][0] == "fail", steps)


def inside(w):
    """As shipped, nobody is sent into our own network because the DNS says so; the operator is told what to do."""
    w.names.set(w.srv_a, w.srv_b, *w.hosts)
    conf = os.path.join(w.a.folder, "hearthd.conf")
    with open(conf) as at:
        text = at.read()

    def change(to):
        with open(conf, "w") as out:
            out.write(to)
        w.a.run("admin", "reload")

    def why():
        return w.a.run("admin", "peer", "why", "beta.example")
    change(text.replace(INSIDE, ""))
    w.write()
    until = time.monotonic() + PATIENCE_S
    while "not a public address" not in (said := why()):
        expect(time.monotonic() < until, said)
        time.sleep(0.1)
    expect("[federation] peer = beta.example=HOST:PORT, or private_addresses = yes" in said, said)
    steps = w.check("beta.example", code=1)
    expect(steps["tls"][0] == "fail" and "not a public address" in steps["tls"][1], steps)
    expect(steps["address"][0] == "warn" and "private_addresses = yes" in steps["address"][1], steps)
    # what the operator says himself is where he says
    change(text.replace(INSIDE, f"peer = beta.example={w.net.address('b')}:7777\n"))
    w.a.run("admin", "peer", "retry", "beta.example")
    w.settle()
    change(text)
    expect({word for word, _ in w.check("beta.example").values()} == {"ok"}, "and by DNS again")


def nobody_answers(w):
    """While names can't be looked up, what is written waits; afterwards it comes."""
    w.names.set("fails")
    expect(w.check("beta.example", code=1)["found"][0] == "fail", "found, though the name server fails")
    w.a.end(signal.SIGKILL)
    w.a.start()
    w.write()
    time.sleep(2)
    w.names.set(w.srv_a, w.srv_b, *w.hosts)
    w.settle()
    expect({word for word, _ in w.check("beta.example").values()} == {"ok"}, "and all is well again")


def main():
    needs()
    net = Net("a", "b", "people", "names")
    try:
        world = World(net)
        try:
            world.start()
            for part in (found, moved, second, itself, inside, nobody_answers):
                began = time.monotonic()
                part(world)
                print(f"ok  {part.__name__}  {time.monotonic() - began:.1f} s", flush=True)
        finally:
            world.end()
    finally:
        net.close()


try:
    main()
except Failed as e:
    print(f"FAIL  {e}")
    sys.exit(1)
