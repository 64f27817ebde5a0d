#!/usr/bin/python3
"""A homeserver as a witness by plain HTTP (C2SP tlog-witness), spoken to by a script that shares no code with it and holds
the key of a log: whatever it is shown, and however, it never cosigns two logs. usage: witness_http.py BIN_FOLDER

b is a homeserver whose log a has looked at once; then the script signs in its place, with the key out of b's folder.
"""
import base64
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
except ImportError as missing:
    print(f"SKIP {missing}")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../client")]
from stage import Failed, Homeserver, federate, free_port  # noqa: E402

BIN, PATIENCE_S, RACES = os.path.abspath(sys.argv[1]), 90, 12
CONF = "\n[transparency]\nwindow_s = 3600\nepoch_ms = 100\n"


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# ---- RFC 6962 2.1 over hashes of leaves

def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\1", root_of(leaves[:k]), root_of(leaves[k:]))


def consistency(m, leaves, whole=True):
    n = len(leaves)
    if m == n:
        return [] if whole else [root_of(leaves)]
    k = split(n)
    if m <= k:
        return consistency(m, leaves[:k], whole) + [root_of(leaves[k:])]
    return consistency(m - k, leaves[k:], False) + [root_of(leaves[:k])]


# ---- notes

def key_id(name, kind, public):
    return sha256(name.encode(), b"\n", bytes([kind]), public)[:4]


class Log:
    """leaves: hashes."""

    def __init__(self, origin, secret, leaves):
        self.origin, self.key, self.leaves = origin, Ed25519PrivateKey.from_private_bytes(secret), leaves
        self.public = self.key.public_key().public_bytes_raw() if hasattr(self.key.public_key(), "public_bytes_raw") else None
        if self.public is None:
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
            self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def with_leaf(self, what):
        other = Log.__new__(Log)
        other.__dict__.update(self.__dict__)
        other.leaves = self.leaves + [sha256(b"\0", what)]
        return other

    def note(self, extension=""):
        text = f"{self.origin}\n{len(self.leaves)}\n{base64.b64encode(root_of(self.leaves)).decode()}\n{extension}"
        signed = key_id(self.origin, 1, self.public) + self.key.sign(text.encode())
        return text, f"{text}\n\u2014 {self.origin} {base64.b64encode(signed).decode()}\n"

    def request(self, old, proof=None):
        proof = consistency(old, self.leaves) if proof is None and old > 0 else proof or []
        lines = "".join(base64.b64encode(hash).decode() + "\n" for hash in proof)
        return f"old {old}\n{lines}\n{self.note()[1]}".encode()


