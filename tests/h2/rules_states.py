"""Rules of RFC 9113 sections 3 to 5: prefaces, frame layout and size, header blocks, stream states, error handling.
Ids are those of the h2spec suite."""
import expect
from expect import connection_error, stream_error
from frames import (COMPRESSION_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
                    MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED, PREFACE,
                    continuation, data, frame, headers, ping, priority, rst_stream, settings, window_update)
from rules_basic import get, post

UNKNOWN = frame(0x16, 0, 0, bytes(8))


def dummy(c, count=1):
    """A block of fields of 4,000 bytes each (3,500 on the wire)."""
    return c.encoder.encode([(f"x-dummy{number}", "x" * 4000) for number in range(count)])


def open_block(c, **how):
    """HEADERS that still want a CONTINUATION."""
    return headers(1, c.request(), end_headers=False, **how)


def frame_limit(c):
    return c.peer_settings.get(MAX_FRAME_SIZE, 16384)


def over_limit(c):
    """One stream more than allowed, none of which can end."""
    limit = c.peer_settings.get(MAX_CONCURRENT_STREAMS)
    if limit is None:
        return None
    return settings([(INITIAL_WINDOW_SIZE, 0)]) + \
        b"".join(headers(2 * number + 1, c.request(), end=True) for number in range(limit + 1))


PREFACES = [
    ("http2/3.5/1", "9113 3.4", "the server's preface comes first",
     "no handshake", lambda c: PREFACE + settings([(INITIAL_WINDOW_SIZE, 65535)]), expect.preface),
    ("http2/3.5/2", "9113 3.4", "an invalid preface ends the connection",
     "no handshake", lambda c: b"INVALID CONNECTION PREFACE\r\n\r\n", connection_error(PROTOCOL_ERROR)),
]

