"""What an operator may try with the keys that his homeserver hands out (hearthd_malicious), and where people's
clients notice: each attack of transparency.md 17 once, with the real programs. Usage: log_attacks.py BIN [NAME...]"""
import glob
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import stage  # noqa: E402
from stage import Failed, Person, connect  # noqa: E402

WINDOW_S = 4
BIN = os.path.abspath(sys.argv[1])
ATTACKS = []


def attack(test):
    ATTACKS.append(test)
    return test


class Operator(stage.Homeserver):
    """A homeserver whose operator changes his mind between two calls: does("swap-handle")."""

    def __init__(self, *words):
        super().__init__(BIN, conf=f"[server]\nconfine = no\n[transparency]\nwindow_s = {WINDOW_S}\nepoch_ms = 50\n"
                         "[privacy]\ncover = yes\ntick_ms = 50\nrecord_bytes = 512\n")
        self.hearthd = os.path.join(BIN, "hearthd_malicious")
        self.malice = os.path.join(self.scratch.name, "malice")
        os.environ["HEARTH_MALICE"] = self.malice
        self.does(*words)

    def does(self, *words):
        with open(self.malice + "-new", "w") as out:
            out.write(" ".join(words))
        os.replace(self.malice + "-new", self.malice)


def person(server, name, create=True):
    p = Person(BIN, server, name)
    if create:
        p.create(handle=name)
    return p


def quiet(p):
    """Everything is looked at, and nobody is alarmed."""
    p.run("kt", "monitor", code=0)


def alarmed(p, *words, says=None, within_s=60):
    """By then the command ends with 3, the exit code of what does not verify."""
    until = time.time() + within_s
    while True:
        done = subprocess.run(p.words(*(words or ("kt", "monitor"))), capture_output=True, text=True, timeout=90,
                              stdin=subprocess.DEVNULL)
        text = done.stdout + done.stderr
        if done.returncode == 3 and (says is None or says in text):
            return text
        if time.time() > until:
            raise Failed(f"{p.name} noticed nothing: exit {done.returncode}\n{text}")
        time.sleep(1)


