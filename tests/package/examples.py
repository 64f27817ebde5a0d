"""docs/examples/c, built on the installed library and used by people: a homeserver, two accounts made with the CLI, and
a third who asks the bot."""
import glob
import os
import select
import subprocess
import sys
import time

from place import C, ROOT, Failed, run

sys.path.insert(0, os.path.join(ROOT, "tests/client"))
from stage import Homeserver, Person, connect  # noqa: E402

FOLDER = os.path.join(ROOT, "docs/examples/c")
LINES = 80  # an example is read in one go


def build(prefix, scratch):
    """name -> program. on_libuv only where libuv is."""
    programs, skipped = {}, []
    for source in sorted(glob.glob(os.path.join(FOLDER, "*.c"))):
        name = os.path.basename(source)[:-2]
        if len(open(source).readlines()) >= LINES:
            raise Failed(f"{source} has {LINES} lines or more")
        more = {"on_libevent": ["libevent"], "on_libuv": ["libevent", "libuv"]}.get(name, [])
        if more and subprocess.run(["pkg-config", "--exists", *more]).returncode != 0:
            skipped.append(f"{name}: no {' and '.join(more)} here (Debian: libevent-dev, libuv1-dev)")
            continue
        programs[name] = os.path.join(scratch, name)
        run(prefix.cc, *C, "-Wno-pedantic" if name == "on_libuv" else "-Wpedantic", "-D_POSIX_C_SOURCE=200809L", source,
            "-o", programs[name], *prefix.pkg_config("--cflags", "--libs"),
            *(run("pkg-config", "--cflags", "--libs", *more).split() if more else []))
    return programs, skipped


class Example:
    """One that is running: with a line for what it says, a line for what it hears."""

    def __init__(self, stage, name, *words, typing=False):
        self.name, self.text = name, ""
        self.process = subprocess.Popen([stage.programs[name], *words], env=stage.env, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, stdin=subprocess.PIPE if typing else subprocess.DEVNULL)

    def says(self, line, seconds=40):
        until = time.time() + seconds
        while line not in self.text.splitlines():
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, until - time.time()))
            piece = os.read(self.process.stdout.fileno(), 65536).decode() if ready else ""
            if not piece:
                self.process.kill()
                raise Failed(f"{self.name}: waited for '{line}', heard:\n{self.text}")
            self.text += piece

    def types(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def ends(self, code=0, seconds=40):
        try:
            rest, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed(f"{self.name} does not end; it said:\n{self.text}{self.process.communicate()[0].decode()}")
        self.text += rest.decode()
        if self.process.returncode != code:
            raise Failed(f"{self.name}: exit {self.process.returncode}, not {code}\n{self.text}")


class Stage:
    def __init__(self, prefix, programs, server):
        self.programs = programs
        self.env = {**os.environ, **prefix.env, "HEARTH_CA": server.ca, "HEARTH_HOMESERVERS": server.where}
        bin_folder = os.path.join(prefix.folder, "bin")
        self.alice, self.bob, self.carol = (Person(bin_folder, server, name) for name in ("alice", "bob", "carol"))
        for person in (self.alice, self.bob, self.carol):
            person.create(person.name)
        connect(self.alice, self.bob)

    def all_taken(self):
        """What waits for the CLI's people is theirs, so that an example sees only what comes now."""
        for person in (self.alice, self.bob):
            person.run("sync")
            person.run("listen", "--timeout", "1", code=None)


def send_listen(stage):
    listening = Example(stage, "listen", stage.bob.folder, "1")
    sending = Example(stage, "send", stage.alice.folder, "bob@a.test", "over the fence")
    sending.says("sent")
    sending.ends()
    listening.says("alice@a.test: over the fence")
    listening.ends()
    nobody = Example(stage, "send", stage.alice.folder, "nobody@a.test", "hello?")
    nobody.says("no chat nobody@a.test")
    nobody.ends(4)


def echo_bot(stage):
    bot = Example(stage, "echo_bot", stage.bob.folder, "2")
    stage.alice.run("send", "bob@a.test", "ping", says="sent")
    stage.alice.run("listen", "--count", "1", says="bob@a.test.* you said: ping")
    stage.carol.run("contact", "add", "bob@a.test", says="asked")
    stage.carol.run("wait", "accepted", says="bob@a.test is a contact now")
    stage.carol.run("send", "bob@a.test", "and me", says="sent")
    stage.carol.run("listen", "--count", "1", says="bob@a.test.* you said: and me")
    bot.ends()


def on_libevent(stage):
    chat = Example(stage, "on_libevent", stage.alice.folder, "bob@a.test", typing=True)
    chat.types("typed in a loop")
    stage.bob.run("listen", "--count", "1", says="alice@a.test.* typed in a loop")
    stage.bob.run("send", "alice@a.test", "and back", says="sent")
    chat.says("bob@a.test: and back")
    chat.ends()  # communicate() closes its input


def on_libuv(stage):
    timed = Example(stage, "on_libuv", stage.alice.folder, "bob@a.test", "from a timer")
    timed.says("sent")
    timed.ends()
    stage.bob.run("listen", "--count", "1", says="alice@a.test.* from a timer")


def check(prefix, scratch):
    programs, skipped = build(prefix, scratch)
    parts = [send_listen, echo_bot, on_libevent, on_libuv]
    untested = set(programs) - {"send", "listen"} - {part.__name__ for part in parts}
    if untested:
        raise Failed(f"examples that nothing runs: {' '.join(sorted(untested))}")
    with Homeserver(os.path.join(prefix.folder, "bin")) as server:
        stage = Stage(prefix, programs, server)
        for part in parts:
            if part is send_listen or part.__name__ in programs:
                stage.all_taken()
                part(stage)
                print(f"ok    example {part.__name__}", flush=True)
    return f"{len(programs)} examples built and run", skipped