FRAMES = [
    ("http2/4.1/1", "9113 4.1", "an unknown frame type is ignored", lambda c: UNKNOWN + ping(), expect.pong()),
    ("http2/4.1/2", "9113 4.1", "undefined flags are ignored", lambda c: frame(6, 0x16, 0, bytes(8)), expect.pong()),
    ("http2/4.1/3", "9113 4.1", "the reserved bit is ignored",
     lambda c: frame(6, 0x16, 1 << 31, bytes(8)), expect.pong()),
    ("http2/4.2/1", "9113 4.2", "a DATA frame of the largest size",
     lambda c: post(c) + data(1, b"x" * frame_limit(c), end=True), expect.answered()),
    ("http2/4.2/2", "9113 4.2", "a DATA frame one byte larger",
     lambda c: post(c) + data(1, b"x" * (frame_limit(c) + 1), end=True), stream_error(FRAME_SIZE_ERROR)),
    ("http2/4.2/3", "9113 4.2", "a HEADERS frame larger than allowed",
     lambda c: headers(1, c.request() + dummy(c, 2 + frame_limit(c) // 4000), end=True),
     connection_error(FRAME_SIZE_ERROR)),
    ("http2/4.3/1", "9113 4.3", "a header block that ends inside a field",
     lambda c: frame(HEADERS, 0x5, 1, b"\x40"), connection_error(COMPRESSION_ERROR)),
    ("http2/4.3/2", "9113 4.3", "PRIORITY inside a header block",
     lambda c: open_block(c) + priority(1) + continuation(1, dummy(c), end_headers=True),
     connection_error(PROTOCOL_ERROR)),
    ("http2/4.3/3", "9113 4.3", "HEADERS of another stream inside a header block",
     lambda c: open_block(c) + headers(3, c.request(), end=True) + continuation(1, dummy(c), end_headers=True),
     connection_error(PROTOCOL_ERROR)),
]

STATES = [
    ("http2/5.1/1", "9113 5.1 idle", "sends a DATA frame",
     lambda c: data(1, b"test", end=True), stream_error(PROTOCOL_ERROR, STREAM_CLOSED)),
    ("http2/5.1/2", "9113 5.1 idle", "sends a RST_STREAM frame",
     lambda c: rst_stream(1), connection_error(PROTOCOL_ERROR)),
    ("http2/5.1/3", "9113 5.1 idle", "sends a WINDOW_UPDATE frame",
     lambda c: window_update(1, 100), connection_error(PROTOCOL_ERROR)),
    ("http2/5.1/4", "9113 5.1 idle", "sends a CONTINUATION frame",
     lambda c: continuation(1, c.request(), end_headers=True), connection_error(PROTOCOL_ERROR)),
    ("http2/5.1/5", "9113 5.1 half-closed (remote)", "sends a DATA frame",
     lambda c: get(c) + data(1, b"test", end=True), stream_error(STREAM_CLOSED)),
    ("http2/5.1/6", "9113 5.1 half-closed (remote)", "sends a HEADERS frame",
     lambda c: get(c) + get(c), stream_error(STREAM_CLOSED)),
    ("http2/5.1/7", "9113 5.1 half-closed (remote)", "sends a CONTINUATION frame",
     lambda c: get(c) + continuation(1, c.request(), end_headers=True), stream_error(STREAM_CLOSED, PROTOCOL_ERROR)),
    ("http2/5.1/8", "9113 5.1 closed by RST_STREAM", "sends a DATA frame",
     lambda c: headers(1, c.request()) + rst_stream(1) + data(1, b"test", end=True), stream_error(STREAM_CLOSED)),
    ("http2/5.1/9", "9113 5.1 closed by RST_STREAM", "sends a HEADERS frame",
     lambda c: headers(1, c.request()) + rst_stream(1) + get(c), stream_error(STREAM_CLOSED)),
    ("http2/5.1/10", "9113 5.1 closed by RST_STREAM", "sends a CONTINUATION frame",
     lambda c: headers(1, c.request()) + rst_stream(1) + continuation(1, dummy(c), end_headers=True),
     stream_error(STREAM_CLOSED, PROTOCOL_ERROR)),
    ("http2/5.1/11", "9113 5.1 closed", "sends a DATA frame",
     get, expect.stream_closed, lambda c: data(1, b"test", end=True), stream_error(STREAM_CLOSED)),
    ("http2/5.1/12", "9113 5.1 closed", "sends a HEADERS frame",
     get, expect.stream_closed, get, connection_error(STREAM_CLOSED)),
    ("http2/5.1/13", "9113 5.1 closed", "sends a CONTINUATION frame",
     get, expect.stream_closed, lambda c: continuation(1, dummy(c), end_headers=True),
     connection_error(STREAM_CLOSED, PROTOCOL_ERROR)),
    ("http2/5.1.1/1", "9113 5.1.1", "an even stream id",
     lambda c: headers(2, c.request(), end=True), connection_error(PROTOCOL_ERROR)),
    ("http2/5.1.1/2", "9113 5.1.1", "a stream id below the last one, never used",
     lambda c: headers(5, c.request(), end=True) + headers(3, c.request(), end=True),
     connection_error(PROTOCOL_ERROR)),
    ("http2/5.1.2/1", "9113 5.1.2", "a stream more than SETTINGS_MAX_CONCURRENT_STREAMS",
     over_limit, stream_error(PROTOCOL_ERROR, REFUSED_STREAM)),
    ("http2/5.3.1/1", "7540 5.3.1", "HEADERS that depend on their own stream",
     lambda c: get(c, depends=1), stream_error(PROTOCOL_ERROR)),
    ("http2/5.3.1/2", "7540 5.3.1", "PRIORITY that depends on its own stream",
     lambda c: priority(1, depends=1), stream_error(PROTOCOL_ERROR)),
]

HANDLING = [
    ("http2/5.4.1/1", "9113 5.4.1", "a connection error ends the TCP connection",
     lambda c: ping(stream=3), expect.closed),
    ("http2/5.4.1/2", "9113 5.4.1", "a connection error is announced with GOAWAY",
     lambda c: ping(stream=3), expect.exactly(GOAWAY, PROTOCOL_ERROR, 0)),
    ("http2/5.5/1", "9113 5.5", "an unknown extension frame is ignored", lambda c: UNKNOWN + ping(), expect.pong()),
    ("http2/5.5/2", "9113 5.5", "an unknown extension frame inside a header block",
     lambda c: open_block(c, end=True) + UNKNOWN, connection_error(PROTOCOL_ERROR)),
]

RULES = PREFACES + FRAMES + STATES + HANDLING
