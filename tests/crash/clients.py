#!/usr/bin/env python3
"""Clients and their homeserver killed at random while they work: in the end all members of each group agree, and no
message is lost or shown twice.

usage: clients.py BIN_FOLDER [--clients 20] [--groups 5] [--seconds 60] [--seed N] [--servers 1] [--stops N]

Each client is a process (client_worker) that is killed with SIGKILL and started again on the same file; the homeserver
likewise, or each of several, over which clients and groups are spread then. The oracle: a message whose sending was acknowledged, or only begun (begun is durable), is in the history of
the sender and of everyone who is in the group from its first message to the end, exactly once. After the last kill
everything has to come to rest: no operation under way, the same epoch and members at all, nobody unverified. Nobody lies
here, so that no device may be called unverified at any time; what is only late must be waited for.

--stops N: now and then a homeserver is stopped (SIGSTOP) for N to N + 20 seconds, longer than clients are patient, while
the others, and all clients, go on.
"""
import argparse
import contextlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "client"))
from stage import Failed, Homeserver, federate  # noqa: E402

arguments = argparse.ArgumentParser()
arguments.add_argument("bin")
arguments.add_argument("--clients", type=int, default=20)
arguments.add_argument("--groups", type=int, default=5)
arguments.add_argument("--seconds", type=float, default=60)
arguments.add_argument("--seed", type=int, default=None)
arguments.add_argument("--servers", type=int, default=1)
arguments.add_argument("--tokens", action="store_true", help="calls cost tokens")
arguments.add_argument("--stops", type=float, default=0, help="homeservers are stopped for so many seconds, and 20 more")
arguments.add_argument("--least-kills", type=int, default=10, help="during unacknowledged work")
options = arguments.parse_args()
BIN = os.path.abspath(options.bin)
seed = options.seed if options.seed is not None else random.randrange(1 << 32)
choose = random.Random(seed)
HANGS_S = 240  # without any news: a founder's twenty questions are some seconds of computing, and a busy machine takes minutes
begun_at = time.time()
history = []  # (seconds, what): of the driver, for who has to explain a fault


def note(what):
    history.append((time.time() - begun_at, what))


def what_was(at, group):
    """What the driver did in the two minutes before: to that group, and to homeservers; of all else the last."""
    rows = [(t, what) for t, what in history if at - 120 <= t <= at + 1]
    tell = [(t, what) for i, (t, what) in enumerate(rows)
            if i >= len(rows) - 8 or ".test " in what.split(":")[0] or (group and f" {group} " in f"{what} ")]
    return "".join(f"\n    {t:7.1f} s  {what}" for t, what in tell[-40:])


class Worker:
    def __init__(self, server, name):
        self.server, self.name, self.handle = server, name, f"{name}@{server.domain}"
        self.folder = os.path.join(server.scratch.name, name)
        os.makedirs(self.folder)
        self.number, self.begun, self.ended, self.states, self.faults = 0, {}, {}, queue.Queue(), []
        self.lost_with_kill, self.resyncs, self.process, self.last = set(), 0, None, {}
        self.lock, self.news_at = threading.Lock(), 0
        self.start()

    def start(self):
        self.process = subprocess.Popen([os.path.join(BIN, "client_worker"), self.folder, self.server.where, self.server.ca],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=open(os.path.join(self.folder, "stderr"), "a"), text=True, bufsize=1)
        self.ready = threading.Event()
        threading.Thread(target=self.read, args=(self.process,), daemon=True).start()
        if not self.ready.wait(120):
            raise Failed(f"{self.name} did not start (seed {seed}): {open(os.path.join(self.folder, 'stderr')).read()[-2000:]}")

    def read(self, process):
        for row in process.stdout:
            words = row.rstrip("\n").split(" ", 2)
            with self.lock:
                if words[0] == "ready":
                    self.ready.set()
                elif words[0] == "begun":
                    self.begun[int(words[1])] = True
                elif words[0] == "ended":
                    self.ended[int(words[1])] = words[2]
                    self.news_at = time.time()
                    self.last["ended"] = f"{words[1]} {words[2]}"
                elif words[0] == "state":
                    self.states.put(json.loads(words[2]))
                elif words[0] == "resync":
                    self.resyncs += 1
                elif words[0] == "fault":
                    self.faults.append((time.time() - begun_at, row.strip(), dict(self.last)))

    def fault_rows(self):
        return [f"{self.name} at {at:.1f} s: {text}\n    its last step: {last}"
                f"{what_was(at, text.split('(')[-1].split(',')[0])}" for at, text, last in self.faults]

    def say(self, *words):
        self.number += 1
        if words[0] != "state":
            self.last["asked"] = f"{self.number} {' '.join(words)}"
        if words[0] in ("add", "remove", "update"):
            note(f"{self.name}: {' '.join(words)}")
        try:
            self.process.stdin.write(f"{self.number} {' '.join(words)}\n")
            self.process.stdin.flush()
        except (BrokenPipeError, OSError):
            pass
        return self.number

    def under_way(self):
        with self.lock:
            return [n for n in self.begun if n not in self.ended and n not in self.lost_with_kill]

    def wait(self, number):
        """Fails when for HANGS_S nothing of this client ends: slow is no fault."""
        began = time.time()
        while time.time() < max(began, self.news_at) + HANGS_S:
            with self.lock:
                if number in self.ended:
                    return self.ended[number]
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended by itself with {self.process.returncode} (seed {seed}): "
                             f"{open(os.path.join(self.folder, 'stderr')).read()[-3000:]}")
            time.sleep(0.01)
        raise Failed(f"{self.name}: operation {number} did not end (seed {seed})")

    def state(self):
        self.say("state")
        return self.states.get(timeout=HANGS_S)

    def kill(self):
        """True when something was under way that had not been acknowledged."""
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended by itself with {self.process.returncode} (seed {seed}): "
                         f"{open(os.path.join(self.folder, 'stderr')).read()[-3000:]}")
        working = self.under_way()
        note(f"{self.name} is killed, {len(working)} operations under way")
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        time.sleep(0.02)
        with self.lock:
            self.lost_with_kill.update(working)
        self.start()
        return bool(working)


