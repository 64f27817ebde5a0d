#!/usr/bin/python3
"""The log by plain HTTP, read by a monitor that knows C2SP alone: signed note, entries and tiles make one root.

usage: log_pages.py BIN_FOLDER

Shares no code with lib/tlog. The log has full tiles of two levels, and grows while it is read.
"""
import base64
import hashlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError as missing:
    print(f"SKIP {missing}")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../client"))
from stage import Homeserver, free_port  # noqa: E402

BIN, EPOCHS = os.path.abspath(sys.argv[1]), 600


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root_of(hashes):
    """RFC 6962 2.1 over hashes of leaves."""
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while 2 * k < len(hashes):
        k *= 2
    return sha256(b"\1", root_of(hashes[:k]), root_of(hashes[k:]))


class Bad(Exception):
    pass


def open_checkpoint(note, origin, key):
    """Size and root of a signed note (C2SP signed-note, tlog-checkpoint)."""
    text, lines = note.decode().split("\n\n", 1)
    text += "\n"
    name, size, root = text.split("\n")[:3]
    keyid = sha256(origin.encode(), b"\n\1", key)[:4]
    for line in lines.splitlines():
        dash, who, data = line.split(" ")
        raw = base64.b64decode(data)
        if dash == "\u2014" and who == origin and raw[:4] == keyid:
            try:
                Ed25519PublicKey.from_public_bytes(key).verify(raw[4:], text.encode())
            except InvalidSignature:
                raise Bad("signature") from None
            if name != origin:
                raise Bad("origin")
            return int(size), base64.b64decode(root)
    raise Bad("no signature of the log")


def tile_name(index):
    out = f"{index % 1000:03}"
    while index >= 1000:
        index //= 1000
        out = f"x{index % 1000:03}/" + out
    return out


class Log:
    def __init__(self, where):
        self.where = where

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.where}/{path}", timeout=60) as answer:
            return answer.read()

    def status(self, path):
        try:
            self.get(path)
            return 200
        except urllib.error.HTTPError as error:
            return error.code

    def tiles(self, kind, count):
        """The contents of all tiles of a level that a tree has `count` hashes of."""
        for index in range(-(-count // 256)):
            width = min(256, count - 256 * index)
            yield self.get(f"tile/{kind}/{tile_name(index)}" + (f".p/{width}" if width < 256 else ""))

    def entries(self, count):
        for data in self.tiles("entries", count):
            while data:
                size = int.from_bytes(data[:2], "big")
                yield data[2:2 + size]
                data = data[2 + size:]

    def hashes(self, level, count):
        return [data[i:i + 32] for data in self.tiles(str(level), count) for i in range(0, len(data), 32)]


def config_key(entry):
    """Origin and log key out of KtConfig."""
    length = entry[3]
    origin, rest = entry[4:4 + length].decode(), entry[4 + length:]
    return origin, rest[2:2 + int.from_bytes(rest[:2], "big")]


def check(log, note):
    """All of the log under this note; the number of its entries."""
    first = next(iter(log.entries(1)))
    origin, key = config_key(first)
    size, root = open_checkpoint(note, origin, key)
    entries = list(log.entries(size))
    leaves = [sha256(b"\0", entry) for entry in entries]
    if len(entries) != size or leaves != log.hashes(0, size):
        raise Bad("entries")
    stamps = [int.from_bytes(entry[:8], "big") for entry in entries[1:]]
    if any(len(entry) != 40 for entry in entries[1:]) or stamps != sorted(stamps):
        raise Bad("time")
    above = [root_of(leaves[i:i + 256]) for i in range(0, size - 255, 256)]
    if above != log.hashes(1, size // 256):
        raise Bad("tiles of level 1")
    if root_of(leaves) != root:
        raise Bad("root")
    return size


def must_fail(function, *arguments):
    try:
        function(*arguments)
    except Bad:
        return
    raise AssertionError("what is wrong was taken")


def wait_for_growth(log, note):
    for _ in range(600):
        newer = log.get("checkpoint")
        if newer != note:
            return newer
        time.sleep(0.1)
    raise AssertionError("the log stands still")


def main():
    where = f"127.0.0.1:{free_port()}"
    server = Homeserver(BIN, conf=f"[transparency]\nlisten = {where}\nwindow_s = 2\nepoch_ms = 50\n")
    subprocess.run([os.path.join(BIN, "log_bench"), "epochs", server.folder, server.domain, str(EPOCHS), "2"], check=True)
    with server:
        log = Log(where)
        note = log.get("checkpoint")
        size = check(log, note)
        assert size > EPOCHS, size
        newer = wait_for_growth(log, note)  # a window of two seconds begins an epoch
        assert check(log, newer) > size
        check(log, note)  # what was signed stays true
        # the check can fail
        text = note.decode()
        must_fail(check, log, text.replace(f"\n{size}\n", f"\n{size - 1}\n", 1).encode())
        must_fail(open_checkpoint, note, server.domain + "/kt/2", b"k" * 32)
        must_fail(open_checkpoint, note, server.domain + "/kt/1", b"k" * 32)
        for path in ("", "checkpoint/", "tile/0/003", "tile/2/000.p/1", "tile/0/002.p/256", "tile/1/000", "tile/0/0", "../keys/keyring",
                     "tile/entries/x999/999", "metrics", "tile/0/000%00"):
            assert log.status(path) == 404, path
        assert log.status("tile/1/000.p/2") == 200
        for path in ("checkpoint", "tile/0/000"):  # what caches and health checks ask
            asked = urllib.request.Request(f"http://{where}/{path}", method="HEAD")
            with urllib.request.urlopen(asked, timeout=60) as answer:
                assert int(answer.headers["Content-Length"]) > 100 and answer.read() == b"", path
        server.end()
        server.start()  # the address is free again, and the log the same
        check(log, note)
    print(f"{size} entries: note, entries and tiles of two levels agree")


if __name__ == "__main__":
    main()
