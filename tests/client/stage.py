"""Homeservers and people with the real programs, on this machine's loopback, each in a folder of its own."""
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import tempfile
import time


class Failed(AssertionError):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Homeserver:
    """with Homeserver(bin) as h: h.where, h.ca, h.invite(); end() and start() as often as wanted, at one port.

    beside: another one, in whose folder this one is made (one development CA for both); federate() comes next.
    listen: an address; inside: words before the program's name, as ["ip", "netns", "exec", NAME]; name: of its folder."""

    def __init__(self, bin_folder, domain="a.test", conf="", beside=None, listen=None, inside=(), name=None):
        self.hearthd = os.path.join(bin_folder, "hearthd")
        self.beside = beside
        self.scratch = beside.scratch if beside else tempfile.TemporaryDirectory(prefix="hearth-client-")
        self.name = name or domain
        self.folder = os.path.join(self.scratch.name, self.name)
        self.ca = os.path.join(self.scratch.name, "hearth-dev-ca.pem")
        self.domain, self.listen, self.inside, self.process = domain, listen or f"127.0.0.1:{free_port()}", inside, None
        self.where = f"{domain}={self.listen}"
        self.run("--dev", "--domain", domain, "--listen", self.listen, "init")
        self.configure(conf)

    def configure(self, text):
        with open(os.path.join(self.folder, "hearthd.conf"), "a") as out:
            out.write(text)

    def run(self, *words, code=0):
        done = subprocess.run([*self.inside, self.hearthd, "--dir", self.folder, *words], capture_output=True, text=True,
                              timeout=60)
        if code is not None and done.returncode != code:
            raise Failed(f"hearthd {' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def invite(self):
        return self.run("admin", "invite").split()[0]

    def start(self):
        self.log = open(os.path.join(self.scratch.name, f"log-{self.name}"), "a")
        self.process = subprocess.Popen([*self.inside, self.hearthd, "--dir", self.folder, "run"], stdout=subprocess.PIPE,
                                        stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("serving "):
            raise Failed(f"hearthd did not start: {line}{open(self.log.name).read()[-2000:]}")

    def end(self, how=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(120)
            self.process.stdout.close()
            self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.end()
        if not self.beside:
            self.scratch.cleanup()


def federate(*servers):
    """Each exchanges messages with each, and clients are told where all of them are. Before they start."""
    places = {s: s.where for s in servers}
    for server in servers:
        server.configure("\n[federation]\nmode = allow\n" +
                         "".join(f"peer = {place}\n" for s, place in places.items() if s is not server))
        server.where = ",".join(places.values())


class Person:
    """A profile of `hearth`. run(...) asserts the exit code and returns what was printed."""

    def __init__(self, bin_folder, server, name):
        self.hearth = os.path.join(bin_folder, "hearth")
        self.server, self.name = server, name
        self.home = os.path.join(server.scratch.name, "home")
        self.folder = os.path.join(self.home, name)
        self.handle = f"{name}@{server.domain}"

    def words(self, *words, patience_s=60):
        return [self.hearth, "--home", self.home, "-p", self.name, "--timeout", str(patience_s), *words]

    def run(self, *words, code=0, says=None, typed=None):
        """On a pseudo-terminal, as a person does it: typed is what he types, line by line."""
        master, slave = pty.openpty()
        patience_s = 30 if code is None else 90  # where any end will do, some wait for what came long ago
        process = subprocess.Popen(self.words(*words, patience_s=patience_s), stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        os.close(slave)
        text, until, lines = "", time.time() + 180, list(typed or [])
        while time.time() < until:
            ready, _, _ = select.select([master], [], [], 0.1)
            if ready:
                try:
                    piece = os.read(master, 65536).decode("utf-8", "replace")
                except OSError:
                    piece = ""
                if not piece:
                    break
                text += piece
            elif process.poll() is not None:
                break
            elif lines:
                os.write(master, lines.pop(0).encode())
        try:
            ended = process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            ended = process.wait()
        os.close(master)
        text = text.replace("\r\n", "\n")
        if code is not None and ended != code:
            raise Failed(f"{self.name}: hearth {' '.join(words)}: exit {ended}, not {code}\n{text}")
        for wanted in [says] if isinstance(says, str) else says or []:
            if not re.search(wanted, text):
                raise Failed(f"{self.name}: hearth {' '.join(words)}: no /{wanted}/ in\n{text}")
        return text

    def json(self, *words, code=0):
        """Through pipes, as a script does it: the objects that were printed."""
        done = subprocess.run(self.words("--json", "--no-input", *words), capture_output=True, text=True, timeout=180)
        if code is not None and done.returncode != code:
            raise Failed(f"{self.name}: hearth --json {' '.join(words)}: exit {done.returncode}, not {code}\n"
                         f"{done.stdout}{done.stderr}")
        return [json.loads(line) for line in (done.stdout or done.stderr).splitlines() if line.startswith("{")]

    def start(self, *words):
        return subprocess.Popen(self.words(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def create(self, handle=None, device="laptop"):
        return self.run("account", "create", "--invite", self.server.invite(), *(["--handle", handle] if handle else []),
                        "--device", device, "--homeserver", self.server.where, "--ca", self.server.ca,
                        says=[rf"account +on {self.server.domain}",
                              *([rf"handle +{handle}@{self.server.domain}"] if handle else [])])


def connect(asker, asked):
    asker.run("contact", "add", asked.handle, says="asked")
    asked.run("wait", "contact", says=f"{asker.handle} wants to connect")
    asked.run("contact", "accept", asker.handle, says="accepted")
    asker.run("wait", "accepted", says=f"{asked.handle} is a contact now")
