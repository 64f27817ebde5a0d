"""Attacks with connections, not with what is said over them."""
import os
import select
import socket
import time

import frames as h2
from abuse import Verdict, attack
from frames import Closed
from grpc_wire import answer, call, echo, message

PER_PREFIX, BURST, PER_S = 64, 30, 10  # DoS1 of the threat model
FIRST_REQUEST_S, HANDSHAKE_S, SLACK_S = 10, 5, 4


def still_open(sockets):
    """How many the server has not ended. Reads and drops."""
    poll, by_fd = select.poll(), {s.fileno(): s for s in sockets}
    for s in sockets:
        s.setblocking(False)
        poll.register(s, select.POLLIN)
    gone = 0
    for fd, _ in poll.poll(0):
        try:
            while (got := by_fd[fd].recv(65536)):
                pass
            gone += not got
        except h2.WAIT:
            pass
        except OSError:
            gone += 1
    return len(sockets) - gone


@attack("400 connections from one address, 80 a second, held", seconds=5)
def connection_flood(a):
    held = []
    for _ in range(5):
        for _ in range(80):
            try:
                c = a.conn(shake=False)
                c.send(h2.PREFACE, h2.settings())
                held.append(c.socket)
            except Closed:
                pass
        time.sleep(1)
    left = still_open(held)
    return Verdict(0 < left <= PER_PREFIX, f"{left} held open of 400 tried")


@attack("connections made, greeted and dropped, as fast as they go, from one address (with TLS: handshakes)")
def connection_churn(a):
    made = refused = 0
    begin = time.monotonic()
    while a.left() > 0:
        try:
            a.conn().close()
            made += 1
        except Closed:
            refused += 1
    allowed = BURST + PER_S * (time.monotonic() - begin) + 5
    return Verdict(0 < made <= allowed, f"{made} served, {refused} refused, {allowed:.0f} allowed")


@attack("connections that end without a TLS close, while others are busy", control=False, tls=True, cpu=None,
        why_not="no limit: a stale entry in OpenSSL's error queue must not end another connection")
def tls_unclean_close(a):
    done = number = 0
    while a.left() > 0:
        number += 1
        try:
            c = a.conn(number % 200)
        except Closed:
            time.sleep(0.01)
            continue
        c.send(call(c, 1, message(echo(b"x"))))
        if number % 2:
            answer(c, 1, 1.0)
        c.close()
        done += 1
    return Verdict(done > 5, f"{done} connections ended without close_notify")


@attack("TLS handshakes from 600 addresses, three clients at once", control=False, tls=True, cpu=None,
        why_not="distributed: what is bounded is the number at once; it shows that others are served meanwhile")
def tls_handshake_flood(a):
    if os.fork() == 0:
        os.fork()
        _handshakes(a, 200 + os.getpid() % 2 * 200)
        os._exit(0)
    made = _handshakes(a, 0)
    os.wait()
    return Verdict(made > 0, f"{made} handshakes by one of three")


def _handshakes(a, first):
    made = 0
    while a.left() > 0:
        try:
            a.conn(first + made % 200, shake=False).close()
            made += 1
        except Closed:
            time.sleep(0.001)
    return made


@attack("HTTP/1.1, TLS in plain text, and noise in place of a preface", control=False,
        why_not="nghttp2 ends it at the first wrong byte")
def garbage(a):
    slowest = 0.0
    for number, noise in enumerate([b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\x02\x00\x01" + bytes(100),
                                    os.urandom(5000), bytes(5000), h2.PREFACE[:20] + b"!" * 100,
                                    h2.PREFACE + h2.ping()]):
        c = a.conn(number, shake=False)
        begin = time.monotonic()
        c.push(noise, 1)
        if c.push(b"", 2):
            return Verdict(False, f"{noise[:16]!r} is not cut in 2 s")
        slowest = max(slowest, time.monotonic() - begin)
    return Verdict(slowest <= 1, f"all cut within {1000 * slowest:.0f} ms")


# ---- slow ones: judged by the clock, all at once ---------------------------------------------------------------------

def closed_within(sockets, bound, drip=None):
    """Held when all of them are ended by the server within bound seconds. drip(s) is said every half second."""
    begin, count = time.monotonic(), len(sockets)
    while time.monotonic() - begin < bound:
        time.sleep(0.5)
        for s in sockets if drip else []:
            try:
                drip(s)
            except OSError:
                pass
        if not still_open(sockets):
            return Verdict(True, f"all {count} closed after {time.monotonic() - begin:.1f} s")
    return Verdict(False, f"{still_open(sockets)} of {count} open after {bound} s")


def raw(a, count):
    """TCP only."""
    made = []
    for number in range(count):
        s = socket.socket()
        s.bind((a.source(number // 20), 0))
        s.settimeout(2)
        s.connect((a.host, a.port))
        made.append(s)
    return made


@attack("connections that say nothing", slow=True)
def silent(a):
    return closed_within(raw(a, 40), (HANDSHAKE_S if a.tls else FIRST_REQUEST_S) + SLACK_S)


@attack("connections that greet and never ask", slow=True)
def silent_after_preface(a):
    return closed_within([a.conn(number).socket for number in range(20)], FIRST_REQUEST_S + SLACK_S)


@attack("a preface of two bytes a second", slow=True, tls=False)
def slow_preface(a):
    sockets = raw(a, 20)
    said = {s: iter(h2.PREFACE) for s in sockets}
    return closed_within(sockets, FIRST_REQUEST_S + SLACK_S, lambda s: s.send(bytes([next(said[s], 0)])))


@attack("half a ClientHello, then two bytes a second", slow=True, tls=True)
def slow_hello(a):
    sockets = raw(a, 40)
    for s in sockets:
        s.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40))
    return closed_within(sockets, HANDSHAKE_S + SLACK_S, lambda s: s.send(b"\0"))


@attack("half a HEADERS frame, then two bytes a second", slow=True)
def slow_headers(a):
    conns = [a.conn(number) for number in range(20)]
    for c in conns:
        c.push(h2.frame(h2.HEADERS, 5, 1, b"\x82", length=4000), 1)
    return closed_within([c.socket for c in conns], FIRST_REQUEST_S + SLACK_S, lambda s: s.send(b"\x82"))
