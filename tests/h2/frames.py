"""HTTP/2 frames (RFC 9113 4, 6) and a connection that can be made to say anything, for tests.

Everything that builds a frame returns bytes, so a test can glue, cut and repeat; nothing is checked on the way
out, because breaking the rules is the point. Frames read are named tuples; see Conn.next().
"""
import collections
import select
import socket
import ssl
import struct
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

TYPES = ["DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE", "PING", "GOAWAY",
         "WINDOW_UPDATE", "CONTINUATION"]
(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
 CONTINUATION) = range(10)

END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x1, 0x4, 0x8, 0x20

ERRORS = ["NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
          "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
          "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"]
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY,
 HTTP_1_1_REQUIRED) = range(14)

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, \
    MAX_HEADER_LIST_SIZE = range(1, 7)

MAX_WINDOW = 2 ** 31 - 1


def error_name(code):
    return ERRORS[code] if code < len(ERRORS) else f"error {code:#x}"


# ---- building -----------------------------------------------------------------------------------------------

def frame(kind, flags, stream, payload=b"", length=None):
    """length: what the header claims, when it should lie."""
    return struct.pack(">I", len(payload) if length is None else length)[1:] + \
        struct.pack(">BBI", kind, flags, stream) + payload


def data(stream, body=b"", end=False, pad=None):
    flags = END_STREAM if end else 0
    if pad is not None:
        return frame(DATA, flags | PADDED, stream, bytes([pad]) + body + bytes(pad))
    return frame(DATA, flags, stream, body)


def headers(stream, block=b"", end=False, end_headers=True, pad=None, depends=None, weight=255):
    flags = (END_STREAM if end else 0) | (END_HEADERS if end_headers else 0)
    if depends is not None:
        flags, block = flags | PRIORITISED, struct.pack(">IB", depends, weight) + block
    if pad is not None:
        flags, block = flags | PADDED, bytes([pad]) + block + bytes(pad)
    return frame(HEADERS, flags, stream, block)


def priority(stream, depends=0, weight=255, exclusive=False):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", depends | (exclusive << 31), weight))


