"""What an operator may try with the keys that his homeserver hands out (hearthd_malicious), and where people's
clients notice: each attack of transparency.md 17 once, with the real programs. Usage: log_attacks.py BIN [NAME...]"""
import glob
import os
import shutil
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


def distrusts(p, within_s=10):
    """Is the log known to be another one for others?"""
    until = time.time() + within_s
    while "DISTRUSTED" not in p.run("kt", "head", code=None):
        if time.time() > until:
            return False
        p.run("sync", code=None)
        time.sleep(0.5)
    return True


def convicts(p, of=""):
    """The evidence that the client left holds in another process, and not when it is damaged. It may come after the alarm."""
    until = time.time() + 60
    while not (files := glob.glob(os.path.join(p.folder, "evidence-*.ktl"))):
        if time.time() > until:
            raise Failed(f"{p.name} has no evidence\n" + p.run("kt", "show", code=None) + p.run("kt", "head", code=None))
        p.run("kt", "monitor", code=None)
        time.sleep(0.5)
    for file in files:
        with tempfile.TemporaryDirectory() as elsewhere:
            audit = [p.hearth, "--home", elsewhere, "kt", "audit"]
            done = subprocess.run([*audit, file], capture_output=True, text=True, timeout=90)
            if done.returncode != 0 or "a.test/kt/1" not in done.stdout or of not in done.stdout:
                raise Failed(f"evidence is not accepted: {done.stdout}{done.stderr}")
            if key_of(p, "a.test") not in done.stdout:
                raise Failed(f"evidence is under another key than that of the log: {done.stdout}")
            data = bytearray(open(file, "rb").read())
            data[len(data) // 2] ^= 1
            damaged = os.path.join(elsewhere, "damaged")
            open(damaged, "wb").write(data)
            if subprocess.run([*audit, damaged], capture_output=True, timeout=90).returncode != 3:
                raise Failed("damaged evidence is accepted")
    return files


def key_of(p, domain):
    """Of the log, as a person sees it."""
    return next(log["key"] for log in p.json("kt", "head", code=None) if log.get("domain") == domain)


def exports(p):
    """Evidence is written beside what others left under that name, and the same is not written twice."""
    with tempfile.TemporaryDirectory() as folder:
        others = os.path.join(folder, "evidence-1.ktl")
        open(others, "wb").write(b"somebody else's")
        for _ in range(2):
            p.run("kt", "export", folder, code=None, says="exported")
        if open(others, "rb").read() != b"somebody else's":
            raise Failed("export wrote over a file")
        there = [open(file, "rb").read() for file in glob.glob(os.path.join(folder, "evidence-*.ktl"))]
        first = open(os.path.join(p.folder, "evidence-1.ktl"), "rb").read()
        if there.count(first) != 1:
            raise Failed(f"the evidence is {there.count(first)} times in the folder")


def proves_nothing(p, why):
    """Where nothing that the operator signed contradicts itself there is no file, and the reader is told why."""
    if glob.glob(os.path.join(p.folder, "evidence-*.ktl")):
        raise Failed(f"{p.name} has evidence where there can be none")
    print(f"     no evidence for others: {why}", flush=True)


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
        alice, bob = person(server, "alice", create=False), person(server, "bob")
        alice.run("account", "create", "--invite", server.invite(), "--handle", "alice", "--homeserver", "z.test=127.0.0.1:1",
                  "--homeserver", server.where, "--ca", server.ca, "--timeout", "60", says="log +this device stands in it")
        connect(alice, bob)
        for _ in range(3):
            time.sleep(WINDOW_S)
            quiet(alice), quiet(bob)
        compare(alice, bob)
        alice.run("send", "bob@a.test", "still here", code=0)
        bob.run("handle", "add", "robert", code=0)
        quiet(bob)


def changes(rounds):
    """A user's devices come and go while another one of his is off, each change in a window of its own: no alarm."""
    with Operator() as server:
        alice, bob = person(server, "alice"), person(server, "bob")
        phone = second_device(server, bob)
        quiet(bob), quiet(phone)
        for _ in range(rounds):
            tablet = Person(BIN, server, "bob-tablet")
            link(server, phone, tablet)
            time.sleep(WINDOW_S)
            phone.run("device", "remove", "bob-tablet", "--yes", code=0)
            time.sleep(WINDOW_S)
            shutil.rmtree(tablet.folder)
            quiet(phone)
        quiet(bob)  # who missed all of it
        connect(alice, bob)
        quiet(alice), quiet(bob), quiet(phone)


@attack
def honest_devices():
    """Nothing is noticed where one's own other device made changes that one missed."""
    changes(1)


@attack
def honest_devices_long():
    """The same for ten rounds."""
    changes(10)


@attack
def swapped_handle_key():
    """Connect gives another key for bob's handle than the log: nothing is sealed to it."""
    with Operator() as server:
        alice, bob = person(server, "alice"), person(server, "bob")
        server.does("swap-handle")
        alice.run("contact", "add", "bob@a.test", code=3, says="log")
        proves_nothing(alice, "the operator signed no more than the right key; what he served instead bears no signature "
                       "of his (swapped_handle_key_logged: where it does)")
        server.does()
        connect(alice, bob)


@attack
def swapped_handle_key_logged():
    """The same with a log for alice that has that key, too: it is not the log that she knows, and she can prove it."""
    with Operator() as server:
        alice = person(server, "alice")
        server.does("swap-handle")
        person(server, "bob")
        quiet(alice)
        server.does("swap-handle", "other")
        alice.run("contact", "add", "bob@a.test", code=None)  # refused, or still waiting for a log that answers
        alarmed(alice, says="DISTRUSTED")
        convicts(alice)


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
        proves_nothing(bob, "whoever lost all devices makes such a reset, and nobody but bob knows that he did not")


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
        alarmed(bob, says="DISTRUSTED")
        convicts(bob, "none of the keys before allowed")


@attack
def replaced_commitment():
    """What bob's set was committed to is replaced after he was told that it is in the log."""
    # in the same window what he is shown fits no tree, which is an alarm; the next one's first entry is the evidence
    with Operator() as server:
        bob = person(server, "bob")
        quiet(bob)
        server.does("replace")
        alarmed(bob)
        (file,) = convicts(bob, "removed or changed a version")
        exports(bob)
        os.remove(file)  # as when the command that met it was killed before it could write
        bob.run("kt", "show", code=None)
        if not os.path.exists(file):
            raise Failed("evidence that was not written is not written by the next command")


def second_device(server, owner):
    phone = Person(BIN, server, owner.name + "-phone")
    link(server, owner, phone, "phone")
    return phone


def link(server, owner, device, name=None):
    """owner's device takes a new one in."""
    link = device.start("device", "link", "--domain", "a.test", "--device", name or device.name, "--homeserver",
                        server.where, "--ca", server.ca, "--timeout", "180")
    code = None
    for line in link.stdout:
        if line.startswith("code"):
            code = line.split()[1]
            break
    owner.run("device", "add", code, "--yes", code=0)
    link.communicate(timeout=180)


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
        proves_nothing(bob, "that a change was asked for and not made is signed by nobody (dropped_revocation_promised: where "
                       "it is)")


@attack
def dropped_revocation_promised():
    """The same with a receipt for bob, which the log then does not hold: a broken promise, signed."""
    with Operator() as server:
        bob = person(server, "bob")
        second_device(server, bob)
        quiet(bob)
        server.does("drop", "receipt")
        bob.run("device", "remove", "phone", "--yes", code=None)
        alarmed(bob)
        convicts(bob)


@attack
def refuses_owners():
    """The log does not show owners what it had of them, as if it were too long ago: it was not, and they are told."""
    with Operator() as server:
        bob = person(server, "bob")
        quiet(bob)
        server.does("refuse-owners")
        alarmed(bob, within_s=90)
        proves_nothing(bob, "what nobody said is signed by nobody")
        server.does()
        bob.run("sync", code=None)


@attack
def skipped_version():
    """Bob's next set enters the log under a number too far, so that nobody finds it."""
    with Operator() as server:
        bob = person(server, "bob")
        second_device(server, bob)
        quiet(bob)
        server.does("skip")
        bob.run("device", "remove", "phone", "--yes", code=None)
        alarmed(bob, says="BAD")  # at once; what is missing below it shows at the next window
        alarmed(bob, says="DISTRUSTED")
        convicts(bob, "without the ones below it")


@attack
def key_of_his_own():
    """GetKeys gives one user another sealing key than the log shows to everybody."""
    with Operator() as server:
        server.does("sealing-key")
        alice = Person(BIN, server, "alice")
        alice.run("account", "create", "--invite", server.invite(), "--homeserver", server.where, "--ca", server.ca,
                  code=None)
        alarmed(alice)
        proves_nothing(alice, "a statement of a key says from which day on, not which version of the log has it; keys change "
                       "(sealing_key_logged: in a log for one victim)")


@attack
def token_key_of_his_own():
    """GetKeys gives one user another token key than the log shows to everybody."""
    with Operator() as server:
        server.does("token-key")
        alice = Person(BIN, server, "alice")
        alice.run("account", "create", "--invite", server.invite(), "--homeserver", server.where, "--ca", server.ca,
                  code=None)
        alarmed(alice)
        proves_nothing(alice, "a statement of a key says from which day on, not which version of the log has it; keys change "
                       "(token_key_logged: in a log for one victim)")


def two_logs(*at_start, bob_gets=()):
    """Alice is shown one log, bob the other; connected, they tell each other what they saw: she has evidence each time."""
    with Operator(*at_start) as server:
        alice = person(server, "alice")
        server.does("other", *bob_gets)
        bob = person(server, "bob")
        quiet(bob)  # alone he can't know
        server.does()
        alice.run("contact", "add", "bob@a.test", code=0)
        server.does("other")
        bob.run("wait", "contact", code=0)
        bob.run("contact", "accept", "alice@a.test", code=0)
        server.does()
        alarmed(alice, "sync")
        if not distrusts(alice):
            raise Failed("alarmed, but without evidence")
        convicts(alice)


@attack
def forked_for_two():
    """A log for alice and one for bob, from the first entry on: what they say in their chat convicts the operator."""
    two_logs()


@attack
def vrf_key_of_his_own():
    """The same with a VRF key for bob alone, in a leaf 0 of his own."""
    two_logs("vrf")


@attack
def token_key_logged():
    """A token key for bob alone, in a log for bob alone: he takes it, and their chat convicts the operator."""
    two_logs(bob_gets=["token-key"])


@attack
def sealing_key_logged():
    """The same with a sealing key."""
    two_logs(bob_gets=["sealing-key"])


def main():
    wanted = sys.argv[2:]
    for test in ATTACKS:
        if test.__name__ not in wanted and (wanted or test.__name__.endswith("_long")):
            continue
        began = time.time()
        test()
        print(f"ok   {test.__name__:24} {time.time() - began:5.1f} s  {test.__doc__.splitlines()[0]}", flush=True)


if __name__ == "__main__":
    main()