def convicts(p):
    """The evidence that the client left holds in another process, and not when it is damaged."""
    files = glob.glob(os.path.join(p.folder, "evidence-*.ktl"))
    if not files:
        raise Failed(f"{p.name} has no evidence")
    for file in files:
        with tempfile.TemporaryDirectory() as elsewhere:
            audit = [p.hearth, "--home", elsewhere, "kt", "audit"]
            done = subprocess.run([*audit, file], capture_output=True, text=True, timeout=30)
            if done.returncode != 0 or "a.test/kt/1" not in done.stdout:
                raise Failed(f"evidence is not accepted: {done.stdout}{done.stderr}")
            data = bytearray(open(file, "rb").read())
            data[len(data) // 2] ^= 1
            damaged = os.path.join(elsewhere, "damaged")
            open(damaged, "wb").write(data)
            if subprocess.run([*audit, damaged], capture_output=True, timeout=30).returncode != 3:
                raise Failed("damaged evidence is accepted")
    return files


def compare(a, b):
    """The codes of both are the same, by digits and by what the QR codes hold; another pair's are not."""
    for _ in range(6):  # until both have looked at one window
        quiet(a), quiet(b)
        of_a, of_b = a.json("verify", "bob@a.test")[0], b.json("verify", "alice@a.test")[0]
        if of_a["log"] == of_b["log"]:
            break
    else:
        raise Failed(f"codes differ: {of_a['log']}, {of_b['log']}")
    with tempfile.TemporaryDirectory() as folder:
        scanned = os.path.join(folder, "qr")
        open(scanned, "wb").write(bytes.fromhex(of_b["log_qr"]))
        a.run("verify", "bob@a.test", "--qr", scanned, code=0, says="the logs show")
        code = bytearray(bytes.fromhex(of_b["log_qr"]))
        code[-1] ^= 1  # the last byte of a log's root
        open(scanned, "wb").write(code)
        a.run("verify", "bob@a.test", "--qr", scanned, code=3, says="another log")


@attack
def honest():
    """Nothing is noticed where there is nothing: several windows, changes among them."""
    with Operator() as server:
        alice, bob = person(server, "alice"), person(server, "bob")
        connect(alice, bob)
        for _ in range(3):
            time.sleep(WINDOW_S)
            quiet(alice), quiet(bob)
        compare(alice, bob)
        alice.run("send", "bob@a.test", "still here", code=0)
        bob.run("handle", "add", "robert", code=0)
        quiet(bob)


@attack
def swapped_handle_key():
    """Connect gives another key for bob's handle than the log: nothing is sealed to it."""
    with Operator() as server:
        alice, bob = person(server, "alice"), person(server, "bob")
        server.does("swap-handle")
        alice.run("contact", "add", "bob@a.test", code=3, says="log")
        server.does()
        connect(alice, bob)


@attack
def extra_client():
    """A client of the operator's in bob's set, as a reset: bob is told, and alice does not write to it."""
    with Operator() as server:
        alice = person(server, "alice")
        server.does("extra-client")
        bob = Person(BIN, server, "bob")
        bob.run("account", "create", "--invite", server.invite(), "--homeserver", server.where, "--ca", server.ca,
                code=None)
        alarmed(bob, says="BAD")


@attack
def replaced_item():
    """An item of bob's queue is replaced by an empty one: the next item says that there was another."""
    with Operator() as server:
        alice, bob = person(server, "alice"), person(server, "bob")
        connect(alice, bob)
        alice.run("send", "bob@a.test", "one", code=0)
        bob.run("sync", code=0)
        server.does("replace-item")
        alice.run("send", "bob@a.test", "two", code=0)
        bob.run("sync", code=0)  # nobody can know yet
        server.does()
        alice.run("send", "bob@a.test", "three", code=0)
        bob.run("sync", code=3, says="changed our queue")
        bob.run("history", "alice@a.test", code=0, says="three")


@attack
def forked_log():
    """Another log from some entry on: who saw the first one is not taken in, and can prove it."""
    with Operator() as server:
        alice, bob = person(server, "alice"), person(server, "bob")
        connect(alice, bob)
        quiet(alice)
        server.does("other")
        alarmed(alice, says="DISTRUSTED" if False else None)
        alice.run("kt", "head", code=0, says="DISTRUSTED")
        alice.run("send", "bob@a.test", "can you read this?", code=3)
        convicts(alice)


@attack
def unsigned_client():
    """The same without saying that it is a reset: a set that no key of bob's signed."""
    with Operator() as server:
        server.does("extra-client", "unsigned")
        bob = Person(BIN, server, "bob")
        bob.run("account", "create", "--invite", server.invite(), "--homeserver", server.where, "--ca", server.ca,
                code=None)
        alarmed(bob, says="BAD")


@attack
def replaced_commitment():
    """What bob's set was committed to is replaced after he was told that it is in the log."""
    with Operator() as server:
        bob = person(server, "bob")
        quiet(bob)
        server.does("replace")
        alarmed(bob)
        convicts(bob)


def second_device(server, owner):
    phone = Person(BIN, server, owner.name + "-phone")
    link = phone.start("device", "link", "--domain", "a.test", "--device", "phone", "--homeserver", server.where, "--ca",
                       server.ca)
    code = None
    for line in link.stdout:
        if line.startswith("code"):
            code = line.split()[1]
            break
    owner.run("device", "add", code, "--yes", code=None)
    link.communicate(timeout=60)
    return phone


@attack
def dropped_revocation():
    """Bob removes a device, and the log goes on naming it."""
    with Operator() as server:
        bob = person(server, "bob")
        second_device(server, bob)
        quiet(bob)
        server.does("drop")
        bob.run("device", "remove", "phone", "--yes", code=None)
        alarmed(bob, says="BAD")


@attack
def skipped_version():
    """Bob's next set enters the log under a number too far, so that nobody finds it."""
    with Operator() as server:
        bob = person(server, "bob")
        second_device(server, bob)
        quiet(bob)
        server.does("skip")
        bob.run("device", "remove", "phone", "--yes", code=None)
        alarmed(bob)


@attack
def key_of_his_own():
    """GetKeys gives one user another sealing key than the log shows to everybody."""
    with Operator() as server:
        server.does("sealing-key")
        alice = Person(BIN, server, "alice")
        alice.run("account", "create", "--invite", server.invite(), "--homeserver", server.where, "--ca", server.ca,
                  code=None)
        alarmed(alice)


@attack
def token_key_of_his_own():
    """GetKeys gives one user another token key than the log shows to everybody."""
    with Operator() as server:
        server.does("token-key")
        alice = Person(BIN, server, "alice")
        alice.run("account", "create", "--invite", server.invite(), "--homeserver", server.where, "--ca", server.ca,
                  code=None)
        alarmed(alice)


def two_logs(*words):
    """Alice is shown one log, bob the other; connected, they tell each other what they saw."""
    with Operator(*words) as server:
        alice = person(server, "alice")
        server.does("other")
        bob = person(server, "bob")
        server.does()
        alice.run("contact", "add", "bob@a.test", code=0)
        server.does("other")
        bob.run("wait", "contact", code=0)
        bob.run("contact", "accept", "alice@a.test", code=0)
        server.does()
        alarmed(alice, "sync")
        alice.run("kt", "head", says="DISTRUSTED", code=None)
        convicts(alice)


@attack
def forked_for_two():
    """A log for alice and one for bob, from the first entry on: what they say in their chat convicts the operator."""
    two_logs()


@attack
def vrf_key_of_his_own():
    """The same with a VRF key for bob alone, in a leaf 0 of his own."""
    two_logs("vrf")


def main():
    wanted = sys.argv[2:]
    for test in ATTACKS:
        if wanted and test.__name__ not in wanted:
            continue
        began = time.time()
        test()
        print(f"ok   {test.__name__:24} {time.time() - began:5.1f} s  {test.__doc__.splitlines()[0]}", flush=True)


if __name__ == "__main__":
    main()
