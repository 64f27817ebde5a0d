"""What a client signs, in Python: request authentication, a credential request, a first key set.

Wire forms are TLS presentation language (docs/protocol): big-endian numbers, opaque<V> with RFC 9420's varints.
"""
import hashlib
import os
import struct
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CLIENT, HANDLE, QUEUE_USER, QUEUE_CLIENT = 2, 3, 4, 5


def public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def vector(data):
    """opaque data<V>"""
    size = len(data)
    head = struct.pack(">B", size) if size < 64 else struct.pack(">H", 0x4000 | size) if size < 16384 else \
        struct.pack(">I", 0x80000000 | size)
    return head + data


def sign(key, label, content):
    """SignWithLabel (RFC 9420 5.1.2) with our prefix."""
    return key.sign(vector(b"Hearth 1 " + label) + vector(content))


def request_auth(key, kind, caller_id, audience, path, body):
    """The value of the metadata `hearth-auth-bin`."""
    head = struct.pack(">BB", 1, kind) + vector(caller_id) + vector(audience.encode()) + \
        struct.pack(">Q", time.time_ns() // 1000000) + os.urandom(16)
    return head + vector(sign(key, b"Request", head + vector(path.encode()) + hashlib.sha256(body).digest()))


def credential_request(key, client_id):
    tbs = struct.pack(">BH", 1, 1) + vector(client_id) + vector(public(key))
    return tbs + vector(sign(key, b"ClientCredentialRequest", tbs))


def first_key_set(key, user_id, client):
    """Version 0 of a user's client set: this client alone, which may authorise others."""
    label = b"\x01" + user_id
    now_ms = time.time_ns() // 1000000
    client_key = struct.pack(">B", len(client)) + client + struct.pack(">HH", 0x0807, 32) + public(key) + \
        struct.pack(">QB", now_ms, 1)
    tbs = struct.pack(">BB", 1, len(label)) + label + struct.pack(">IBQB", 0, 0, now_ms, 0) + \
        struct.pack(">H", 1) + client_key + struct.pack(">B", 0)
    signature = key.sign(b"KTL KeySet 1\0" + tbs)
    return tbs + struct.pack(">B", 1) + struct.pack(">B", len(client)) + client + struct.pack(">H", 64) + signature


def invitation(text):
    """"a.test/K7QM-..." -> domain, code[16], pin[16]"""
    domain, digits = text.split("/")
    value = 0
    digits = digits.replace("-", "").upper()
    for digit in digits:
        value = value << 5 | "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(digit)
    data = (value >> (len(digits) * 5 - 256)).to_bytes(32, "big")
    return domain, data[:16], data[16:]


def generate():
    return Ed25519PrivateKey.generate()
