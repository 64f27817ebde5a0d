#!/usr/bin/python3
"""The log at many pairs through the real hearthd: bytes of first look-ups and what a client spends on them, how long an
answer takes, what an owner fetches in a day, and how long thousands of new versions take to be in a signed epoch.

usage: log_bench.py BIN_FOLDER [PAIRS]     default 1000000
"""
import os
import random
import sqlite3
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../crash"))
import kt_hearthd as kt  # noqa: E402

LABELS, GREATEST, ROUNDS, LEAVES = 100, (0, 1, 5, 20), 5, 10000


def quantiles(times):
    times = sorted(times)
    return " ".join(f"{name} {times[min(len(times) - 1, int(len(times) * q))] * 1000:.2f} ms"
                    for name, q in (("p50", 0.5), ("p99", 0.99)))


def number(tag, value):
    return kt.varint(tag << 3) + kt.varint(value)


def label_of(t, i):
    return f"\x02bench-v-{t}-{i}".encode()


def ask(on, method, body):
    return kt.fields(kt.call(on, "/hearth.v1.Transparency/" + method, body)).get(1, b"")


def tile(on, index):
    """The entry under this index."""
    return ask(on, "GetTile", number(2, index // 256) + number(3, index % 256 + 1) + number(4, 1))


def newest(on):
    return int(ask(on, "GetCheckpoint", b"").split(b"\n")[1])


def look_up(on, label):
    request = struct.pack(">QQB", 1, 0, 0) + bytes([len(label)]) + label + b"\0"
    began = time.perf_counter()
    answer = ask(on, "Lookup", kt.field(1, request))
    return time.perf_counter() - began, answer


def entries(data):
    while data:
        size = int.from_bytes(data[:2], "big")
        yield data[2:2 + size]
        data = data[2 + size:]


def cpu_s(pid):
    return sum(map(int, open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")


def publish(server, on, bench):
    """From the first of the epochs that take them in until a client is shown the checkpoint of the last."""
    before = newest(on)
    subprocess.run([bench, "queue", server.folder, server.domain, str(LEAVES)], check=True)
    database = sqlite3.connect(os.path.join(server.folder, "db", "kt.db"), isolation_level=None, timeout=60)
    waiting = os.path.join(server.folder, "queue.db")
    database.execute("ATTACH ? AS ready", (waiting,))
    database.execute("BEGIN IMMEDIATE")
    database.execute("INSERT INTO main.proof SELECT * FROM ready.proof")
    database.execute("INSERT INTO main.queue SELECT * FROM ready.queue")
    cpu = cpu_s(server.process.pid)
    database.execute("COMMIT")
    database.execute("DETACH ready")
    os.remove(waiting)
    while True:
        waits, last = database.execute("SELECT (SELECT count(*) FROM queue), (SELECT max(number) FROM epoch)").fetchone()
        if waits == 0 and newest(on) > last:
            break
        time.sleep(0.01)
    seen, cpu = time.time(), cpu_s(server.process.pid) - cpu
    database.close()
    stamps = [int.from_bytes(entry[:8], "big") for entry in list(entries(tile(on, last)))[before % 256:]]
    return seen - stamps[0] / 1000, cpu, len(stamps)


def main():
    pairs = sys.argv[2] if len(sys.argv) > 2 else "1000000"
    bench = os.path.join(kt.BIN, "log_bench")
    server = kt.Homeserver(kt.BIN)
    conf = os.path.join(server.folder, "hearthd.conf")
    lines = [line for line in open(conf).read().splitlines() if not line.lower().startswith(("anonymous_prefix", "price_low"))]
    lines += ["[limits]", "anonymous_prefix = 60000", "price_low = 0"]
    with open(conf, "w") as out:
        out.write("\n".join(lines) + "\n")
    began = time.time()
    subprocess.run([bench, "fill", server.folder, server.domain, pairs], check=True)
    print(f"{pairs} pairs, made in {time.time() - began:.0f} s, {os.path.getsize(os.path.join(server.folder, 'db', 'kt.db')) >> 20} MiB")
    with server, kt.channel(server) as on:
        labels = [label_of(t, i) for t in GREATEST for i in range(LABELS)]
        times, answers = [], {}
        for _ in range(ROUNDS):
            random.shuffle(labels)
            for label in labels:
                took, answers[label] = look_up(on, label)
                times.append(took)
        print(f"look-ups, {len(times)}: {quantiles(times)} as Python sees them over TLS, at most {max(map(len, answers.values()))} bytes")
        config, file = os.path.join(server.scratch.name, "config"), os.path.join(server.scratch.name, "answers")
        with open(config, "wb") as out:
            out.write(next(entries(tile(on, 0))))
        with open(file, "wb") as out:
            for label, answer in answers.items():
                out.write(bytes([len(label)]) + label + struct.pack(">I", len(answer)) + answer)
        subprocess.run([bench, "verify", config, file], check=True)
        for t in GREATEST:
            size = newest(on)
            label = label_of(t, 0)
            request = b"\1" + struct.pack(">QQ", size, 1) + bytes([len(label)]) + label + struct.pack(">I", t)
            answer = ask(on, "Monitor", kt.field(1, request))
            print(f"owner of version {t}: a day of windows at once {len(answer)} bytes")
        for _ in range(3):
            took, cpu, epochs = publish(server, on, bench)
            print(f"{LEAVES} new versions, their VRF proofs made as they came: {took:.2f} s, {cpu:.2f} s of CPU, {epochs} epochs")


main()
