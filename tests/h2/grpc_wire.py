"""gRPC over HTTP/2 by hand (grpc's PROTOCOL-HTTP2), for the two methods of the bench service:
bench.Echo/Unary {bytes payload = 1} and bench.Echo/ServerStream {count = 1, size = 2, hold = 3}."""
import struct

import frames as h2

UNARY, SERVER_STREAM = "/bench.Echo/Unary", "/bench.Echo/ServerStream"


def fields(c, path=UNARY, extra=()):
    return [(":method", "POST"), (":scheme", "https" if c.tls else "http"), (":path", path),
            (":authority", f"{c.host}:{c.port}"), ("content-type", "application/grpc"), ("te", "trailers"), *extra]


def block(c, extra=(), path=UNARY):
    """The request's header block without any indexing, so that it may be repeated at will."""
    return b"".join(h2.hpack.literal(*(part if isinstance(part, bytes) else part.encode() for part in field))
                    for field in fields(c, path, extra))


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def echo(payload):
    """EchoRequest and EchoReply are the same bytes."""
    return b"\x0a" + varint(len(payload)) + payload if payload else b""


def stream_request(count, size, hold=False):
    return b"\x08" + varint(count) + b"\x10" + varint(size) + (b"\x18\x01" if hold else b"")


def message(body, compressed=False, length=None):
    return struct.pack(">BI", compressed, len(body) if length is None else length) + body


def body_frames(stream, body, end=True):
    """DATA frames of at most the size every receiver takes."""
    parts = [body[at:at + 16384] for at in range(0, len(body), 16384)] or [b""]
    return b"".join(h2.data(stream, part, end and at == len(parts) - 1) for at, part in enumerate(parts))


def call(c, stream, body=b"", path=UNARY, extra=(), end=True):
    """HEADERS and DATA of a whole request."""
    return h2.headers(stream, c.encoder.encode(fields(c, path, extra))) + body_frames(stream, body, end)


def answer(c, stream, timeout=None):
    """(grpc-status as int, or None; body bytes; what ended it) of the answer on a stream. Gives windows back."""
    body, status = b"", None
    for seen in c.frames(timeout):
        if not isinstance(seen, h2.Frame):
            return status, body, seen
        if seen.kind == h2.HEADERS:
            # every block is decoded, whoever it is for: the table is the connection's
            got = dict(c.decoder.decode(seen.fragment()))
            if seen.stream == stream and b"grpc-status" in got:
                status = int(got[b"grpc-status"])
        if seen.kind == h2.DATA and seen.payload:
            c.send(h2.window_update(0, len(seen.payload)))
        if seen.stream == stream and seen.kind == h2.DATA:
            body += seen.payload
        if seen.kind == h2.GOAWAY and seen.code != h2.NO_ERROR:
            return status, body, str(seen)
        if seen.stream == stream and (seen.end_stream or seen.kind == h2.RST_STREAM):
            return status, body, str(seen)
    return status, body, h2.TIMEOUT
