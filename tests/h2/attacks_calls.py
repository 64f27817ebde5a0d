"""Attacks at the level of gRPC, and by those who don't read or don't finish."""
import time
import zlib

import frames as h2
from abuse import Verdict, attack, flood
from frames import MAX_WINDOW, Closed
from grpc_wire import SERVER_STREAM, answer, block, body_frames, echo, message, stream_request

INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNKNOWN = 3, 8, 12, 13, 2
SLOW_BODY_S, UNREAD_S, SLACK_S = 5, 30, 5


def ask(c, stream, body, extra=(), path=None, end=True):
    """(status, bytes of the answer, what ended it) of one call."""
    how = {"path": path} if path else {}
    c.send(h2.headers(stream, block(c, extra, **how)), body_frames(stream, body, end))
    return answer(c, stream, 2.0)


def each_answered(a, cases):
    """cases: (name, extra fields, body, statuses that are right). Each on the same connection, over and over."""
    done = 0
    while a.left() > 0 or not done:  # at least once, however long it took to make the cases
        c, stream = a.conn(done % 40), 1
        for name, extra, body, right in cases:
            status, _, ended = ask(c, stream, body, extra)
            if right is not None and status not in right:
                return Verdict(False, f"{name}: status {status}, {ended}")
            if status is None and ended in (h2.TIMEOUT, h2.CLOSED):
                return Verdict(False, f"{name}: {ended}")
            stream, done = stream + 2, done + 1
        c.close()
        time.sleep(0.1)
    return Verdict(done > 0, f"{done} calls, each answered as it should be")


GOOD = message(echo(b"x"))


@attack("a message that claims 4 GiB, and one of 16 MiB", control=False,
        why_not="the endpoint's row caps messages, whatever the limits")
def giant_message(a):
    return each_answered(a, [(f"length {length}", (), message(b"x" * 1000, length=length), (RESOURCE_EXHAUSTED,))
                             for length in (2 ** 32 - 1, 2 ** 24)])


@attack("10,000 empty messages to a unary method", control=False, why_not="the second message ends a unary call")
def tiny_messages(a):
    return each_answered(a, [("tiny messages", (), message(b"") * 10000,
                              (INVALID_ARGUMENT, UNIMPLEMENTED, INTERNAL))])


def gzip_of(size):
    return zlib.compress(bytes(size), 9, 31)


@attack("gzip: bombs that say so, that lie about it, that are cut short", control=False,
        why_not="the row caps what comes out; compression is off unless the row allows it")
def compressed_bomb(a):
    gzipped, refused = [("grpc-encoding", "gzip")], (RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL)
    large, huge = gzip_of(3 << 20), gzip_of(40 << 20)
    lie = huge[:-4] + (1000).to_bytes(4, "little")
    return each_answered(a, [
        ("40 MiB", gzipped, message(huge, compressed=True), refused),
        ("40 MiB that say 1,000 bytes", gzipped, message(lie, compressed=True), refused),
        ("40 MiB cut short", gzipped, message(huge[:-9], compressed=True), refused),
        ("3 MiB of what is no message", gzipped, message(large, compressed=True), refused),
        ("200 bytes that say 4 MB", gzipped, message(gzip_of(90000)[:-4] + b"\0\0\x3d\0", compressed=True), refused),
        ("unknown encoding", [("grpc-encoding", "zip")], message(b"x", compressed=True), (UNIMPLEMENTED, INTERNAL)),
        ("flag without encoding", (), message(b"x", compressed=True), (INTERNAL, UNIMPLEMENTED))])


@attack("-bin metadata that is no base64", control=False, why_not="it must be answered, no more")
def bad_base64(a):
    return each_answered(a, [(text, [("x-test-bin", text)], GOOD, None)
                             for text in ("!!!!", "=", "A", "====", "QUJD=", "Q" * 5000, "\x7f", "AA==AA==", ",,,")])


