#!/usr/bin/env python3
"""Our client against servers that misbehave in HTTP/2: the cases of gRPC's negative-http2-interop-test-descriptions,
with a server of our own, and controls that show that the client can fail.

usage: negative.py --bin build/dev/bin [--case NAME]
"""
import argparse
import collections
import os
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "h2"))
import frames as h2  # noqa: E402
import grpc_wire  # noqa: E402

CASE_S, CHUNK = 60, 16000


def response_size(message):
    """SimpleRequest.response_size, field 2; a little protobuf reader."""
    def varint(at):
        value = shift = 0
        while True:
            byte = message[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at
    at, found = 0, 0
    while at < len(message):
        key, at = varint(at)
        value, at = varint(at)
        if key & 7 == 2:
            at += value
        elif key == 2 << 3:
            found = value
    return found


def payload(size):
    """A SimpleResponse, framed."""
    inner = b"\x12" + grpc_wire.varint(size) + bytes(size)
    return grpc_wire.message(b"\x0a" + grpc_wire.varint(len(inner)) + inner)


class Accepted(h2.Conn):
    """The server's end of a connection: reads requests, sends within the client's windows. Behaviours override
    hello() and answer()."""

    settings = ()

    def __init__(self, accepted, world):  # pylint: disable=super-init-not-called
        self.socket, self.timeout, self.world = accepted, CASE_S, world
        self.buffer, self.closed = bytearray(), False
        self.encoder, self.decoder = h2.hpack.Encoder(), h2.hpack.Decoder()
        self.initial_window, self.window = 65535, collections.defaultdict(int)
        self.bodies, self.queue = collections.defaultdict(bytes), collections.deque()
        self.open, self.pings, self.pongs, self.settled = set(), 0, 0, False
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # ---- what goes out

    def head(self, stream):
        self.send(h2.headers(stream, self.encoder.encode([(":status", "200"), ("content-type", "application/grpc")])))

    def trailers(self, stream):
        self.later(stream, 0, lambda: (h2.headers(stream, self.encoder.encode([("grpc-status", "0")]), end=True), True))

    def later(self, stream, cost, make):
        """Sends what make() returns, (bytes, is it the end of the stream), when windows have `cost` bytes."""
        self.queue.append((stream, cost, make))

    def body(self, stream, data, chunk=CHUNK, pad=None):
        for at in range(0, len(data), chunk):
            part = h2.data(stream, data[at:at + chunk], pad=pad)
            self.later(stream, len(part) - 9, lambda part=part: (part, False))

    def pump(self):
        out = []
        while self.queue:
            stream, cost, make = self.queue[0]
            if cost > min(self.window[0], self.window[stream]):
                break
            self.queue.popleft()
            self.window[0] -= cost
            self.window[stream] -= cost
            data, over = make()
            out.append(data)
            if over:
                self.open.discard(stream)
        if out:
            self.send(*out)

    # ---- what comes in

    def serve(self):
        greeting = b""
        while len(greeting) < len(h2.PREFACE):
            more = self.socket.recv(len(h2.PREFACE) - len(greeting))
            if not more:
                return
            greeting += more
        self.send(h2.settings(self.settings))
        self.window[0] = 65535
        for seen in self.frames(CASE_S):
            if not isinstance(seen, h2.Frame):
                return
            self.take(seen)
            self.pump()

    def take(self, seen):
        if seen.kind == h2.SETTINGS and seen.ack:
            self.settled = True
        elif seen.kind == h2.SETTINGS:
            pairs = dict(struct.iter_unpack(">HI", seen.payload))
            change = pairs.get(h2.INITIAL_WINDOW_SIZE, self.initial_window) - self.initial_window
            self.initial_window += change
            for stream in self.open:
                self.window[stream] += change
            self.send(h2.settings(ack=True))
        elif seen.kind == h2.PING:
            if seen.ack:
                self.pongs += 1
            else:
                self.send(h2.ping(seen.payload, ack=True))
        elif seen.kind == h2.WINDOW_UPDATE:
            self.window[seen.stream] += struct.unpack(">I", seen.payload)[0]
        elif seen.kind == h2.HEADERS:
            self.decoder.decode(seen.fragment())
            self.open.add(seen.stream)
            self.window[seen.stream] = self.initial_window
            self.world.begun(self, seen.stream)
        elif seen.kind == h2.DATA:
            self.bodies[seen.stream] += seen.payload
            if seen.payload:
                self.send(h2.window_update(0, len(seen.payload)), h2.window_update(seen.stream, len(seen.payload)))
        if seen.kind in (h2.HEADERS, h2.DATA) and seen.end_stream:
            self.world.requests.append((self, seen.stream))
            self.answer(seen.stream, payload(response_size(self.bodies[seen.stream][5:])))

    # ---- behaviour

    def answer(self, stream, message):
        self.head(stream)
        self.body(stream, message)
        self.trailers(stream)

    def cut(self, stream):
        self.later(stream, 0, lambda: (h2.rst_stream(stream, h2.NO_ERROR), True))


class GoawayBehind(Accepted):
    def answer(self, stream, message):
        super().answer(stream, message)
        self.later(stream, 0, lambda: (h2.goaway(stream), True))


class GoawayBefore(Accepted):
    """The client may end this call, and must not begin another here."""

    def answer(self, stream, message):
        self.send(h2.goaway(stream))
        super().answer(stream, message)


class GoawayUnprocessed(Accepted):
    """The first connection says that it has not looked at the request: the client tries again on another."""

    def answer(self, stream, message):
        if self.world.connections[0] is self:
            self.send(h2.goaway(0))
        else:
            super().answer(stream, message)


class RstAfterHeader(Accepted):
    def answer(self, stream, message):
        self.head(stream)
        self.cut(stream)


class RstDuringData(Accepted):
    def answer(self, stream, message):
        self.head(stream)
        self.body(stream, message[:len(message) // 2])
        self.cut(stream)


class RstAfterData(Accepted):
    def answer(self, stream, message):
        self.head(stream)
        self.body(stream, message)
        self.cut(stream)


class Ping(Accepted):
    def ping_later(self, stream):
        def make():
            self.pings += 1
            return h2.ping(struct.pack(">Q", self.pings)), False
        self.later(stream, 0, make)

    def answer(self, stream, message):
        self.ping_later(stream)
        self.pump()
        self.head(stream)
        self.ping_later(stream)
        self.body(stream, message)
        self.ping_later(stream)  # not behind the trailers: a client may be gone by then
        self.trailers(stream)


class MaxStreams(Accepted):
    settings = ((h2.MAX_CONCURRENT_STREAMS, 1),)

    def answer(self, stream, message):
        time.sleep(0.02)  # time enough for another request, if the client were to send one
        super().answer(stream, message)


class Padding(Accepted):
    """Mostly padding, which counts for flow control all the same."""

    def answer(self, stream, message):
        self.head(stream)
        self.body(stream, message, chunk=5, pad=255)
        self.trailers(stream)


class NoPadding(Accepted):
    def answer(self, stream, message):
        self.head(stream)
        self.body(stream, message, chunk=5)
        self.trailers(stream)


class World:
    """A listener, its connections, and what was seen."""

    def __init__(self, behaviour):
        self.behaviour, self.connections, self.requests, self.most_open = behaviour, [], [], 0
        self.errors, self.threads = [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(self.behaviour(accepted, self))
            self.threads.append(threading.Thread(target=self.serve, args=(self.connections[-1],), daemon=True))
            self.threads[-1].start()

    def serve(self, connection):
        try:
            connection.serve()
        except Exception as error:  # pylint: disable=broad-except
            self.errors.append(f"{type(error).__name__}: {error}")
        finally:
            connection.close()

    def begun(self, connection, _stream):
        if connection.settled:
            self.most_open = max(self.most_open, len(connection.open))

    def close(self):
        self.listener.close()
        for thread in self.threads:
            thread.join(5)

    def different_connections(self):
        count = len({id(connection) for connection, _ in self.requests})
        return None if count == 2 else f"{len(self.requests)} requests came on {count} connections"

    def pings_answered(self):
        sent = sum(connection.pings for connection in self.connections)
        answered = sum(connection.pongs for connection in self.connections)
        return None if sent == answered == 3 else f"{sent} pings, {answered} answered"

    def one_at_a_time(self):
        if len(self.requests) != 11:
            return f"{len(self.requests)} requests, want 11"
        return f"{self.most_open} streams at once" if self.most_open > 1 else None


# name, the client's case, the server, must the client succeed, what the server asserts
CASES = [
    ("goaway", "goaway", GoawayBehind, True, World.different_connections),
    ("goaway_before_answer", "goaway", GoawayBefore, True, World.different_connections),
    ("goaway_unprocessed", "no_df_padding_sanity_test", GoawayUnprocessed, True, World.different_connections),
    ("rst_after_header", "rst_after_header", RstAfterHeader, True, None),
    ("rst_during_data", "rst_during_data", RstDuringData, True, None),
    ("rst_after_data", "rst_after_data", RstAfterData, True, None),
    ("ping", "ping", Ping, True, World.pings_answered),
    ("max_streams", "max_streams", MaxStreams, True, World.one_at_a_time),
    ("data_frame_padding", "data_frame_padding", Padding, True, None),
    ("no_df_padding_sanity_test", "no_df_padding_sanity_test", NoPadding, True, None),
    ("control: honest server", "ping", Accepted, True, None),
    ("control: a cut that is not there", "rst_after_data", Accepted, False, None),
    ("control: data cut off", "ping", RstDuringData, False, None),
]


def run(binary, case, behaviour, succeeds, asserts):
    """None, or what is wrong."""
    world = World(behaviour)
    try:
        done = subprocess.run([binary, "--server_host=127.0.0.1", f"--server_port={world.port}",
                               f"--test_case={case}"], capture_output=True, text=True, timeout=CASE_S, check=False)
    except subprocess.TimeoutExpired:
        return f"not done after {CASE_S} s"
    finally:
        world.close()
    if done.returncode not in (0, 1) or (done.returncode == 0) != succeeds:
        return f"exit {done.returncode}: {done.stderr.strip()}"
    if world.errors:
        return "the server: " + "; ".join(world.errors)
    return asserts(world) if asserts else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--case")
    arguments = parser.parse_args()
    binary = os.path.join(arguments.bin, "interop_client")
    if not os.access(binary, os.X_OK):
        print(f"SKIP no {binary}")
        return 77
    passed = failed = 0
    for name, *case in CASES:
        if arguments.case and name != arguments.case:
            continue
        begun = time.monotonic()
        why = run(binary, *case)
        failed, passed = failed + bool(why), passed + (not why)
        print(f"{'FAIL' if why else 'pass'} {name} ({time.monotonic() - begun:.1f} s){': ' + why if why else ''}",
              flush=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
