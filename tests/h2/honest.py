"""The honest client beside an attack: unary calls at a steady rate from an address of its own, in a process of its
own. A call that fails is tried once more on a new connection; the latency is that of both."""
import multiprocessing
import os
import time

import frames as h2
import grpc_wire
from frames import Closed, Conn
from server import die_with_parent

SOURCE = "127.0.0.2"
CALLS_PER_S = 50
CALL_TIMEOUT_S = 1.0
PAYLOAD = bytes(range(100))


class Caller:
    def __init__(self, host, port, tls):
        self.to, self.conn, self.stream = (host, port, tls), None, 1

    def call(self):
        """True when the echo came back whole."""
        try:
            if self.conn is None:
                self.conn, self.stream = Conn(*self.to, timeout=CALL_TIMEOUT_S, source=SOURCE).handshake(), 1
            c, stream = self.conn, self.stream
            self.stream += 2
            request = grpc_wire.message(grpc_wire.echo(PAYLOAD))
            if c.send(grpc_wire.call(c, stream, request)):
                status, body, _ = grpc_wire.answer(c, stream)
                if status == 0 and body == request:
                    return True
        except (Closed, h2.hpack.DecodeError):
            pass
        if self.conn:
            self.conn.close()
        self.conn = None
        return False


def _run(host, port, tls, stop, pipe):
    die_with_parent()
    caller, samples = Caller(host, port, tls), []
    caller.call()  # the connection, its handshake and the tables are there before the first sample
    due = time.monotonic()
    pipe.send("ready")
    while not stop.is_set():
        due += 1 / CALLS_PER_S
        now = time.monotonic()
        if now < due:
            time.sleep(due - now)
            start = time.monotonic()
        else:
            start = due  # the call before took too long: this one has been waiting
        good = caller.call()
        retried = not good
        if retried:
            good = caller.call()
        samples.append((start, time.monotonic() - start, good, retried))
        if time.monotonic() - due > 2:
            due = time.monotonic()  # after an outage: go on, don't burst
    pipe.send(samples)
    os._exit(0)


class Honest:
    """with Honest(host, port, tls) as honest: ...   then honest.samples: (start, seconds, good, retried)"""

    def __init__(self, host, port, tls):
        self.stop = multiprocessing.Event()
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=_run, args=(host, port, tls, self.stop, theirs), daemon=True)
        self.samples = []

    def __enter__(self):
        self.process.start()
        if not self.pipe.poll(10):
            self.process.kill()
            raise SystemExit("the honest client could not begin")
        self.pipe.recv()
        return self

    def __exit__(self, *_):
        self.stop.set()
        if self.pipe.poll(10):
            self.samples = self.pipe.recv()
        self.process.join(1)
        if self.process.is_alive():
            self.process.kill()

    def between(self, begin, end):
        return [sample for sample in self.samples if begin <= sample[0] < end]


def p99_ms(samples):
    if not samples:
        return 0.0
    ordered = sorted(sample[1] for sample in samples)
    return 1000 * ordered[max(0, -(-99 * len(ordered) // 100) - 1)]
