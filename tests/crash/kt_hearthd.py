#!/usr/bin/python3
"""kill -9 to the real hearthd while it closes and signs epochs: one root for a size, ever; nothing that was shown is gone;
who was answered is in the log.

usage: kt_hearthd.py BIN_FOLDER [--cycles N] [--longest SECONDS] [--control]

Users register all the time, others ask for checkpoints; every checkpoint that anybody sees is written down. --control puts
an older kt.db back between two lives and takes away what guards against that (run/log-head-1): second roots must be found.
"""
import os
import random
import shutil
import sys
import threading
import time

try:
    import grpc
    import cryptography  # noqa: F401
except ImportError as missing:
    print(f"SKIP {missing}")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../docs/examples/python"))
sys.path.insert(0, os.path.join(HERE, "../client"))
import hearth_auth as auth  # noqa: E402
from stage import Homeserver  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
CONTROL = "--control" in sys.argv
CYCLES = int(sys.argv[sys.argv.index("--cycles") + 1]) if "--cycles" in sys.argv else 12
LONGEST_S = float(sys.argv[sys.argv.index("--longest") + 1]) if "--longest" in sys.argv else 0.7  # a life


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(data):
    """Of length-delimited fields alone, as all that is looked at here is."""
    at, out = 0, {}

    def number():
        nonlocal at
        value = shift = 0
        while True:
            value, at, shift = value | (data[at] & 127) << shift, at + 1, shift + 7
            if data[at - 1] < 128:
                return value
    while at < len(data):
        tag, size = number(), number()
        if tag & 7 == 2:
            out[tag >> 3] = data[at:at + size]
            at += size
    return out


class Seen:
    """What anybody was shown."""

    def __init__(self):
        self.lock, self.roots, self.forks, self.largest = threading.Lock(), {}, 0, 0

    def note(self, note):
        _, size, root = note.decode().split("\n\n")[0].split("\n")[:3]
        with self.lock:
            self.forks += self.roots.setdefault(int(size), root) != root
            self.largest = max(self.largest, int(size))
        return int(size)


def channel(server):
    credentials = grpc.ssl_channel_credentials(open(server.ca, "rb").read())
    return grpc.secure_channel(server.listen, credentials, (("grpc.ssl_target_name_override", server.domain),))


def call(on, path, body):
    return on.unary_unary(path)(body, timeout=5)


class Person:
    """Registers with one request, which it repeats until it is answered."""

    def __init__(self, server, code):
        key, client, uuid = auth.generate(), os.urandom(16), os.urandom(16)
        user = uuid + auth.vector(server.domain.encode())
        self.body = field(1, field(1, os.urandom(16))) + field(2, field(1, code)) + \
            field(3, auth.credential_request(key, user + client)) + field(4, auth.first_key_set(key, user, client))
        self.label, self.receipt = b"\x01" + user, None

    def ask(self, on, seen):
        receipt = fields(fields(call(on, "/hearth.v1.Auth/RegisterUser", self.body))[3])
        seen.note(receipt[1])
        assert len(receipt[2]) > 200, "an answer without a proof"
        self.receipt = receipt


def register(server, codes, people, seen, stop):
    with channel(server) as on:
        while not stop.is_set():
            if not people or people[-1].receipt is not None:
                if not codes:
                    return
                people.append(Person(server, codes.pop()))
            try:
                people[-1].ask(on, seen)
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED,
                                        grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN):
                    raise
                time.sleep(0.02)


def watch(server, seen, stop):
    with channel(server) as on:
        while not stop.is_set():
            try:
                seen.note(fields(call(on, "/hearth.v1.Transparency/GetCheckpoint", b""))[1])
            except grpc.RpcError:
                time.sleep(0.02)


def live(server, groups, seen, seconds, until=lambda: True):
    """One life of the server, which ends with kill -9; not before what has to happen in it, where machines are slow."""
    stop, wrong = threading.Event(), []

    def run(function, *arguments):
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001
            wrong.append(error)
    threads = [threading.Thread(target=run, args=(register, server, codes, people, seen, stop)) for codes, people in groups]
    threads.append(threading.Thread(target=run, args=(watch, server, seen, stop)))
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    patience = time.monotonic() + 60
    while not until() and not wrong and time.monotonic() < patience:
        time.sleep(0.05)
    server.end(9)
    stop.set()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]


def newest(server):
    with channel(server) as on:
        for _ in range(100):
            try:
                return fields(call(on, "/hearth.v1.Transparency/GetCheckpoint", b""))[1]
            except grpc.RpcError:
                time.sleep(0.05)
    raise AssertionError("no checkpoint")


def main():
    seen, chance = Seen(), random.Random(7)
    server = Homeserver(BIN)
    conf, most = os.path.join(server.folder, "hearthd.conf"), ("register_prefix", "register_all", "anonymous_prefix")
    lines = [line for line in open(conf).read().splitlines() if not line.lower().startswith(most)]
    lines += ["[transparency]", "epoch_ms = 10", "window_s = 2", "[limits]", *(f"{name} = 6000" for name in most)]
    with open(conf, "w") as out:
        out.write("\n".join(lines) + "\n")
    database, head = os.path.join(server.folder, "db", "kt.db"), os.path.join(server.folder, "run", "log-head-1")
    groups = [([], []) for _ in range(3)]
    for cycle in range(CYCLES):
        older = CONTROL and cycle == CYCLES // 2
        if older:
            for end in ("", "-wal"):
                if os.path.exists(database + end):
                    shutil.copy(database + end, database + ".older" + end)
        server.start()
        for codes, _ in groups:
            if len(codes) < 50:
                codes += [auth.invitation(line)[1] for line in server.run("admin", "invite", "--count", "300").split()]
        had, seconds = len(seen.roots), chance.uniform(0.05, LONGEST_S)
        if older:  # sizes are shown that the life after shows again
            live(server, groups, seen, seconds, lambda had=had: len(seen.roots) >= had + 10)
        elif CONTROL and cycle == CYCLES // 2 + 1:
            live(server, groups, seen, seconds, lambda: seen.forks > 0)
        else:
            live(server, groups, seen, seconds)
        if older:
            for end in ("", "-wal", "-shm"):
                if os.path.exists(database + end):
                    os.remove(database + end)
                if os.path.exists(database + ".older" + end):
                    os.rename(database + ".older" + end, database + end)
            os.remove(head)
        if cycle % 1000 == 999:  # a long run may be cut off
            print(f"after {cycle + 1} lives: sizes up to {seen.largest}, {seen.forks} second roots", flush=True)
    server.start()
    last = seen.note(newest(server))
    if not CONTROL:
        assert last >= seen.largest, f"size {seen.largest} was shown, {last} is there"
        with channel(server) as on:  # who was answered is there, and who was not can still be
            for person in (person for _, people in groups for person in people[-300:]):
                person.ask(on, seen)
    server.end()
    registered = sum(person.receipt is not None for _, people in groups for person in people)
    server.scratch.cleanup()
    print(f"{CYCLES} lives, {registered} registered, {len(seen.roots)} sizes seen up to {seen.largest}, {seen.forks} second roots")
    assert registered > CYCLES, "too little happened"
    if CONTROL and seen.forks == 0:
        sys.exit("the control made no second root: this test can't see any")
    if not CONTROL and seen.forks > 0:
        sys.exit("a size has two roots")


if __name__ == "__main__":
    main()