@attack("grpc-timeout that makes no sense", control=False, why_not="parsing, not a limit")
def timeout_nonsense(a):
    bad = (INTERNAL, INVALID_ARGUMENT, UNKNOWN)
    cases = [(f"timeout {text!r}", [("grpc-timeout", text)], GOOD, bad)
             for text in ("1", "S", "-1S", "1X", "123456789S", "1.5S", "0x1S", "99999999999999999999H", "1 S")]
    return each_answered(a, cases + [("the longest", [("grpc-timeout", "99999999H")], GOOD, (0,))])


@attack("paths, methods and content types that don't exist", control=False, why_not="looked up, not found")
def unknown_paths(a):
    def try_one(c, stream, change):
        fields = dict((name.encode(), value.encode()) for name, value in
                      [(":method", "POST"), (":scheme", "http"), (":path", "/bench.Echo/Unary"), (":authority", "a"),
                       ("content-type", "application/grpc"), ("te", "trailers")])
        fields.update(change)
        c.send(h2.headers(stream, b"".join(h2.hpack.literal(*field) for field in fields.items())),
               h2.data(stream, GOOD, end=True))
        return answer(c, stream, 2.0)
    done = 0
    changes = [{b":path": path} for path in (b"/", b"//", b"/a", b"/bench.Echo/", b"/bench.Echo/Unary/",
                                             b"/" + b"a" * 6000, b"/\xff\xfe", b"/bench.Echo/Unary?x", b"*")]
    changes += [{b":method": method} for method in (b"GET", b"PUT", b"CONNECTED", b"x")]
    changes += [{b"content-type": kind} for kind in (b"text/html", b"application/grpcx", b"", b"application/json")]
    while a.left() > 0:
        c = a.conn(done % 40)
        for number, change in enumerate(changes):
            status, _, ended = try_one(c, 2 * number + 1, change)
            if status == 0 or ended in (h2.TIMEOUT, h2.CLOSED):
                return Verdict(False, f"{change}: status {status}, {ended}")
            done += 1
        c.close()
        time.sleep(0.1)
    return Verdict(True, f"{done} refused")


@attack("calls to a method that does not exist, as fast as they go", control=False, cpu=None,
        why_not="an answer as cheap as a call; others are served meanwhile")
def unimplemented_flood(a):
    served, number = 0, 0
    while a.left() > 0:
        number += 1
        try:
            c, stream = a.conn(number % 40), 1
        except Closed:
            continue
        head = block(c, path="/no.Such/Method")
        while a.left() > 0 and c.push(b"".join(h2.headers(stream + 2 * i, head, end=True) for i in range(16)), 1):
            stream += 32
            c.push(b"", 0.002)
            served += 16
    return Verdict(True, f"{served} calls over {number} connections")


# ---- those who don't finish, those who don't read -------------------------------------------------------------------

def ended_within(c, streams, bound, drip=None):
    """Held when the server ends all these streams, or the connection, within bound seconds."""
    begin, open_streams, said = time.monotonic(), set(streams), time.monotonic()
    while open_streams and time.monotonic() - begin < bound:
        seen = c.next(0.25)
        if seen == h2.CLOSED:
            return Verdict(True, f"connection closed after {time.monotonic() - begin:.1f} s")
        if isinstance(seen, h2.Frame):
            if seen.end_stream or seen.kind == h2.RST_STREAM:
                open_streams.discard(seen.stream)
            elif seen.kind == h2.PING and not seen.ack:
                c.send(h2.ping(seen.payload, ack=True))
        if drip and time.monotonic() - said >= 1:
            said = time.monotonic()
            c.send(*(drip(stream) for stream in open_streams))
    took = time.monotonic() - begin
    if open_streams:
        return Verdict(False, f"{len(open_streams)} of {len(streams)} streams open after {took:.0f} s")
    return Verdict(True, f"{len(streams)} streams ended after {took:.1f} s")


STREAMS = range(1, 41, 2)