def call(where, path, body=None):
    request = urllib.request.Request(f"http://{where}{path}", data=body, method="GET" if body is None else "POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


class Witness:
    def __init__(self, where, vkey):
        self.where = where
        self.name, _, data = vkey.split("+", 2)
        self.public = base64.b64decode(data)[1:]

    def ask(self, body):
        return call(self.where, "/witness/v1/add-checkpoint", body)

    def refuses(self, what, body, status):
        got = self.ask(body)
        if got[0] != status:
            raise Failed(f"{what}: {got[0]} {got[2]!r}, not {status}")
        return got

    def says_size(self, what, body, size):
        got = self.refuses(what, body, 409)
        if got[1] != "text/x.tlog.size" or got[2] != f"{size}\n".encode():
            raise Failed(f"{what}: {got}, not {size}")

    def verify(self, line, text):
        dash, name, data = line.rstrip("\n").split(" ")
        raw = base64.b64decode(data)
        stamp = int.from_bytes(raw[4:12], "big")
        if (dash, name, raw[:4], len(raw)) != ("\u2014", self.name, key_id(self.name, 4, self.public), 76):
            raise Failed(f"not its line: {line}")
        Ed25519PublicKey.from_public_bytes(self.public).verify(raw[12:], f"cosignature/v1\ntime {stamp}\n{text}".encode())
        if abs(stamp - time.time()) > 600:
            raise Failed(f"time {stamp}")

    def cosigns(self, what, log, old):
        status, kind, body = self.ask(log.request(old))
        if status != 200 or not kind.startswith("text/plain"):
            raise Failed(f"{what}: {status} {body!r}")
        self.verify(body.decode(), log.note()[0])
        got = call(self.where, f"/witness/v1/{sha256(log.origin.encode()).hex()}/checkpoint")
        if got[0] != 200 or got[2].decode() != log.note()[1] + body.decode():
            raise Failed(f"{what}: hands out {got}")


def secret_of(server):
    """The log's key, the fifth of the signing keys: server/keeper/keyring.h."""
    with open(os.path.join(server.folder, "keys", "keyring"), "rb") as file:
        data = file.read()
    at = 8 + 1 + 1 + len(server.domain) + 32 + 2 + 4 * 32
    return data[at:at + 32]


def entries(where, size):
    status, _, data = call(where, f"/tile/entries/000.p/{size}")
    assert status == 200, status
    while data:
        length = int.from_bytes(data[:2], "big")
        yield data[2:2 + length]
        data = data[2 + length:]


def hostile(witness, log, old):
    """What is none; old is what it cosigned last."""
    grown = log.with_leaf(b"grown")
    good = grown.request(old)
    proof = consistency(old, grown.leaves)
    head, rest = good.split(b"\n\n", 1)
    stranger = Log("c.test/kt/1", b"s" * 32, log.leaves)
    same_name = Log(log.origin, b"s" * 32, grown.leaves)
    subtle = bytes([proof[0][0] ^ 1]) + proof[0][1:]
    text, note = grown.note("more\n")
    rows = [
        ("nothing", b"", 400),
        ("no request", b"old\n\nx", 400),
        ("a number that is none", good.replace(b"old ", b"old 0", 1), 400),
        ("a negative one", good.replace(b"old ", b"old -", 1), 400),
        ("64 lines", head + b"\n" + (base64.b64encode(b"h" * 32) + b"\n") * 64 + b"\n" + rest, 400),
        ("half of it", good[:len(good) // 2], 400),
        ("bytes after it", good + b"x", 400),
        ("what is no text", good.replace(b"kt/1", b"kt\xff1"), 400),
        ("a line more", f"old {old}\n\n{note}".encode(), 400),
        ("old above it", grown.request(old).replace(f"old {old}".encode(), b"old 999", 1), 400),
        ("a stranger's log", stranger.request(0), 404),
        ("another log of its domain", Log("b.test/kt/2", secret, log.leaves).request(0), 404),
        ("no domain", Log("x", b"s" * 32, log.leaves).request(0), 404),
        ("somebody else's signature", same_name.request(old), 403),
        ("a hash changed", grown.request(old, [subtle] + proof[1:]), 422),
        ("a hash less", grown.request(old, proof[:-1]), 422),
        ("a hash more", grown.request(old, proof + [b"h" * 32]), 422),
        ("no proof", grown.request(old, []), 422),
    ]
    for what, body, status in rows:
        witness.refuses(what, body, status)
    witness.says_size("the first again", grown.request(0), old)
    witness.says_size("an older one", grown.request(old - 1), old)
    if witness.ask(b"x" * 70000)[0] not in (400, 413):
        raise Failed("a large body is taken")
    for path in ("/witness/v1/", "/witness/v1/add-checkpoint", "/witness/v1/" + "0" * 64 + "/checkpoint", "/witness/v1/../checkpoint",
                 "/witness/v1//checkpoint"):
        if call(witness.where, path)[0] != 404:
            raise Failed(path)
    for path in ("/checkpoint", "/tile/0/000", "/witness/v1", "/"):
        if call(witness.where, path, good)[0] != 404:
            raise Failed(f"POST {path}")


def race(witness, log, number):
    """Two forks at once: one is cosigned, and is what the next grows out of."""
    forks = [log.with_leaf(b"fork %d %d" % (number, i)) for i in range(2)]
    got = [None, None]

    def ask(i):
        got[i] = witness.ask(forks[i].request(len(log.leaves)))[0]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if sorted(got) != [200, 409]:
        raise Failed(f"two forks at once: {got}")
    lost = forks[got.index(409)]
    witness.says_size("the other root of that size", lost.request(len(lost.leaves), []), len(lost.leaves))
    witness.refuses("what grew out of it", lost.with_leaf(b"and on").request(len(lost.leaves)), 422)
    return forks[got.index(200)]


def main():
    global secret
    pages = {name: f"127.0.0.1:{free_port()}" for name in "ab"}
    a = Homeserver(BIN, "a.test", CONF + f"listen = {pages['a']}\n")
    b = Homeserver(BIN, "b.test", CONF + f"listen = {pages['b']}\n", beside=a)
    federate(a, b)
    for server in (a, b):
        server.start()
    witness = Witness(pages["a"], json.loads(a.run("--json", "admin", "log"))["witness"])
    secret = secret_of(b)
    size = int(call(pages["b"], "/checkpoint")[2].split(b"\n")[1])
    log = Log("b.test/kt/1", secret, [sha256(b"\0", entry) for entry in entries(pages["b"], size)])
    witness.refuses("before a has looked", log.request(0), 404)
    for one, other in ((a, b), (b, a)):  # they know each other by that
        subprocess.run([one.hearthd, "--dir", one.folder, "check", other.domain], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=60)
    end = time.monotonic() + PATIENCE_S
    path = f"/witness/v1/{sha256(log.origin.encode()).hex()}/checkpoint"
    while call(pages["a"], path)[0] != 200:
        if time.monotonic() > end:
            raise Failed("a does not look at the log of b\n" + a.run("admin", "peer", "show", "b.test", code=None))
        a.run("admin", "peer", "retry", "b.test", code=None)
        time.sleep(0.5)
    b.end()
    # its own look has cosigned the window's first entry
    held = int(call(pages["a"], path)[2].split(b"\n")[1])
    log.leaves = log.leaves[:held]
    witness.cosigns("the same again", log, held)
    hostile(witness, log, held)
    log = log.with_leaf(b"one more")
    witness.cosigns("a growth", log, held)
    for number in range(RACES):
        log = race(witness, log, number)
    # a witness that was killed knows it still
    last = len(log.leaves)
    a.end(signal.SIGKILL)
    a.start()
    witness.says_size("the first again, after a kill", log.request(0), last)
    log = race(witness, log, RACES)
    # its own looks at b, which has not come so far, do not go back behind it
    b.start()
    was = call(pages["a"], path)
    for _ in range(4):
        a.run("admin", "peer", "retry", "b.test", code=None)
        time.sleep(0.5)
    if call(pages["a"], path)[2] != was[2]:
        raise Failed("a smaller log is cosigned after a larger one")
    for server in (a, b):
        server.end()
    a.scratch.cleanup()
    print(f"{RACES + 1} pairs of forks, one of each cosigned; {len(log.leaves)} entries")


main()
