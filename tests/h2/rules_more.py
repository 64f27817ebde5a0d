"""Rules of RFC 9113 and 7541 that h2spec does not ask for."""
import expect
import frames as h2
import hpack
from expect import connection_error
from frames import COMPRESSION_ERROR, Frame, data, headers, rst_stream
from rules_basic import post, with_field
from rules_frames import malformed, plus, request

bad_integer = connection_error(COMPRESSION_ERROR)


def replaced(name, text):
    return request(lambda fields: [(key, text if key == name else old) for key, old in fields])


def answered_among(stream):
    """Response headers on this stream, whatever happens on others."""
    def check(c):
        for seen in c.frames():
            if not isinstance(seen, Frame) or seen.kind == h2.GOAWAY:
                return str(seen)
            if seen.kind == h2.HEADERS:
                c.decoder.decode(seen.fragment())
                if seen.stream == stream:
                    return None
            if seen.kind == h2.RST_STREAM and seen.stream == stream:
                return str(seen)
        return h2.TIMEOUT
    return check


def refused_with_entry(c):
    """A request that is too large to be served defines a table entry; the next one uses it."""
    entry = hpack.literal(b"x-state", b"kept", hpack.INDEXED)
    large = b"".join(hpack.literal(b"x-%d" % number, b"x" * 900) for number in range(12))
    first = headers(1, c.request() + entry + large, end=True)
    c.encoder.table.add(b"x-state", b"kept")
    return first + headers(3, c.request(extra=[("x-state", "kept")]), end=True)


def cancelled_with_entry(c):
    """The same with a stream that was reset before its trailers came."""
    first = post(c) + rst_stream(1)
    entry = headers(3, c.request(extra=[("x-state", "kept")]))
    return first + entry + rst_stream(3) + headers(5, c.request(extra=[("x-state", "kept")]), end=True)


def padding_is_returned(c):
    """More padding than the windows hold, within the windows: a server that forgets padding lets us starve."""
    room = {0: c.window, 1: c.peer_settings.get(h2.INITIAL_WINDOW_SIZE, 65535)}
    size, left = 100 + 256, 2000
    while left > 0:
        fits = min(left, min(room.values()) // size)
        c.send(data(1, b"x" * 100, pad=255) * fits)
        left -= fits
        room = {stream: size_left - fits * size for stream, size_left in room.items()}
        while left > 0 and min(room.values()) < size:
            seen = c.next(1.0)
            if not isinstance(seen, Frame) or seen.kind in (h2.RST_STREAM, h2.GOAWAY):
                return f"{seen} with {left} of 2000 frames unsent"
            if seen.kind == h2.WINDOW_UPDATE:
                room[seen.stream] += int.from_bytes(seen.payload, "big")
    return None


RULES = [
    ("more/8.2.1/1", "9113 8.2.1", "a field name with a space", plus(("x test", "ok")), malformed),
    ("more/8.2.1/2", "9113 8.2.1", "an empty field name", plus(("", "ok")), malformed),
    ("more/8.2.1/3", "9113 8.2.1", "a NUL in a field value", plus(("x-test", "a\0b")), malformed),
    ("more/8.2.1/4", "9113 8.2.1", "a line feed in a field value", plus(("x-test", "a\nb: c")), malformed),
    ("more/8.2.1/5", "9113 8.2.1", "a carriage return in a field value", plus(("x-test", "a\rb")), malformed),
    *((f"more/8.2.2/{number}", "9113 8.2.2", f"a connection-specific field: {name}", plus((name, "x")), malformed)
      for number, name in enumerate(["proxy-connection", "keep-alive", "transfer-encoding", "upgrade"], 1)),
    ("more/8.3.1/1", "9113 8.3.1", "a :path that does not begin with /", replaced(":path", "h2spec"), malformed),
    ("more/8.3.1/2", "9113 8.3.1", "two :authority", request(lambda fields: fields + [fields[-1]]), malformed),
    ("more/8.5/1", "9113 8.5", "CONNECT with :scheme and :path", replaced(":method", "CONNECT"), malformed),
    ("more/8.1.1/1", "9113 8.1.1", "two content-length that differ",
     lambda c: post(c, ("content-length", "4"), ("content-length", "5")) + data(1, b"test", end=True), malformed),
    ("more/8.1.1/2", "9113 8.1.1", "a content-length that is no number",
     lambda c: post(c, ("content-length", "-4")) + data(1, b"test", end=True), malformed),
    ("more/8.1.1/3", "9113 8.1.1", "less DATA than content-length",
     lambda c: post(c, ("content-length", "9")) + data(1, b"test", end=True), malformed),

    ("more/4.3/1", "9113 4.3", "the block of a refused request changes the table", refused_with_entry,
     answered_among(3)),
    ("more/4.3/2", "9113 4.3", "the block of a cancelled request changes the table", cancelled_with_entry,
     answered_among(5)),
    ("more/6.1/1", "9113 6.1", "padding is given back to the windows", post, padding_is_returned),
    ("more/7541/1", "7541 5.1", "an integer of 2^35", with_field(b"\xff\x80\x80\x80\x80\x80\x01"), bad_integer),
    ("more/7541/2", "7541 5.1", "an integer without end", with_field(b"\xff" + b"\xff" * 40 + b"\x01"), bad_integer),
    ("more/7541/3", "7541 5.2", "a string longer than the block", with_field(b"\x00\x01x\x7f\x20x"), bad_integer),
    ("more/7541/4", "7541 4.1", "an entry larger than the table empties it", lambda c: headers(
        1, c.request() + hpack.literal(b"x-state", b"kept", hpack.INDEXED) +
        hpack.literal(b"x-large", b"x" * 5000, hpack.INDEXED) + hpack.indexed(62), end=True), bad_integer),
]

