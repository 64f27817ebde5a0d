#!/usr/bin/python3
"""What the log costs through the real hearthd: registering until the receipt is there, and look-ups, with their bytes.

usage: kt_hearthd_bench.py BIN_FOLDER [USERS]
"""
import os
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../crash"))
import kt_hearthd as kt  # noqa: E402


def quantiles(times):
    times = sorted(times)
    return " ".join(f"{name} {times[min(len(times) - 1, int(len(times) * q))] * 1000:.1f} ms"
                    for name, q in (("p50", 0.5), ("p99", 0.99)))


def look_up(on, label):
    request = struct.pack(">QQB", 1, 0, 0) + bytes([len(label)]) + label + b"\0"
    began = time.perf_counter()
    answer = kt.fields(kt.call(on, "/hearth.v1.Transparency/Lookup", kt.field(1, request)))[1]
    return time.perf_counter() - began, len(answer)


def main():
    users = int(sys.argv[2]) if len(sys.argv) > 2 else 500
    server = kt.Homeserver(kt.BIN)
    conf = os.path.join(server.folder, "hearthd.conf")
    most = ("register_prefix", "register_all", "anonymous_prefix", "price_low", "epoch_ms")
    lines = [line for line in open(conf).read().splitlines() if not line.lower().startswith(most)]
    lines += ["[transparency]", "epoch_ms = 200", "[limits]", *(f"{name} = 6000" for name in most[:3]), "price_low = 0"]
    with open(conf, "w") as out:
        out.write("\n".join(lines) + "\n")
    with server:
        codes = [kt.auth.invitation(line)[1] for _ in range(-(-users // 250))
                 for line in server.run("admin", "invite", "--count", "250").split()][:users]
        seen, people, lock = kt.Seen(), [], kt.threading.Lock()
        registering, receipts = [], []

        def register():
            with kt.channel(server) as on:
                while True:
                    with lock:
                        if not codes:
                            return
                        person = kt.Person(server, codes.pop())
                    began = time.perf_counter()
                    person.ask(on, seen)
                    with lock:
                        people.append(person)
                        registering.append(time.perf_counter() - began)
                        receipts.append(len(person.receipt[1]) + len(person.receipt[2]))
        began = time.perf_counter()
        threads = [kt.threading.Thread(target=register) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - began
        print(f"registering: {len(people)} users, 8 at a time, {len(people) / took:.0f}/s, {quantiles(registering)}, "
              f"receipt {max(receipts)} bytes, {seen.largest} sizes")
        with kt.channel(server) as on:
            found = [look_up(on, person.label) for person in people[:300]]
            absent = [look_up(on, b"\x01" + os.urandom(40)) for _ in range(50)]
        print(f"look-up:     {quantiles([t for t, _ in found])}, {max(n for _, n in found)} bytes")
        print(f"nobody's:    {quantiles([t for t, _ in absent])}, {max(n for _, n in absent)} bytes")


main()
