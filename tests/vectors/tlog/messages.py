#!/usr/bin/env python3
"""The verifiable log written a second time, from the design alone, in Python: makes messages.json, which the C code
must reproduce byte by byte (tests/unit/lib/tlog/messages_vectors_test.c).

usage: messages.py            writes messages.json beside itself
       messages.py --check    compares; also recomputes $HEARTH_VECTORS/ktl_profile.json where there is one

Python's standard library and python3-cryptography (Ed25519 signatures); the VRF is written out here on integers.
"""
import base64
import hashlib
import hmac
import json
import os
import struct
import sys

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
except ImportError:
    print("SKIP python3-cryptography is missing")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
FILE = os.path.join(HERE, "messages.json")


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def sha512(*parts):
    return hashlib.sha512(b"".join(parts)).digest()


def u8(v):
    return struct.pack(">B", v)


def u16(v):
    return struct.pack(">H", v)


def u32(v):
    return struct.pack(">I", v)


def u64(v):
    return struct.pack(">Q", v)


def v8(b):
    return u8(len(b)) + b


def v16(b):
    return u16(len(b)) + b


def v32(b):
    return u32(len(b)) + b


def opt(b):
    return u8(0) if b is None else u8(1) + b


# ---- edwards25519 in extended coordinates, and ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381)

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
ZERO = (0, 1, 1, 0)


def add(a, b):
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    aa, bb = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    cc, dd = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = bb - aa, dd - cc, dd + cc, bb + aa
    return e * f % P, g * h % P, f * g % P, e * h % P


def mul(n, point):
    out = ZERO
    while n:
        if n & 1:
            out = add(out, point)
        point = add(point, point)
        n >>= 1
    return out


def encode(point):
    x, y, z, _ = point
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(raw):
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


BASE = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


class Vrf:
    def __init__(self, seed):
        digest = bytearray(sha512(seed))
        digest[0] &= 248
        digest[31] = digest[31] & 127 | 64
        self.x = int.from_bytes(digest[:32], "little")
        self.prefix = bytes(digest[32:])
        self.public = encode(mul(self.x, BASE))

    def prove(self, alpha):
        for counter in range(256):
            point = decode(sha512(b"\x03\x01", self.public, alpha, bytes([counter, 0]))[:32])
            point = mul(8, point) if point else None
            if point and encode(point) != encode(ZERO):
                break
        h = encode(point)
        gamma = mul(self.x, point)
        k = int.from_bytes(sha512(self.prefix, h), "little") % Q
        c = sha512(b"\x03\x02", self.public, h, encode(gamma), encode(mul(k, BASE)), encode(mul(k, point)), b"\0")[:16]
        s = (k + int.from_bytes(c, "little") * self.x) % Q
        return encode(gamma) + c + s.to_bytes(32, "little"), sha512(b"\x03\x03", encode(mul(8, gamma)), b"\0")[:32]


# ---- signatures and notes

class Signer:
    def __init__(self, seed):
        self.key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message):
        return self.key.sign(message)


def note_line(name, kind, public, payload):
    key_id = sha256(name.encode() + b"\n", bytes([kind]), public)[:4]
    return "\u2014 " + name + " " + base64.b64encode(key_id + payload).decode() + "\n"


# ---- trees

def split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def log_root(leaves):
    if len(leaves) == 1:
        return sha256(b"\0", leaves[0])
    k = split(len(leaves))
    return sha256(b"\1", log_root(leaves[:k]), log_root(leaves[k:]))


