"""People of several homeservers who write all the time, each a process (client_worker) that listens; and the oracle: what
each of them heard, from whom, in which order, how late."""
import json
import os
import queue
import subprocess
import threading
import time

from stage import Failed


class Person:
    def __init__(self, bin_folder, server, name, where, inside):
        self.server, self.name, self.handle = server, name, f"{name}@{server.domain}"
        self.folder = os.path.join(server.scratch.name, name)
        os.makedirs(self.folder)
        self.command = [*inside, os.path.join(bin_folder, "client_worker"), self.folder, where, server.ca]
        self.number, self.ended, self.states, self.faults = 0, {}, queue.Queue(), []
        self.heard = {}  # text: when first
        self.ready = threading.Event()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                        stderr=open(os.path.join(self.folder, "stderr"), "a"))
        threading.Thread(target=self.read, args=(self.process,), daemon=True).start()
        if not self.ready.wait(120):
            raise Failed(f"{name} did not start")

    def read(self, process):
        for row in process.stdout:
            now = time.monotonic()
            words = row.rstrip("\n").split(" ", 2)
            if words[0] == "ready":
                self.ready.set()
            elif words[0] == "heard":
                self.heard.setdefault(row.rstrip("\n")[6:], now)
            elif words[0] == "ended":
                self.ended[int(words[1])] = words[2]
            elif words[0] == "state":
                self.states.put(json.loads(words[2]))
            elif words[0] in ("fault", "resync"):
                self.faults.append(row.strip())

    def say(self, *words):
        self.number += 1
        self.process.stdin.write(f"{self.number} {' '.join(words)}\n")
        return self.number

    def do(self, *words, seconds=60, again=None):
        """Until it is done; again: the name of an error after which it is tried again."""
        number, until = self.say(*words), time.monotonic() + seconds
        while number not in self.ended or (again and again in self.ended[number]):
            if time.monotonic() > until or self.process.poll() is not None:
                raise Failed(f"{self.name}: {' '.join(words)} did not end")
            time.sleep(0.005)
            if number in self.ended and again and again in self.ended[number]:
                time.sleep(0.1)
                number = self.say(*words)
        if not self.ended[number].startswith("0 "):
            raise Failed(f"{self.name}: {' '.join(words)}: {self.ended[number]}")

    def state(self):
        self.say("state")
        return self.states.get(timeout=60)

    def chat(self, name):
        return next((c for c in self.state()["chats"] if c["name"] == name), None)

    def end(self):
        try:
            self.say("quit")
            self.process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Group:
    """What each member wrote, and when."""

    def __init__(self, name, members):
        self.name, self.members = name, members
        self.written = {p: [] for p in members}  # (text, when)

    def write(self, person):
        text = f"{self.name}/{person.name}/{len(self.written[person])}"
        self.written[person].append((text, time.monotonic()))
        person.say("send", self.name, text)

    def differing(self):
        """None: everybody has what everybody wrote, each line once, in the order of its writer."""
        for reader in self.members:
            chat = reader.chat(self.name)
            texts = [m[0] for m in chat["messages"]] if chat else []
            for writer, lines in self.written.items():
                mine = [t for t in texts if t.startswith(f"{self.name}/{writer.name}/")]
                if mine != [t for t, _ in lines]:
                    missing = [t for t, _ in lines if t not in mine]
                    if not missing:
                        raise Failed(f"{reader.name} has twice or out of order: {mine}")
                    return f"{reader.name} lacks {len(missing)} of {len(lines)}: {missing[:3]}"
        return None

    def delays(self, writers, readers, since):
        """Milliseconds from writing to hearing, of what was written since then; None for what did not come."""
        out = []
        for writer in writers:
            for text, when in self.written.get(writer, []):
                if when >= since:
                    out += [1000 * (r.heard[text] - when) if text in r.heard else None
                            for r in readers if r in self.members and r is not writer]
        return out


def p99(delays):
    known = sorted(d for d in delays if d is not None)
    return known[min(len(known) - 1, int(len(known) * 0.99))] if known else 0.0


def befriend_and_gather(groups):
    """The first of each group asks the others and founds it."""
    asked = set()
    for group in groups:
        founder = group.members[0]
        for other in group.members[1:]:
            if frozenset((founder, other)) not in asked:
                asked.add(frozenset((founder, other)))
                founder.do("ask", other.handle)
    until = time.monotonic() + 60
    for group in groups:
        founder, others = group.members[0], {p.handle for p in group.members[1:]}
        while not all(founder.state()["contacts"].get(h) == 3 for h in others):
            if time.monotonic() > until:
                raise Failed(f"contacts of {founder.name}: {founder.state()['contacts']}")
            time.sleep(0.05)
    for group in groups:
        founder = group.members[0]
        founder.do("create", group.name)
        for other in group.members[1:]:
            founder.do("add", group.name, other.handle, again="CLIENT_NO_PACKAGE")  # his keys follow his yes
    for group in groups:
        for person in group.members:
            while True:
                chat = person.chat(group.name)
                if chat and chat["state"] == 2 and len(chat["members"]) == len(group.members) and not chat["unverified"]:
                    break
                if time.monotonic() > until:
                    raise Failed(f"{person.name} did not get into {group.name}: {chat}")
                time.sleep(0.05)
