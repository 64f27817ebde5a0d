"""HTTP/2 by hand (RFC 9113), as much as a test needs that must see frames: one connection, unary gRPC calls, what came back.

Requests are literal header fields without indexing (RFC 7541 6.2.2); answers' header blocks are not decoded.
"""
import socket
import ssl
import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4


def literal(name, value):
    def text(data):
        assert len(data) < 127
        return bytes([len(data)]) + data
    return b"\x00" + text(name) + text(value)


class Connection:
    """last_id: of the last GOAWAY, None before the first; ended: the other end has closed."""

    def __init__(self, port, ca_file, domain):
        context = ssl.create_default_context(cafile=ca_file)
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname=domain)
        self.domain, self.next_id, self.came = domain.encode(), 1, b""
        self.data, self.over, self.reset = {}, set(), {}  # by stream: bytes of DATA; ended well; error of RST_STREAM
        self.last_id, self.errors, self.ended = None, [], False
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.send(SETTINGS, 0, 0)
        self.send(WINDOW_UPDATE, 0, 0, struct.pack("!I", 1 << 30))

    def send(self, kind, flags, stream, payload=b""):
        try:
            self.socket.sendall(struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload)
        except OSError:
            pass  # what it means is seen by reading

    def call(self, path, message):
        """Begins a call; its stream."""
        stream, self.next_id = self.next_id, self.next_id + 2
        fields = ((b":method", b"POST"), (b":scheme", b"https"), (b":path", path), (b":authority", self.domain),
                  (b"content-type", b"application/grpc"), (b"te", b"trailers"))
        self.send(HEADERS, END_HEADERS, stream, b"".join(literal(name, value) for name, value in fields))
        self.send(DATA, END_STREAM, stream, b"\x00" + struct.pack("!I", len(message)) + message)
        return stream

    def read(self, seconds):
        """Frames that come within so long of each other, until the connection ends."""
        self.socket.settimeout(seconds)
        while not self.ended:
            try:
                more = self.socket.recv(65536)
            except TimeoutError:
                return
            except (ConnectionError, ssl.SSLError) as error:
                self.errors.append(str(error))
                more = b""
            self.ended = not more
            self.came += more
            while len(self.came) >= 9 and len(self.came) >= 9 + int.from_bytes(self.came[:3], "big"):
                size = int.from_bytes(self.came[:3], "big")
                kind, flags, stream = struct.unpack("!BBI", self.came[3:9])
                payload, self.came = self.came[9:9 + size], self.came[9 + size:]
                self.frame(kind, flags, stream & 0x7fffffff, payload)
            if more:
                return

    def frame(self, kind, flags, stream, payload):
        if kind == DATA:
            self.data[stream] = self.data.get(stream, b"") + payload
        elif kind == GOAWAY:
            last, error = struct.unpack("!II", payload[:8])
            self.last_id = last
            if error:
                self.errors.append(f"GOAWAY {error}")
        elif kind == RST_STREAM:
            self.reset[stream] = int.from_bytes(payload, "big")
        elif kind == SETTINGS and not flags & ACK:
            self.send(SETTINGS, ACK, 0)
        elif kind == PING and not flags & ACK:
            self.send(PING, ACK, 0, payload)
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.over.add(stream)