def set_up(servers):
    people = [Worker(servers[i % len(servers)], f"person{i}") for i in range(options.clients)]
    for p in people:
        result = p.wait(p.say("register", p.server.invite(), p.name))
        if not result.startswith("0 "):
            raise Failed(f"{p.name} could not register: {result}")
    core = {}  # group: those who are never removed
    for g in range(options.groups):
        founder = people[g % len(people)]
        members = choose.sample([p for p in people if p is not founder], min(5, len(people) - 1))
        core[f"g{g}"] = [founder, *members]
    for founder in {c[0] for c in core.values()}:
        others = [p for p in people if p is not founder]
        asked = [founder.say("ask", p.handle) for p in others]
        for number in asked:
            result = founder.wait(number)
            if not result.startswith("0 ") and "CONTACT" not in result:
                raise Failed(f"{founder.name} could not ask: {result}")
    for founder in {c[0] for c in core.values()}:
        until = time.time() + HANGS_S
        while time.time() < until:
            contacts = founder.state()["contacts"]
            if len(contacts) >= len(people) - 1 and all(s == 3 for s in contacts.values()):
                break
            time.sleep(0.2)
        else:
            raise Failed(f"{founder.name}'s contacts did not answer: {contacts}")
    for name, members in core.items():
        founder = members[0]
        for number in [founder.say("create", name)]:
            founder.wait(number)
        for p in members[1:]:
            result = founder.wait(founder.say("add", name, p.handle))
            if not result.startswith("0 "):
                raise Failed(f"{founder.name} could not add {p.name}: {result}")
    for name, members in core.items():
        for p in members:
            until = time.time() + HANGS_S
            while not any(c["name"] == name and c["state"] == 2 and len(c["members"]) == len(members) for c in p.state()["chats"]):
                if time.time() > until:
                    raise Failed(f"{p.name} did not get into {name}")
                time.sleep(0.1)
    return people, core


def act(people, core, sent, count):
    name = choose.choice(list(core))
    founder, who = core[name][0], choose.choice(core[name])
    kind = choose.random()
    if kind < 0.75:
        text = f"{name}-{count}"
        sent.append((name, who, who.say("send", name, text), text))
    elif kind < 0.83:
        who.say("update", name)
    else:  # somebody else comes or goes
        other = choose.choice([p for p in people if p not in core[name]] or [founder])
        if other is not founder:
            founder.say("add" if kind < 0.92 else "remove", name, other.handle)


class Stops:
    """One homeserver at a time stands still for longer than clients are patient. It is killed by nobody meanwhile."""

    def __init__(self, servers):
        self.servers, self.server, self.until, self.count, self.next = servers, None, 0, 0, time.time() + 5

    def turn(self):
        if self.server is not None and time.time() > self.until:
            self.go_on()
        if self.server is None and options.stops > 0 and time.time() > self.next:
            self.server, self.until = choose.choice(self.servers), time.time() + options.stops + choose.random() * 20
            note(f"{self.server.domain} is stopped")
            self.server.process.send_signal(signal.SIGSTOP)
            self.count += 1

    def go_on(self):
        if self.server is not None:
            note(f"{self.server.domain} goes on")
            self.server.process.send_signal(signal.SIGCONT)
            self.server, self.next = None, time.time() + 20


def play(servers, people, core):
    stops = Stops(servers)
    try:
        return play_with(stops, servers, people, core)
    finally:
        stops.go_on()
        if stops.count:
            print(f"{stops.count} stops of a homeserver, each of {options.stops:.0f} s and more", flush=True)


