#!/usr/bin/env python3
"""A name server for tests, on UDP port 53 of an address: what it knows stands in a file, which it reads for each question.

usage: names.py ADDRESS FILE

A row of the file: NAME A ADDRESS | NAME SRV PRIORITY WEIGHT PORT TARGET | fails (SERVFAIL to everybody) | silent (no answer).
Names that are not there are NXDOMAIN. Prints "ready", then each question: NAME TYPE.
"""
import socket
import struct
import sys

A, SRV = 1, 33
TYPES = {A: "A", 28: "AAAA", SRV: "SRV"}
NO_ERROR, SERVFAIL, NXDOMAIN = 0, 2, 3


def labels(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


def read_question(packet):
    """(name, type, the question as bytes)"""
    parts, at = [], 12
    while packet[at]:
        parts.append(packet[at + 1:at + 1 + packet[at]].decode().lower())
        at += 1 + packet[at]
    return ".".join(parts), struct.unpack("!H", packet[at + 1:at + 3])[0], packet[12:at + 5]


def records(rows, name, kind):
    out = []
    for row in rows:
        if row[0].lower() != name or TYPES.get(kind) != row[1]:
            continue
        data = socket.inet_aton(row[2]) if kind == A else struct.pack("!HHH", *map(int, row[2:5])) + labels(row[5])
        out.append(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) + data)
    return out


def answer(packet, rows):
    name, kind, question = read_question(packet)
    print(name, TYPES.get(kind, kind), flush=True)
    if ["silent"] in rows:
        return None
    found = records(rows, name, kind)
    known = any(row[0].lower() == name for row in rows)
    code = SERVFAIL if ["fails"] in rows else NO_ERROR if known else NXDOMAIN
    found = found if code == NO_ERROR else []
    return packet[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(found), 0, 0) + question + b"".join(found)


def main():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((sys.argv[1], 53))
        print("ready", flush=True)
        while True:
            packet, sender = s.recvfrom(4096)
            with open(sys.argv[2]) as zone:
                rows = [line.split() for line in zone if line.strip()]
            try:
                reply = answer(packet, rows)
            except (IndexError, struct.error, UnicodeDecodeError):
                continue
            if reply:
                s.sendto(reply, sender)


main()
