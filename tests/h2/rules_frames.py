"""Rules of RFC 9113 sections 6 to 8: each frame type, error codes, and what makes a request malformed.
Ids are those of the h2spec suite (which counts the sections of RFC 7540 8.1)."""
import expect
from expect import connection_error, stream_error
from frames import (ENABLE_PUSH, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE,
                    MAX_WINDOW, PING, PRIORITY, PROTOCOL_ERROR, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE,
                    continuation, data, frame, goaway, headers, ping, priority, push_promise, rst_stream, settings,
                    window_update)
from rules_basic import PONG, get, post
from rules_states import dummy, open_block


def padded_too_much(c):
    block = c.request()
    return frame(1, 0x0d, 1, bytes([len(block) + 2]) + block)


def window(size):
    return lambda c: settings([(INITIAL_WINDOW_SIZE, size)])


CORE = [
    ("http2/6.1/1", "9113 6.1", "DATA on stream 0", lambda c: data(0, b"test", end=True),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.1/2", "9113 6.1", "DATA on a stream that is half-closed (remote)",
     lambda c: headers(1, c.request(method="POST"), end=True) + data(1, b"test", end=True),
     stream_error(STREAM_CLOSED)),
    ("http2/6.1/3", "9113 6.1", "DATA with more padding than payload",
     lambda c: post(c, ("content-length", "4")) + frame(0, 0x9, 1, b"\x06Test"), connection_error(PROTOCOL_ERROR)),

    ("http2/6.2/1", "9113 6.2", "HEADERS without END_HEADERS, then PRIORITY",
     lambda c: open_block(c) + priority(1) + continuation(1, dummy(c), end_headers=True),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.2/2", "9113 6.2", "HEADERS without END_HEADERS, then HEADERS of another stream",
     lambda c: open_block(c) + headers(3, c.request(), end=True) + continuation(1, dummy(c), end_headers=True),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.2/3", "9113 6.2", "HEADERS on stream 0", lambda c: headers(0, c.request(), end=True),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.2/4", "9113 6.2", "HEADERS with more padding than payload", padded_too_much,
     stream_error(PROTOCOL_ERROR)),

    ("http2/6.3/1", "9113 6.3", "PRIORITY on stream 0", lambda c: priority(0), connection_error(PROTOCOL_ERROR)),
    ("http2/6.3/2", "9113 6.3", "PRIORITY of 4 bytes",
     lambda c: get(c) + frame(PRIORITY, 0, 1, b"\x80\0\0\1"), stream_error(FRAME_SIZE_ERROR)),

    ("http2/6.4/1", "9113 6.4", "RST_STREAM on stream 0", lambda c: rst_stream(0), connection_error(PROTOCOL_ERROR)),
    ("http2/6.4/2", "9113 6.4", "RST_STREAM on an idle stream", lambda c: rst_stream(1),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.4/3", "9113 6.4", "RST_STREAM of 3 bytes", lambda c: get(c) + frame(RST_STREAM, 0, 1, bytes(3)),
     stream_error(FRAME_SIZE_ERROR)),

    ("http2/6.5/1", "9113 6.5", "SETTINGS with ACK and a payload", lambda c: frame(SETTINGS, 1, 0, b"\0"),
     connection_error(FRAME_SIZE_ERROR)),
    ("http2/6.5/2", "9113 6.5", "SETTINGS on a stream", lambda c: settings([(3, 100)], stream=1),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.5/3", "9113 6.5", "SETTINGS of 3 bytes", lambda c: frame(SETTINGS, 0, 0, b"\0\3\0"),
     stream_error(PROTOCOL_ERROR, FRAME_SIZE_ERROR)),
    ("http2/6.5.2/1", "9113 6.5.2", "ENABLE_PUSH of 2", lambda c: settings([(ENABLE_PUSH, 2)]),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.5.2/2", "9113 6.5.2", "INITIAL_WINDOW_SIZE above 2^31-1", window(2 ** 31),
     connection_error(FLOW_CONTROL_ERROR)),
    ("http2/6.5.2/3", "9113 6.5.2", "MAX_FRAME_SIZE below 2^14", lambda c: settings([(MAX_FRAME_SIZE, 16383)]),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.5.2/4", "9113 6.5.2", "MAX_FRAME_SIZE above 2^24-1", lambda c: settings([(MAX_FRAME_SIZE, 2 ** 24)]),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.5.2/5", "9113 6.5.2", "an unknown setting is ignored",
     lambda c: settings([(0xff, 1)]) + ping(), expect.pong()),
    ("http2/6.5.3/1", "9113 6.5.3", "values of one SETTINGS frame apply in order",
     "needs data 1", lambda c: settings([(INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)]), expect.settings_ack,
     get, expect.data(1)),
    ("http2/6.5.3/2", "9113 6.5.3", "SETTINGS are acknowledged", lambda c: settings([(ENABLE_PUSH, 0)]),
     expect.settings_ack),

    ("http2/6.7/1", "9113 6.7", "PING is answered", lambda c: ping(PONG), expect.pong(PONG)),
    ("http2/6.7/2", "9113 6.7", "PING with ACK is not answered",
     lambda c: ping(b"invalid\0", ack=True) + ping(PONG), expect.pong(PONG)),
    ("http2/6.7/3", "9113 6.7", "PING on a stream", lambda c: ping(stream=1), connection_error(PROTOCOL_ERROR)),
    ("http2/6.7/4", "9113 6.7", "PING of 6 bytes", lambda c: frame(PING, 0, 0, bytes(6)),
     connection_error(FRAME_SIZE_ERROR)),

    ("http2/6.8/1", "9113 6.8", "GOAWAY on a stream", lambda c: goaway(stream=1), connection_error(PROTOCOL_ERROR)),
]

