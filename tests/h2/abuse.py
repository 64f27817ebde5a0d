"""What the attacks are made of: where an attack stands, how it says whether the defence held, and the commonest
shape of all, the flood that must be cut.

An attack is a function of an Attacker that returns a Verdict. It runs in a process of its own, at low priority:
it stands for machines elsewhere, whose processor time is not the server's.
"""
import collections
import time

import frames as h2
from frames import Closed, Conn

Verdict = collections.namedtuple("Verdict", "held seen")

# control: must the judgement fail when our limits are off? If not, `why_not` names what holds without them.
Attack = collections.namedtuple("Attack", "name threat run control why_not seconds cpu rss_mib tls slow")

ATTACKS = []
CUT_S = 1.0        # a flood is cut within so many seconds
CPU = 0.6          # cores of the server, on the average, that an attack may cost
RSS_MIB = 64       # by which the server may grow


def attack(threat, control=True, why_not="", seconds=None, cpu=CPU, rss_mib=RSS_MIB, tls=None,
           slow=False):
    """Registers a function under its name. threat: one line. seconds: when the attack needs its own time.
    tls: True, it exists over TLS only. slow: judged by the clock, costs nothing, may run beside others."""
    def register(run):
        ATTACKS.append(Attack(run.__name__, threat, run, control, why_not, seconds, cpu, rss_mib, tls, slow))
        return run
    return register


class Attacker:
    """Where the server is, how long there is, and addresses to come from: 127.NET.0.1 and up."""

    def __init__(self, host, port, tls, seconds, net):
        self.host, self.port, self.tls, self.net = host, port, tls, net
        self.seconds = seconds
        self.end = time.monotonic() + seconds

    def left(self):
        return self.end - time.monotonic()

    def source(self, number=1):
        return f"127.{self.net}.{number // 250}.{number % 250 + 1}"

    def conn(self, number=1, shake=True, **how):
        """Raises Closed when the server does not take it, or cuts it during the handshake."""
        how.setdefault("timeout", 2.0)
        c = Conn(self.host, self.port, self.tls, source=self.source(number), **how)
        if shake:
            try:
                c.handshake()
            except Closed:
                c.close()
                raise
        return c


def how_cut(c):
    why = h2.error_name(c.goaway) if c.goaway is not None else c.why
    return f"cut ({why})"


def flood(a, burst, opening=None, within=CUT_S, read=True, per_s=None, conn=None):
    """Comes, says burst(c) again and again, and comes back when it is cut, until the time is over.

    Held when each connection was ended within so many seconds of its first abuse. opening(c): said once, before.
    per_s: bursts per second, for floods that stay under somebody else's limit; None is as fast as it goes.
    """
    slowest, cuts, refused, last = 0.0, 0, 0, ""
    while a.left() > 0:
        try:
            c = (conn or a.conn)()
        except Closed:
            refused += 1
            time.sleep(0.02)
            continue
        if opening:
            c.push(opening(c), within)
        begin, alive = time.monotonic(), True
        while alive:
            now = time.monotonic()
            if now - begin > within and a.left() <= 0:
                return Verdict(False, f"not cut in {now - begin:.1f} s, {c.sent >> 10} KiB taken")
            alive = c.push(burst(c), 0.25, read)
            if alive and per_s:
                alive = c.push(b"", 1 / per_s, read)
        took = time.monotonic() - begin
        if took > within:
            return Verdict(False, f"cut only after {took:.1f} s")
        slowest, cuts, last = max(slowest, took), cuts + 1, how_cut(c)
        c.close()
    if not cuts:
        return Verdict(False, f"never got in ({refused} tries)")
    return Verdict(True, f"{cuts} connections {last} within {1000 * slowest:.0f} ms, {refused} refused")


class Ids:
    """Fresh stream ids for bursts: Ids().take(3) -> 1, 3, 5."""

    def __init__(self, step=2):
        self.next, self.step = 1, step

    def take(self, count):
        first = self.next
        self.next += count * self.step
        return range(first, self.next, self.step)


def per_conn(make):
    """burst(c) from make(c, ids) with stream ids kept per connection."""
    def burst(c):
        if not hasattr(c, "ids"):
            c.ids = Ids()
        return make(c, c.ids)
    return burst