@attack("20 request bodies of one byte a second", slow=True)
def slow_body(a):
    c = a.conn()
    c.send(*(h2.headers(stream, block(c)) + h2.data(stream, message(b"", length=1000)) for stream in STREAMS))
    return ended_within(c, STREAMS, SLOW_BODY_S + SLACK_S, lambda stream: h2.data(stream, b"x"))


@attack("20 calls opened and left", slow=True)
def half_open_calls(a):
    c = a.conn()
    c.send(*(h2.headers(stream, block(c)) for stream in STREAMS))
    return ended_within(c, STREAMS, SLOW_BODY_S + SLACK_S)


@attack("20 streams of 100 MB each asked for, with a window of 0", slow=True)
def window_never_opened(a):
    c = a.conn(shake=False)
    c.handshake([(h2.INITIAL_WINDOW_SIZE, 0)])
    ask_for = message(stream_request(100000, 1000))
    c.send(*(h2.headers(stream, block(c, path=SERVER_STREAM)) + h2.data(stream, ask_for, end=True)
             for stream in STREAMS))
    return ended_within(c, STREAMS, UNREAD_S + SLACK_S)


@attack("two such streams, with a window of one byte more every second", slow=True)
def window_dribble(a):
    c = a.conn(shake=False)
    c.handshake([(h2.INITIAL_WINDOW_SIZE, 0)])
    ask_for = message(stream_request(100000, 1000))
    c.send(*(h2.headers(stream, block(c, path=SERVER_STREAM)) + h2.data(stream, ask_for, end=True)
             for stream in (1, 3)))
    return ended_within(c, (1, 3), UNREAD_S + SLACK_S, lambda stream: h2.window_update(stream, 1))


@attack("data dribble (CVE-2019-9511): a window of one byte more, as fast as it goes")
def window_dribble_fast(a):
    def conn():
        c = a.conn(shake=False)
        return c.handshake([(h2.INITIAL_WINDOW_SIZE, 0)])

    def opening(c):
        return h2.headers(1, block(c, path=SERVER_STREAM)) + \
            h2.data(1, message(stream_request(100000, 1000)), end=True)
    return flood(a, lambda c: h2.window_update(1, 1) * 20, opening, conn=conn)


@attack("10 connections that ask for 2 GB each and read 100 bytes a second", slow=True)
def reading_drops(a):
    return never_reading(a, drops=True)


@attack("10 connections that ask for 2 GB each and read nothing", slow=True)
def never_reading(a, drops=False):
    conns = []
    for number in range(10):
        # small segments: a receive window opens by one at a time
        c = a.conn(number, shake=False, receive_buffer=4096, segment=536 if drops else None)
        c.handshake([(h2.INITIAL_WINDOW_SIZE, MAX_WINDOW)])
        ask_for = message(stream_request(100000, 1000))
        c.send(h2.window_update(0, MAX_WINDOW - 65535),
               *(h2.headers(stream, block(c, path=SERVER_STREAM)) + h2.data(stream, ask_for, end=True)
                 for stream in STREAMS))
        conns.append(c)
    # a drop may let the kernel take some more from the server once, which counts as reading
    end = time.monotonic() + UNREAD_S * (2 if drops else 1) + SLACK_S
    while time.monotonic() < end:
        time.sleep(1)
        for c in conns if drops else []:
            try:
                c.socket.recv(100)
            except OSError:
                pass
    return drained(conns)


def drained(conns, patience_s=60):
    """Held when all come to an end. What the kernels hold may still come, some MB at the pace of small segments; a
    server that is still there sends on without end."""
    end, left = time.monotonic() + patience_s, conns
    while left and time.monotonic() < end:
        left = [c for c in left if c.push(b"", 0.2)]
    if left:
        return Verdict(False, f"{len(left)} of {len(conns)} still sending")
    return Verdict(True, f"all {len(conns)} ended, {sum(sum(c.tally.values()) for c in conns)} frames were left")
