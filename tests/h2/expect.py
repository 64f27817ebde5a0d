"""What a conformance rule may demand of the server's next frames.

Each expectation is a function of a connection that returns None when it holds, else what was seen instead. They
accept what RFC 9113 5.4 lets a server do: a connection error is a GOAWAY with a fitting code, or just the end of
the connection; a stream error may be answered with a connection error. A GOAWAY or RST_STREAM with the *wrong*
code is a failure even when the connection then ends.
"""
import frames as h2
from frames import CLOSED, TIMEOUT, Frame


def _report(seen, last):
    """The closing event, and the last frame before it if there was one."""
    return f"{seen} after {last}" if last is not None else str(seen)


def _error(codes, or_stream):
    def check(c):
        last = None
        for seen in c.frames():
            if seen == CLOSED:
                return None
            if seen == TIMEOUT:
                return _report(seen, last)
            last = seen
            if seen.kind == h2.GOAWAY or (or_stream and seen.kind == h2.RST_STREAM):
                if seen.code in codes:
                    return None
                if seen.code != h2.NO_ERROR:
                    return str(seen)
        return _report(TIMEOUT, last)
    return check


def connection_error(*codes):
    return _error(codes, or_stream=False)


def stream_error(*codes):
    return _error(codes, or_stream=True)


def exactly(kind, code, stream):
    """A GOAWAY or RST_STREAM with this code; the end of the connection alone is not enough."""
    def check(c):
        last = None
        for seen in c.frames():
            if not isinstance(seen, Frame):
                return _report(seen, last)
            last = seen
            if seen.kind == kind and seen.stream == stream:
                return None if seen.code == code else str(seen)
        return _report(TIMEOUT, last)
    return check


def closed(c):
    """The TCP connection ends, whatever is said before."""
    last = None
    for seen in c.frames():
        if seen == CLOSED:
            return None
        if isinstance(seen, Frame):
            last = seen
    return _report(TIMEOUT, last)


def stream_closed(c):
    """The answer ends with END_STREAM, or with RST_STREAM(NO_ERROR)."""
    last = None
    for seen in c.frames():
        if not isinstance(seen, Frame):
            return _report(seen, last)
        last = seen
        if seen.end_stream or (seen.kind == h2.RST_STREAM and seen.code == h2.NO_ERROR):
            return None
    return _report(TIMEOUT, last)


def answered(stream=1):
    """Response headers on the stream, decodable, with a :status; the first HEADERS the server sends."""
    def check(c):
        last = None
        for seen in c.frames():
            if not isinstance(seen, Frame):
                return _report(seen, last)
            last = seen
            if seen.kind in (h2.GOAWAY, h2.RST_STREAM):
                return str(seen)
            if seen.kind == h2.HEADERS:
                names = [name for name, _ in c.decoder.decode(seen.fragment())]
                return None if seen.stream == stream and names[:1] == [b":status"] else f"{seen} {names}"
        return _report(TIMEOUT, last)
    return check


def _first(kind, fits):
    def check(c):
        last = None
        for seen in c.frames():
            if not isinstance(seen, Frame):
                return _report(seen, last)
            last = seen
            if seen.kind == kind:
                return None if fits(seen) else str(seen)
        return _report(TIMEOUT, last)
    return check


def data(length=None):
    """The next DATA frame has this many bytes."""
    return _first(h2.DATA, lambda seen: length is None or len(seen.payload) == length)


settings_ack = _first(h2.SETTINGS, lambda seen: seen.ack and not seen.payload)


def pong(payload=bytes(8), or_close=False):
    ack = _first(h2.PING, lambda seen: seen.ack and seen.payload == payload)

    def check(c):
        seen = ack(c)
        return None if seen is None or (or_close and seen.startswith(CLOSED)) else seen
    return check


def preface(c):
    """RFC 9113 3.4: a SETTINGS frame that is no acknowledgement is the first frame of the server."""
    seen = c.next()
    return None if isinstance(seen, Frame) and seen.kind == h2.SETTINGS and not seen.ack else str(seen)
