#!/usr/bin/env python3
"""Three homeservers on machines of their own (network namespaces) while the network between them fails.

usage: partition.py BIN_FOLDER [--seconds N] [--only PART] [--seed N]

People of all three write to groups of two of them all the time. Each part breaks something for some seconds and heals it:
within 30 s after that everybody has everything, once, in order (the oracle); meanwhile what goes between those that are not
concerned stays fast: p99 at most max(2 x idle, idle + 10 ms) and 100 ms. A part whose only fault is a slow answer is
tried twice more, for this machine may have other things to do. Clients reach all homeservers all the time.

--seconds: parts at random for so long; otherwise each part once.
"""
import argparse
import os
import random
import signal
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../client")]
from net import Net, needs  # noqa: E402
from people import Group, Person, befriend_and_gather, p99  # noqa: E402
from stage import Failed, Homeserver, federate  # noqa: E402

arguments = argparse.ArgumentParser()
arguments.add_argument("bin")
arguments.add_argument("--seconds", type=float)
arguments.add_argument("--only")
arguments.add_argument("--seed", type=int, default=random.randrange(1 << 32))
options = arguments.parse_args()
BIN = os.path.abspath(options.bin)
HEALED_S, WRITE_EVERY_S, TRIES = 30, 0.05, 3
# what is looked at is not the limiter: people here write more than (origin, queue) may for long
LIMITS = "\n[limits]\nPEER_QUEUE = 60000\nSEND_LEAF = 60000\n"
LONG = 4 if options.seconds else 1  # parts last longer then


class Slow(Exception):
    pass


class World:
    def __init__(self, net):
        self.net, self.servers = net, {}
        for name in "abc":
            first = next(iter(self.servers.values()), None)
            self.servers[name] = Homeserver(BIN, f"{name}.test", LIMITS, beside=first,
                                            listen=f"{net.address(name)}:7443", inside=net.inside(name))
        federate(*self.servers.values())
        self.people, self.groups, self.writing, self.idle = [], [], False, None

    def start(self):
        for server in self.servers.values():
            server.start()
        a, b, c = self.servers.values()
        names = (("alma", a), ("arne", a), ("bela", b), ("boris", b), ("cleo", c))
        self.people = [Person(BIN, s, name, s.where, self.net.inside("people")) for name, s in names]
        for person in self.people:
            person.do("register", person.server.invite(), person.name)
        alma, arne, bela, boris, cleo = self.people
        self.groups = [Group("of-a", [alma, arne, bela, cleo]), Group("of-b", [bela, boris, alma, cleo])]
        befriend_and_gather(self.groups)
        threading.Thread(target=self.write, daemon=True).start()

    def write(self):
        choose = random.Random(options.seed)
        while True:
            if self.writing:
                group = choose.choice(self.groups)
                group.write(choose.choice(group.members))
            time.sleep(WRITE_EVERY_S)

    def of(self, *domains):
        return [p for p in self.people if p.server.domain[0] in domains]

    def p99(self, apart, since):
        """Between people of whom no two are of the homeservers that are apart, through groups that neither owns alone."""
        out = []
        for group in self.groups:
            owner = group.members[0].server.domain[0]
            for writer in group.members:
                concerned = {frozenset((owner, r.server.domain[0])) for r in group.members} & apart
                readers = [r for r in group.members if frozenset((owner, r.server.domain[0])) not in concerned]
                out += group.delays([writer], readers, since)
        return p99(out), len(out)

    def settle(self):
        """Quiet; then the oracle."""
        self.writing = False
        until = time.monotonic() + HEALED_S
        while True:
            differing = [d for d in (g.differing() for g in self.groups) if d]
            if not differing:
                break
            if time.monotonic() > until:
                raise Failed(f"after {HEALED_S} s: {differing[0]}")
            time.sleep(0.2)
        faults = [f"{p.name}: {f}" for p in self.people for f in p.faults]
        if faults:
            raise Failed(faults[0])

    def part(self, name, breaking, apart):
        """apart: pairs of homeservers that can't be expected to be fast."""
        since, self.writing = time.monotonic(), True
        said = breaking(self)
        healed = time.monotonic()
        self.settle()
        took = time.monotonic() - healed
        late, count = self.p99(apart, since)
        # 100 ms says nothing on a machine that does not manage it at rest
        good = self.idle is None or late <= max(2 * self.idle, self.idle + 10) and (late <= 100 or self.idle > 50)
        print(f"{'ok' if good else 'slow'}  {name}  {said or ''}  all there {took:.1f} s after; p99 of those not concerned "
              f"{late:.1f} ms of {count}", flush=True)
        if not good:
            raise Slow(name)
        return late

    def end(self):
        self.writing = False
        for person in self.people:
            person.end()
        for server in reversed(list(self.servers.values())):
            server.end()


def pairs(*texts):
    return {frozenset(t) for t in texts}


# ---- parts: what breaks, and heals

def quiet(w):
    time.sleep(4)


def one_way(sender, receiver):
    def breaking(w):
        w.net.cut(sender, receiver)
        time.sleep(4 * LONG)
        w.net.heal(sender, receiver)
    return breaking


def both_ways(w):
    w.net.cut("a", "b")
    w.net.cut("b", "a")
    time.sleep(3 * LONG)
    w.net.heal("a", "b")
    w.net.heal("b", "a")


def flapping(w):
    for _ in range(4 * LONG):
        for way in (("a", "b"), ("b", "a")):
            w.net.cut(*way)
        time.sleep(0.5)
        for way in (("a", "b"), ("b", "a")):
            w.net.heal(*way)
        time.sleep(0.5)


def slow_link(w):
    said = w.net.slow("b", True)
    time.sleep(4 * LONG)
    w.net.slow("b", False)
    return said or "SKIP no netem and no tbf here"


def killed(name):
    def breaking(w):
        server = w.servers[name]
        server.end(signal.SIGKILL)
        time.sleep(2 * LONG)
        server.start()
    return breaking


PARTS = {
    "a hears b, b does not hear a": (one_way("a", "b"), pairs("ab")),
    "b hears a, a does not hear b": (one_way("b", "a"), pairs("ab")),
    "neither": (both_ways, pairs("ab")),
    "flapping": (flapping, pairs("ab")),
    "slow link of b": (slow_link, pairs("ab", "bc", "b")),
    "b killed": (killed("b"), pairs("ab", "bc", "b")),
}


def play(w):
    w.idle = None
    w.idle = w.part("quiet", quiet, set())
    if w.idle > 100:
        print(f"this machine is busy: even at rest {w.idle:.0f} ms", flush=True)
    until, choose = time.monotonic() + (options.seconds or 0), random.Random(options.seed)
    names = [options.only] if options.only else list(PARTS)
    while True:
        for name in names if not options.seconds else [choose.choice(names)]:
            breaking, apart = PARTS[name]
            for left in reversed(range(TRIES)):
                try:
                    w.part(name, breaking, apart)
                    break
                except Slow:
                    if not left:
                        raise Failed(f"{name}: those not concerned were slow {TRIES} times (idle {w.idle:.1f} ms)") from None
        if time.monotonic() > until:
            return


def main():
    needs()
    net = Net("a", "b", "c", "people")
    try:
        world = World(net)
        began = time.monotonic()
        try:
            world.start()
            print(f"seed {options.seed}; set up in {time.monotonic() - began:.1f} s", flush=True)
            play(world)
        finally:
            world.end()
    finally:
        net.close()


try:
    main()
except Failed as e:
    print(f"FAIL  {e} (seed {options.seed})")
    sys.exit(1)