FLOW = [
    ("http2/6.9/1", "9113 6.9", "an increment of 0 on the connection", lambda c: window_update(0, 0),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.9/2", "9113 6.9", "an increment of 0 on a stream",
     lambda c: headers(1, c.request()) + window_update(1, 0), stream_error(PROTOCOL_ERROR)),
    ("http2/6.9/3", "9113 6.9", "WINDOW_UPDATE of 3 bytes", lambda c: frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"),
     connection_error(FRAME_SIZE_ERROR)),
    ("http2/6.9.1/1", "9113 6.9.1", "no more DATA than the window allows",
     "needs data 1", window(1), expect.settings_ack, get, expect.data(1)),
    ("http2/6.9.1/2", "9113 6.9.1", "a connection window above 2^31-1",
     lambda c: window_update(0, MAX_WINDOW) * 2, expect.exactly(GOAWAY, FLOW_CONTROL_ERROR, 0)),
    ("http2/6.9.1/3", "9113 6.9.1", "a stream window above 2^31-1",
     lambda c: headers(1, c.request()) + window_update(1, MAX_WINDOW) * 2,
     expect.exactly(RST_STREAM, FLOW_CONTROL_ERROR, 1)),
    ("http2/6.9.2/1", "9113 6.9.2", "INITIAL_WINDOW_SIZE changes the windows of open streams",
     "needs data 1", window(0), expect.settings_ack, lambda c: get(c) + window(1)(c), expect.data(1)),
    ("http2/6.9.2/2", "9113 6.9.2", "a window may become negative", "needs data 5", window(3), expect.settings_ack,
     get, expect.data(), window(2), expect.settings_ack, lambda c: window_update(1, 2), expect.data(1)),
    ("http2/6.9.2/3", "9113 6.9.2", "INITIAL_WINDOW_SIZE above 2^31-1", window(2 ** 31),
     connection_error(FLOW_CONTROL_ERROR)),

    ("http2/6.10/1", "9113 6.10", "several CONTINUATION frames",
     lambda c: open_block(c, end=True) + continuation(1, dummy(c)) + continuation(1, dummy(c), end_headers=True),
     expect.answered()),
    ("http2/6.10/2", "9113 6.10", "CONTINUATION, then DATA",
     lambda c: headers(1, c.request(method="POST"), end_headers=False) + continuation(1, dummy(c)) +
     data(1, b"test", end=True), connection_error(PROTOCOL_ERROR)),
    ("http2/6.10/3", "9113 6.10", "CONTINUATION on stream 0",
     lambda c: open_block(c, end=True) + continuation(0, dummy(c), end_headers=True),
     connection_error(PROTOCOL_ERROR)),
    ("http2/6.10/4", "9113 6.10", "CONTINUATION after HEADERS with END_HEADERS",
     lambda c: get(c) + continuation(1, dummy(c), end_headers=True), connection_error(PROTOCOL_ERROR)),
    ("http2/6.10/5", "9113 6.10", "CONTINUATION after CONTINUATION with END_HEADERS",
     lambda c: open_block(c, end=True) + continuation(1, dummy(c), end_headers=True) +
     continuation(1, dummy(c), end_headers=True), connection_error(PROTOCOL_ERROR)),
    ("http2/6.10/6", "9113 6.10", "CONTINUATION after DATA",
     lambda c: headers(1, c.request(method="POST"), end_headers=False) + data(1, b"test", end=True) +
     continuation(1, dummy(c)) + continuation(0, dummy(c), end_headers=True), connection_error(PROTOCOL_ERROR)),

    ("http2/7/1", "9113 7", "GOAWAY with an unknown code", lambda c: goaway(code=0xff) + ping(PONG),
     expect.pong(PONG, or_close=True)),
    ("http2/7/2", "9113 7", "RST_STREAM with an unknown code", lambda c: post(c) + rst_stream(1, 0xff) + ping(),
     expect.pong(or_close=True)),
]