def play_with(stops, servers, people, core):
    sent, kills, working_kills, server_kills, count = [], 0, 0, 0, 0
    until = time.time() + options.seconds
    while time.time() < until:
        stops.turn()
        act(people, core, sent, count)
        count += 1
        chance = choose.random()
        if chance < 0.04:
            kills += 1
            time.sleep(choose.random() * 0.01)  # while it works: a step takes some milliseconds
            busy = [p for p in people if p.under_way()]
            working_kills += choose.choice(busy or people).kill()
        elif chance < 0.045 and (stops.server is None or len(servers) > 1):
            server_kills += 1
            working = any(p.under_way() for p in people)
            server = choose.choice([s for s in servers if s is not stops.server])
            note(f"{server.domain} is killed")
            server.end(signal.SIGKILL)
            working_kills += working
            server.start()
        time.sleep(choose.random() * 0.05)
    return sent, kills, working_kills, server_kills


def at_rest(people, core):
    """The states, once nothing is under way and all agree; what differs, else: when for 180 s nothing that was under way ends."""
    until, least = time.time() + 180, None
    while True:
        states = {p: p.state() for p in people}
        left = sum(s["tasks"] for s in states.values())
        if least is None or left < least:  # founders have many commits before them, one in ten seconds (COMMITS_LEAF)
            until, least = time.time() + 180, left
        busy = [p.name for p, s in states.items() if s["tasks"] > 0]
        differing = []
        for name, members in core.items():
            seen = {}
            for p in people:
                for c in states[p]["chats"]:
                    if c["name"] == name and c["state"] in (1, 2, 3):
                        seen[p.name] = (c["state"], c["epoch"], c["unverified"], len(c["members"]))
            if len(set(seen.values())) != 1 or any(v[0] != 2 or v[2] != 0 for v in seen.values()) or \
                    any(p.name not in seen for p in members):
                differing.append((name, seen))
        if not busy and not differing:
            return states
        if time.time() > until:
            raise Failed(f"did not come to rest (seed {seed}): busy {busy}, differing {differing}, "
                         f"faults {[f for p in people for f in p.fault_rows()][:10]}")
        time.sleep(0.5)


def judge(people, core, sent, states):
    histories = {(p, c["name"]): [m[0] for m in c["messages"]] for p in people for c in states[p]["chats"]}
    wanted = 0
    for p in people:
        for c in states[p]["chats"]:
            texts = [m[0] for m in c["messages"]]
            twice = {t for t in texts if texts.count(t) > 1} if len(set(texts)) != len(texts) else set()
            if twice:
                raise Failed(f"{p.name} has {sorted(twice)[:5]} more than once in {c['name']} (seed {seed})")
    for name, who, number, text in sent:
        acknowledged = who.ended.get(number, "").startswith("0 ")
        begun = number in who.begun and not who.ended.get(number, "0 ").split(" ")[0] != "0"
        if not acknowledged and not begun:
            continue
        wanted += 1
        for member in core[name]:
            if text not in histories[(member, name)]:
                raise Failed(f"{text} by {who.name} ({'acknowledged' if acknowledged else 'begun'}) is lost to {member.name} (seed {seed})")
    return wanted


def judge_at_last(people, core, sent, states):
    """At rest does not say that the queues are empty: what does not come in three minutes is lost."""
    until = time.time() + 180
    while True:
        try:
            return judge(people, core, sent, states)
        except Failed:
            if time.time() > until:
                raise
        time.sleep(0.5)
        states = at_rest(people, core)


def main():
    limits = "".join(f"TOKENS_{name} = 5000\n" for name in ("FIRST", "AUTH", "DELIVERY", "QUEUE", "TRANSPARENCY"))
    conf = f"\n[tokens]\nmode = on\n[limits]\n{limits}TOKEN_BATCHES = 10000\n" if options.tokens else ""
    servers = [Homeserver(BIN, conf=conf)]
    for i in range(1, options.servers):
        servers.append(Homeserver(BIN, f"{'abcdefgh'[i]}.test", conf=conf, beside=servers[0]))
    if len(servers) > 1:
        federate(*servers)
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
        people, core = set_up(servers)
        print(f"seed {seed}: {len(people)} clients of {len(servers)} homeservers, {len(core)} groups of 6 and visitors", flush=True)
        sent, kills, working, server_kills = play(servers, people, core)
        states = at_rest(people, core)
        wanted = judge_at_last(people, core, sent, states)
        faults = [f for p in people for f in p.fault_rows()]
        resyncs = sum(p.resyncs for p in people)
        for p in people:
            p.say("quit")
        for p in people:
            p.process.wait(120)
        print(f"{len(sent)} messages, {wanted} begun or acknowledged and all there once; {kills} kills of clients, "
              f"{server_kills} of the homeserver, {working} of them during unacknowledged work; {resyncs} resyncs")
        if faults:
            raise Failed("\n".join(faults[:10]))
        if working < options.least_kills:
            raise Failed(f"only {working} kills during unacknowledged work: proves too little")


try:
    main()
except Failed as e:
    print(f"FAIL  {e}")
    sys.exit(1)