def rst_stream(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def settings(pairs=(), ack=False, stream=0):
    return frame(SETTINGS, ACK if ack else 0, stream, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def push_promise(stream, promised, block):
    return frame(PUSH_PROMISE, END_HEADERS, stream, struct.pack(">I", promised) + block)


def ping(payload=bytes(8), ack=False, stream=0):
    return frame(PING, ACK if ack else 0, stream, payload)


def goaway(last=0, code=NO_ERROR, debug=b"", stream=0):
    return frame(GOAWAY, 0, stream, struct.pack(">II", last, code) + debug)


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def continuation(stream, block=b"", end_headers=False):
    return frame(CONTINUATION, END_HEADERS if end_headers else 0, stream, block)


# ---- reading ------------------------------------------------------------------------------------------------

class Frame(collections.namedtuple("Frame", "kind flags stream payload")):
    @property
    def end_stream(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)

    @property
    def ack(self):
        return self.kind in (SETTINGS, PING) and bool(self.flags & ACK)

    @property
    def code(self):
        """The error code of RST_STREAM and GOAWAY."""
        at = 4 if self.kind == GOAWAY else 0
        return struct.unpack_from(">I", self.payload, at)[0]

    def fragment(self):
        """The header block fragment of a HEADERS frame, without padding and priority."""
        payload = self.payload
        if self.flags & PADDED:
            payload = payload[1:len(payload) - payload[0]]
        return payload[5:] if self.flags & PRIORITISED else payload

    def __str__(self):
        name = TYPES[self.kind] if self.kind < len(TYPES) else f"type {self.kind:#x}"
        if self.kind in (RST_STREAM, GOAWAY):
            return f"{name}({error_name(self.code)}, stream {self.stream})"
        return f"{name}(flags {self.flags:#x}, stream {self.stream}, {len(self.payload)} bytes)"


WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
CLOSED = "connection closed"
TIMEOUT = "timeout"


class Closed(Exception):
    """The peer is gone; raised by what can't go on without it."""


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # loopback test certificates
    context.set_alpn_protocols(["h2"])
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Conn:
    """One client connection. send() never raises for a peer that is gone: what was seen is asked with next()."""

    def __init__(self, host, port, tls=False, timeout=2.0, source=None, receive_buffer=None, path="/h2spec",
                 segment=None):
        self.host, self.port, self.tls, self.timeout, self.path = host, port, tls, timeout, path
        self.buffer, self.closed, self.peer_settings = bytearray(), False, {}
        self.sent, self.tally, self.goaway, self.why = 0, collections.Counter(), None, ""  # see push()
        self.window = 65535  # of the connection, for what we send; as of the handshake
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket = raw
        try:
            if receive_buffer:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            if segment:
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
            if source:
                raw.bind((source, 0))
            raw.settimeout(timeout)
            raw.connect((host, port))
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls:
                self.socket = tls_context().wrap_socket(raw, server_hostname="localhost")
                if self.socket.selected_alpn_protocol() != "h2":
                    raise Closed("ALPN did not choose h2")
        except OSError as error:
            self.socket.close()
            raise Closed(str(error)) from error

    def request(self, method="GET", extra=()):
        """The encoded block of an ordinary request. Advances the encoder's dynamic table: send it, in order."""
        return self.encoder.encode(self.request_fields(method) + list(extra))

    def request_fields(self, method="GET"):
        return [(":method", method), (":scheme", "https" if self.tls else "http"), (":path", self.path),
                (":authority", f"{self.host}:{self.port}")]

    def send(self, *parts):
        """True while the peer takes it."""
        try:
            self.socket.sendall(b"".join(parts))
            return True
        except OSError:
            return False

    def push(self, data, seconds, read=True):
        """Sends and, unless told not to, reads and drops meanwhile (counted in self.tally). Returns when all is
        sent and the rest of the time, if data is empty, is over. False when the peer is gone."""
        left, deadline, waiting = memoryview(data), time.monotonic() + seconds, not data
        self.socket.setblocking(False)
        try:
            while (left or waiting) and time.monotonic() < deadline:
                pause = max(0.0, min(0.2, deadline - time.monotonic()))
                readable, writable, _ = select.select([self.socket] if read else [], [self.socket] if left else [], [],
                                                      pause)
                if readable and not self._drop():
                    return False
                if writable:
                    try:
                        sent = self.socket.send(left[:65536])
                        left = left[sent:]
                        self.sent += sent
                    except WAIT:
                        pass
                if waiting and not read:
                    time.sleep(pause)
            return True
        except OSError as error:
            self.closed = True
            self.why = type(error).__name__
            return False
        finally:
            if not self.closed:
                self.socket.settimeout(self.timeout)

    def _drop(self):
        """Reads what is there; False at the end of the stream."""
        try:
            more = self.socket.recv(262144)
        except WAIT:
            return True
        if not more:
            self.closed, self.why = True, "EOF"
            return False
        self.buffer += more
        at = 0
        while len(self.buffer) - at >= 9:
            size = 9 + int.from_bytes(self.buffer[at:at + 3], "big")
            if len(self.buffer) - at < size:
                break
            kind = self.buffer[at + 3]
            self.tally[kind] += 1
            if kind == GOAWAY:
                self.goaway = int.from_bytes(self.buffer[at + 13:at + 17], "big")
            at += size
        del self.buffer[:at]
        return True

    def next(self, timeout=None):
        """The next Frame, or CLOSED, or TIMEOUT."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            if len(self.buffer) >= 9:
                length = int.from_bytes(self.buffer[:3], "big")
                if len(self.buffer) >= 9 + length:
                    kind, flags, stream = struct.unpack_from(">BBI", self.buffer, 3)
                    payload = bytes(self.buffer[9:9 + length])
                    del self.buffer[:9 + length]
                    return Frame(kind, flags, stream & MAX_WINDOW, payload)
            if self.closed:
                return CLOSED
            left = deadline - time.monotonic()
            if left <= 0:
                return TIMEOUT
            self.socket.settimeout(left)
            try:
                more = self.socket.recv(65536)
            except (TimeoutError, ssl.SSLWantReadError):
                return TIMEOUT
            except OSError:
                more = b""
            finally:
                self.socket.settimeout(self.timeout)
            if not more:
                self.closed = True
            self.buffer += more

    def frames(self, timeout=None):
        """Frames until the deadline, then CLOSED or TIMEOUT as the last."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while True:
            seen = self.next(max(0.0, deadline - time.monotonic()))
            yield seen
            if not isinstance(seen, Frame):
                return

    def handshake(self, pairs=((INITIAL_WINDOW_SIZE, 65535),)):
        """RFC 9113 3.4: prefaces exchanged, both SETTINGS acknowledged."""
        self.send(PREFACE, settings(pairs))
        ours = theirs = False
        for seen in self.frames():
            if not isinstance(seen, Frame):
                raise Closed(f"handshake: {seen}")
            if seen.kind == SETTINGS and seen.ack:
                ours = True
            elif seen.kind == SETTINGS:
                self.peer_settings.update(struct.iter_unpack(">HI", seen.payload))
                self.send(settings(ack=True))
                theirs = True
            elif seen.kind == WINDOW_UPDATE and seen.stream == 0:
                self.window += int.from_bytes(seen.payload, "big")
            if ours and theirs:
                return self

    def close(self):
        self.socket.close()