malformed = stream_error(PROTOCOL_ERROR)


def plus(*fields):
    return lambda c: headers(1, c.request(extra=fields), end=True)


def request(change):
    """A request whose list of fields went through change."""
    return lambda c: headers(1, c.encoder.encode(change(c.request_fields())), end=True)


def without(name):
    return request(lambda fields: [field for field in fields if field[0] != name])


def twice(name):
    return request(lambda fields: fields + [field for field in fields if field[0] == name])


def trailers(*fields):
    """A second header block that does not end the stream."""
    return lambda c: post(c) + data(1, b"test") + headers(1, c.encoder.encode(fields))


MESSAGES = [
    ("http2/8.1/1", "9113 8.1", "a second HEADERS frame without END_STREAM", trailers(("x-test", "ok")), malformed),
    ("http2/8.1.2/1", "9113 8.2.1", "a field name in upper case", plus(("X-TEST", "ok")), malformed),
    ("http2/8.1.2.1/1", "9113 8.3", "an unknown pseudo-header field", plus((":test", "ok")), malformed),
    ("http2/8.1.2.1/2", "9113 8.3", "a response's pseudo-header field", plus((":status", "200")), malformed),
    ("http2/8.1.2.1/3", "9113 8.3", "a pseudo-header field in trailers", trailers((":method", "POST")), malformed),
    ("http2/8.1.2.1/4", "9113 8.3", "a pseudo-header field after a regular one",
     request(lambda fields: [("x-test", "ok")] + fields), malformed),
    ("http2/8.1.2.2/1", "9113 8.2.2", "a connection-specific field", plus(("connection", "keep-alive")), malformed),
    ("http2/8.1.2.2/2", "9113 8.2.2", "TE other than trailers",
     plus(("trailers", "test"), ("te", "trailers, deflate")), malformed),
    ("http2/8.1.2.3/1", "9113 8.3.1", "an empty :path",
     request(lambda fields: [(name, "" if name == ":path" else text) for name, text in fields]), malformed),
    ("http2/8.1.2.3/2", "9113 8.3.1", "no :method", without(":method"), malformed),
    ("http2/8.1.2.3/3", "9113 8.3.1", "no :scheme", without(":scheme"), malformed),
    ("http2/8.1.2.3/4", "9113 8.3.1", "no :path", without(":path"), malformed),
    ("http2/8.1.2.3/5", "9113 8.3", "two :method", twice(":method"), malformed),
    ("http2/8.1.2.3/6", "9113 8.3", "two :scheme", twice(":scheme"), malformed),
    ("http2/8.1.2.3/7", "9113 8.3", "two :path", twice(":path"), malformed),
    ("http2/8.1.2.6/1", "9113 8.1.1", "content-length other than the DATA frame's",
     lambda c: post(c, ("content-length", "1")) + data(1, b"test", end=True), malformed),
    ("http2/8.1.2.6/2", "9113 8.1.1", "content-length other than the sum of DATA frames",
     lambda c: post(c, ("content-length", "1")) + data(1, b"test") + data(1, b"test", end=True), malformed),
    ("http2/8.2/1", "9113 8.4", "PUSH_PROMISE from a client", lambda c: push_promise(1, 3, c.request()),
     connection_error(PROTOCOL_ERROR)),
]

RULES = CORE + FLOW + MESSAGES