def inclusion(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return inclusion(m, leaves[:k]) + [log_root(leaves[k:])]
    return inclusion(m - k, leaves[k:]) + [log_root(leaves[:k])]


def consistency(m, leaves, whole=True):
    if m == len(leaves):
        return [] if whole else [log_root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return consistency(m, leaves[:k], whole) + [log_root(leaves[k:])]
    return consistency(m - k, leaves[k:], False) + [log_root(leaves[:k])]


def hashes8(run):
    return u8(len(run)) + b"".join(run)


def bits(index):
    return "".join(f"{byte:08b}" for byte in index)


def prefix_root(leaves, depth=0):
    """leaves: {index: commitment}, all of one prefix."""
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        (index, commitment), = leaves.items()
        return sha256(b"\2", index, commitment)
    sides = [{}, {}]
    for index, commitment in leaves.items():
        sides[int(bits(index)[depth])][index] = commitment
    return sha256(b"\3", prefix_root(sides[0], depth + 1), prefix_root(sides[1], depth + 1))


def prefix_proof(leaves, lookups):
    results, elements = {}, []

    def walk(here, wanted, depth):
        if not wanted:
            elements.append(prefix_root(here, depth))
        elif len(here) > 1:
            for side in "01":
                walk({i: c for i, c in here.items() if bits(i)[depth] == side},
                     [w for w in wanted if bits(w)[depth] == side], depth + 1)
        else:
            for w in wanted:
                if not here:
                    results[w] = u8(3) + u8(depth)
                elif w in here:
                    results[w] = u8(1) + u8(depth)
                else:
                    (index, commitment), = here.items()
                    results[w] = u8(2) + index + commitment + u8(depth)

    walk(leaves, sorted(set(lookups)), 0)
    return u8(len(lookups)) + b"".join(results[w] for w in lookups) + u16(len(elements)) + b"".join(elements)


def ladder(t):
    """base_ladder; None: no version."""
    t = -1 if t is None else t
    out, low = [], -1
    while True:
        v = 2**len(out) - 1
        out.append(v)
        if v > t:
            break
        low = v
    high = out[-1]
    while high - low > 1:
        middle = (low + high) // 2
        out.append(middle)
        low, high = (middle, high) if middle <= t else (low, middle)
    return out


# ---- a log

class Log:
    def __init__(self, origin, window, log_seed, vrf_seed):
        self.origin, self.window = origin, window
        self.signer, self.vrf = Signer(log_seed), Vrf(vrf_seed)
        self.config = (u16(0xF102) + u8(1) + v8(origin.encode()) + v16(self.signer.public) + v16(self.vrf.public) +
                       u64(60000) + u64(3600000) + u64(window) + u8(0))
        self.leaves = [self.config]    # of the log
        self.trees = [None]            # of prefixes, by epoch
        self.times = [None]
        self.notes = [None]
        self.versions = {}             # (label, version): dict
        self.proofs = {}

    def pair(self, label, version):
        if (label, version) not in self.proofs:
            self.proofs[label, version] = self.vrf.prove(v8(label) + u32(version))
        return self.proofs[label, version]

    def close(self, time, added):
        """added: [(label, value, opening)]"""
        tree = dict(self.trees[-1] or {})
        for label, value, opening in added:
            version = sum(1 for known, _ in self.versions if known == label)
            commitment = hmac.new(bytes.fromhex("d821f8790d97709796b4d7903357c3f5"),
                                  opening + v8(label) + u32(version) + v32(value), hashlib.sha256).digest()
            self.versions[label, version] = {"value": value, "opening": opening, "commitment": commitment,
                                             "epoch": len(self.leaves)}
            tree[self.pair(label, version)[1]] = commitment
        self.trees.append(tree)
        self.times.append(time)
        self.leaves.append(u64(time) + prefix_root(tree))
        text = f"{self.origin}\n{len(self.leaves)}\n{base64.b64encode(log_root(self.leaves)).decode()}\n"
        self.notes.append((text + "\n" + note_line(self.origin, 1, self.signer.public,
                                                   self.signer.sign(text.encode()))).encode())

    def distinguished(self, i):
        return i == 1 or self.times[i] // self.window > self.times[i - 1] // self.window

    def dists(self):
        return [i for i in range(1, len(self.leaves)) if self.distinguished(i)]

    def greatest(self, label, epoch):
        known = [v for (other, v), row in self.versions.items() if other == label and row["epoch"] <= epoch]
        return max(known) if known else None

    def pair_entry(self, i, size=None):
        """DistEntry"""
        leaves = self.leaves[:size]
        return (u64(i) + (self.leaves[i - 1] if i > 1 else bytes(40)) + self.leaves[i] +
                hashes8(inclusion(i - 1, leaves) if i > 1 else []) + hashes8(inclusion(i, leaves)))

    def head(self, last):
        return v16(self.notes[-1]) + hashes8(consistency(last, self.leaves))

    def steps(self, label, versions, below):
        out = u8(len(versions))
        for v in versions:
            out += self.pair(label, v)[0]
            out += opt(self.versions[label, v]["commitment"] if v < below else None)
        return out

    def prove(self, epoch, pairs):
        return prefix_proof(self.trees[epoch], [self.pair(label, v)[1] for label, v in pairs])

    # ---- messages

    def owner_response(self, last, from_dist, label):
        todo = [i for i in self.dists() if i > from_dist][:32]
        out = u8(1) + self.head(last) + u8(len(todo))
        for i in todo:
            out += self.pair_entry(i) + self.prove(i, [(label, v) for v in ladder(self.greatest(label, i))])
        return out

    def contact_response(self, last, items):
        at = self.dists()[-1]
        pairs = [(label, v) for label, t in items for v in ladder(t) if v <= t]
        return u8(2) + self.head(last) + self.pair_entry(at) + self.prove(at, pairs)

    def update_response(self, last, label, version):
        row = self.versions[label, version]
        i = row["epoch"]
        after, before = ladder(version), ladder(version - 1 if version else None)
        versions = after + [v for v in before if v not in after]
        out = self.head(last) + self.pair_entry(i) + row["opening"] + self.steps(label, versions, version)
        out += opt(self.prove(i - 1, [(label, v) for v in before]) if i > 1 else None)
        return out + self.prove(i, [(label, v) for v in after])

    def search_response(self, last, label):
        e, d = len(self.leaves) - 1, self.dists()[-1]
        t, nd = self.greatest(label, e), self.greatest(label, d)
        at_dist = None
        shown = set()
        if d != e:
            walk = []
            for v in ladder(nd):
                present = nd is not None and v <= nd
                walk.append((label, v))
                if present:
                    shown.add(v)
                if present != (t is not None and v <= t):
                    break
            at_dist = self.prove(d, walk)
        out = self.head(last) + self.leaves[e] + hashes8(inclusion(e, self.leaves)) + opt(self.pair_entry(d))
        row = self.versions.get((label, t))
        out += opt(u32(t) + row["opening"] + v32(row["value"]) if row else None)
        out += self.steps(label, ladder(t), t if t is not None else -1) + opt(at_dist)
        return out + self.prove(e, [(label, v) for v in ladder(t) if v not in shown])

    def member_proof(self, label, dist):
        t = self.greatest(label, dist)
        row = self.versions[label, t]
        return (v8(self.origin.encode()) + v8(label) + u32(t) + row["opening"] + v32(row["value"]) +
                self.steps(label, ladder(t), t) + u64(dist) + self.prove(dist, [(label, v) for v in ladder(t)]))

    def head_of(self, dist, note=b""):
        return (v8(self.origin.encode()) + u64(self.times[dist] // self.window) + u64(dist) +
                log_root(self.leaves[:dist + 1]) + v16(note))

    def audit(self, epoch):
        before = self.trees[epoch - 1] or {}
        added = sorted(set(self.trees[epoch]) - set(before))
        out = u64(self.times[epoch]) + u16(len(added))
        out += b"".join(index + self.trees[epoch][index] for index in added) + u16(0)
        return out + prefix_proof(before, added)


def key_set(label, version, before, created, reset, clients, recovery, signers):
    """clients: [(id, Signer, added, flags)]; signers: [(id, Signer)]"""
    tbs = u8(1) + v8(label) + u32(version) + v8(before) + u64(created) + u8(reset) + u16(len(clients))
    for client_id, key, added, flags in clients:
        tbs += v8(client_id) + u16(0x0807) + v16(key.public) + u64(added) + u8(flags)
    tbs += v8(recovery)
    sigs = u8(len(signers))
    for client_id, key in signers:
        sigs += v8(client_id) + v16(key.sign(b"KTL KeySet 1\0" + tbs))
    return tbs + sigs


def code_of(persons, heads):
    data = b"KTL view 1" + b"".join(sorted(persons)) + b"".join(sorted(set(heads)))
    number = int.from_bytes(hashlib.sha256(data).digest(), "big") >> 156
    groups = [number >> (80 - 20 * i) & 0xFFFFF for i in range(5)]
    return data, " ".join(f"{g % 1000000:06d}" for g in groups)


# ---- the story: two users, five windows, three versions of one, two of the other

def story():
    seeds = {name: sha256(name.encode()) for name in ("log", "vrf", "bob phone", "bob laptop", "carol", "recovery")}
    keys = {name: Signer(seed) for name, seed in seeds.items()}
    log = Log("b.example/kt/1", 100000, seeds["log"], seeds["vrf"])
    bob, carol, dave = b"\x01bob", b"\x01carol", b"\x01dave"
    openings = iter(sha256(b"opening", u8(i))[:16] for i in range(20))
    epochs = []

    def close(time, added):
        rows = [(label, value, next(openings)) for label, value in added]
        log.close(time, rows)
        epochs.append({"time": time, "added": [{"label": label.hex(), "value": value.hex(), "opening": opening.hex()}
                                               for label, value, opening in rows],
                       "entry": log.leaves[-1].hex(), "note": log.notes[-1].decode(),
                       "audit": log.audit(len(log.leaves) - 1).hex()})

    def commitment(label, version):
        return log.versions[label, version]["commitment"]

    phone, laptop = (b"phone", keys["bob phone"], 5, 1), (b"laptop", keys["bob laptop"], 6, 0)
    bob0 = key_set(bob, 0, b"", 1000, 0, [phone], keys["recovery"].public, [(b"phone", keys["bob phone"])])
    carol0 = key_set(carol, 0, b"", 1001, 0, [(b"c", keys["carol"], 1, 1)], b"", [(b"c", keys["carol"])])
    close(5000000, [(bob, bob0)])
    close(5010000, [(carol, carol0)])
    bob1 = key_set(bob, 1, commitment(bob, 0), 2000, 0, [laptop, phone], keys["recovery"].public,
                   [(b"phone", keys["bob phone"]), (b"laptop", keys["bob laptop"])])
    close(5100000, [])
    close(5110000, [(bob, bob1)])
    update1 = log.update_response(2, bob, 1)
    search_pending = log.search_response(3, bob)
    close(5200000, [])
    contacts = log.contact_response(3, [(bob, 1), (carol, 0)])
    bob2 = key_set(bob, 2, b"", 3000, 1, [laptop], b"", [(b"laptop", keys["bob laptop"]), (b"", keys["recovery"])])
    close(5300000, [(bob, bob2)])
    carol1 = key_set(carol, 1, commitment(carol, 0), 3001, 0, [(b"c", keys["carol"], 1, 1)],
                     keys["recovery"].public, [(b"c", keys["carol"])])
    close(5310000, [(carol, carol1)])
    close(5420000, [])
    last = log.dists()[-1]
    size = len(log.leaves)
    person = [v8(bob) + u32(2) + commitment(bob, 2), v8(carol) + u32(1) + commitment(carol, 1)]
    compared = log.head_of(last)[:-2]
    qr, code = code_of(person, [compared])
    heads = [log.head_of(i, log.notes[i] if i == last else b"") for i in log.dists()[-3:]]
    return {
        "made_by": "tests/vectors/tlog/messages.py",
        "seeds": {name: seed.hex() for name, seed in seeds.items()},
        "origin": log.origin, "window_ms": log.window, "config": log.config.hex(),
        "labels": {"bob": bob.hex(), "carol": carol.hex(), "dave": dave.hex()},
        "key_sets": [{"label": label.hex(), "version": version, "value": value.hex()} for label, version, value in
                     ((bob, 0, bob0), (bob, 1, bob1), (bob, 2, bob2), (carol, 0, carol0), (carol, 1, carol1))],
        "epochs": epochs,
        "ladders": {str(t): ladder(t) for t in (0, 1, 6, 63, 64, 65, 1000, 2**31, 2**32 - 2)},
        "search_request": (u64(3) + u64(1) + u8(2) + v8(carol) + opt(None)).hex(),
        "search_request_known": (u64(3) + u64(1) + u8(3) + v8(carol) + opt(u32(7))).hex(),
        "owner_request": (u8(1) + u64(1) + u64(0) + v8(bob) + u32(2)).hex(),
        "owner_response": log.owner_response(1, 0, bob).hex(),
        "owner_response_none": log.owner_response(size, 0, dave).hex(),
        "contact_request": (u8(2) + u64(3) + u8(2) + v8(bob) + u32(1) + log.versions[bob, 1]["opening"] +
                            v8(carol) + u32(0) + log.versions[carol, 0]["opening"]).hex(),
        "contact_response": contacts.hex(),
        "update_request": (u64(2) + v8(bob) + u32(1) + v32(bob1)).hex(),
        "update_response": update1.hex(),
        "update_response_first": log.update_response(1, bob, 0).hex(),
        "search_pending": search_pending.hex(),
        "search_absent": log.search_response(1, dave).hex(),
        "kt_proof": log.member_proof(bob, last).hex(),
        "kt_heads": (u16(len(heads)) + b"".join(heads)).hex(),
        "dist_note": (v16(log.notes[last]) + hashes8(consistency(last + 1, log.leaves))).hex(),
        "comparison": qr.hex(), "comparison_code": code,
    }


def check_profile(path):
    """The other implementation's log, where it is at hand: that this one means the same."""
    with open(path, encoding="utf-8") as file:
        want = json.load(file)
    log = Log("hs.example.org/kt/1", want["rmw_ms"], bytes.fromhex(want["log_seed"]), bytes.fromhex(want["vrf_seed"]))
    assert log.config.hex() == want["config"]
    openings = {(o["user"], o["version"]): o for o in want["openings"]}
    for epoch in want["epochs"]:
        rows = [openings[i["user"], i["version"]] for i in epoch["inserted"]]
        log.close(epoch["timestamp"], [tuple(bytes.fromhex(o[k]) for k in ("label", "value", "opening"))
                                       for o in rows])
        assert log.leaves[-1].hex() == epoch["log_entry"]
        assert log_root(log.leaves).hex() == epoch["log_root"]
        assert epoch["checkpoint"].startswith(log.notes[-1].decode())
    for search in want["searches"]:
        assert log.search_response(search["last_size"], bytes.fromhex(search["label"])).hex() == \
            search["search_response"], search["user"]
    print(f"{path}: {len(want['epochs'])} epochs, {len(want['searches'])} searches are the same")


def main():
    text = json.dumps(story(), indent=1) + "\n"
    if sys.argv[1:] != ["--check"]:
        with open(FILE, "w", encoding="utf-8") as file:
            file.write(text)
        return 0
    profile = os.path.join(os.environ.get("HEARTH_VECTORS", os.path.join(HERE, "../../../../shared/vectors")),
                           "ktl_profile.json")
    if os.path.exists(profile):
        check_profile(profile)
    with open(FILE, encoding="utf-8") as file:
        same = file.read() == text
    print("messages.json is " + ("what messages.py makes" if same else "NOT what messages.py makes"))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
