#!/usr/bin/env python3
"""The real hearthd, as an operator runs it: init, check, run, status, invitations, reload, backup, restore, drain.

usage: hearthd.py BIN_FOLDER [--only NAME]      each test makes a folder of its own; loopback only; ends what it started
"""
import json
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import traceback

import h2raw

BIN = os.path.abspath(sys.argv[1])
HEARTHD = os.path.join(BIN, "hearthd")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def hearthd(*words, code=0, folder=None):
    """Runs a command to its end; its exit code must be as expected (None: any)."""
    command = [HEARTHD, *(["--dir", folder] if folder else []), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{' '.join(words)}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done


class Homeserver:
    """with Homeserver() as h: h.folder, h.port, h.ca, h.invite"""

    def __init__(self, domain="a.test", more=""):
        self.scratch = tempfile.TemporaryDirectory(prefix="hearthd-")
        self.folder = os.path.join(self.scratch.name, "a")
        self.ca = os.path.join(self.scratch.name, "hearth-dev-ca.pem")
        self.domain = domain
        out = hearthd("init", "--dev", "--domain", domain, "--listen", "127.0.0.1:0", folder=self.folder).stdout
        self.invite = re.search(r"^invite  (\S+)", out, re.M).group(1)
        self.said = out
        self.process = None
        if more:
            with open(os.path.join(self.folder, "hearthd.conf"), "a") as conf:
                conf.write(more)

    def __enter__(self):
        self.start()
        return self

    def start(self):
        self.log = open(os.path.join(self.scratch.name, "log"), "a+")
        # SIGXFSZ stays ignored, as systemd has it: a file that may not grow is an error like others
        self.process = subprocess.Popen([HEARTHD, "--dir", self.folder, "run"], stdout=subprocess.PIPE, stderr=self.log,
                                        text=True, restore_signals=False)
        line = self.process.stdout.readline()
        ready = re.match(r"serving .* port (\d+)$", line)
        if not ready:
            self.process.wait(120)
            raise AssertionError(f"did not start: {line}{open(self.log.name).read()}")
        self.port = int(ready.group(1))

    def start_at_same_port(self):
        conf = os.path.join(self.folder, "hearthd.conf")
        text = open(conf).read().replace("127.0.0.1:0", f"127.0.0.1:{self.port}")
        with open(conf, "w") as out:
            out.write(text)
        self.start()

    def stop(self, how=signal.SIGTERM, code=0):
        if self.process is not None:
            self.process.send_signal(how)
            ended = self.process.wait(120)
            self.process.stdout.close()
            self.process = None
            if code is not None and ended != code:
                raise AssertionError(f"ended with {ended}\n{open(self.log.name).read()[-3000:]}")

    def __exit__(self, kind, *_):
        self.stop(code=0 if kind is None else None)
        self.scratch.cleanup()

    def run(self, *words, code=0):
        return hearthd(*words, code=code, folder=self.folder)


TESTS = []


def test(function):
    TESTS.append(function)
    return function


@test
def init_makes_a_working_homeserver():
    with Homeserver() as h:
        for name in ("keys/keyring", "tls/key.pem"):
            assert stat.S_IMODE(os.stat(os.path.join(h.folder, name)).st_mode) == 0o400, name
        for name in (".", "keys", "run", "backups"):
            assert stat.S_IMODE(os.stat(os.path.join(h.folder, name)).st_mode) == 0o700, name
        assert "permanent" in h.said and "next    hearthd run" in h.said
        conf = open(os.path.join(h.folder, "hearthd.conf")).read()
        assert "a.test" in conf and "threads" not in conf, conf  # only what differs from the defaults
        assert "0 faults" in h.run("check").stdout


@test
def check_says_what_the_log_would_refuse():
    for line, why in (("witness = nonsense", "verifier key"), ("listen = nowhere", "can't listen")):
        h = Homeserver()
        with open(os.path.join(h.folder, "hearthd.conf"), "a") as out:
            out.write(f"[transparency]\n{line}\n")
        assert why in h.run("check", code=1).stdout
        assert "[transparency]" in h.run("run", code=1).stderr
        h.scratch.cleanup()


@test
def init_overwrites_nothing():
    h = Homeserver()
    keys = open(os.path.join(h.folder, "keys", "keyring"), "rb").read()
    again = hearthd("init", "--dev", "--domain", "a.test", code=1, folder=h.folder)
    assert "hearthd.conf" in again.stderr
    assert open(os.path.join(h.folder, "keys", "keyring"), "rb").read() == keys
    h.scratch.cleanup()


@test
def bad_words_get_a_suggestion():
    assert 'did you mean "status"?' in hearthd("statu", code=2).stderr
    assert "not a domain" in hearthd("init", "--domain", "UPPER.example", code=2).stderr
    assert "--dev" in hearthd("init", "--domain", "a.test", code=2).stderr
    assert hearthd(code=2).stderr.startswith("usage:")
    assert hearthd("--help").stdout.startswith("usage:")
    assert "no data folder" in hearthd("run", code=1, folder="/nowhere").stderr


@test
def bad_settings_are_told_by_line():
    h = Homeserver(more="\n[server]\nthreds = 2\n")
    assert re.search(r'hearthd.conf:\d+: unknown setting "threds" in \[server\]; did you mean "threads"\?',
                     h.run("run", code=1).stderr)
    h.scratch.cleanup()


@test
def keys_open_to_others_are_refused():
    h = Homeserver()
    os.chmod(os.path.join(h.folder, "keys", "keyring"), 0o440)
    assert "open to other users" in h.run("run", code=1).stderr
    assert "chmod 0400" in h.run("check", code=1).stdout
    os.chmod(os.path.join(h.folder, "keys"), 0o750)
    assert "chmod 0700" in h.run("check", code=1).stdout
    h.scratch.cleanup()


@test
def earlier_layouts_come_forward():
    """keys was a file, limits and the socket lay beside it: run and migrate both bring that forward."""
    for command in ("run", "migrate"):
        h = Homeserver()
        keys, limits = os.path.join(h.folder, "keys"), os.path.join(h.folder, "limits")
        os.rename(keys, keys + "-folder")
        os.rename(os.path.join(keys + "-folder", "keyring"), keys)
        os.rmdir(keys + "-folder")
        image = open(keys, "rb").read()
        open(limits, "wb").write(b"earlier")
        for name in ("run", "backups"):
            shutil.rmtree(os.path.join(h.folder, name))
        assert "hearthd migrate" in h.run("check").stdout  # a warning, no fault
        if command == "migrate":
            h.run("migrate")
            assert "hearthd migrate" not in h.run("check").stdout
        with h:
            assert open(os.path.join(keys, "keyring"), "rb").read() == image
            assert stat.S_IMODE(os.stat(keys).st_mode) == 0o700 and not os.path.exists(limits)
            assert sorted(os.listdir(h.folder)) == ["backups", "db", "hearthd.conf", "keys", "lock", "run", "tls"]
            done = register(h, h.invite)
            assert done.returncode in (0, 77), done.stdout + done.stderr


@test
def keys_can_lie_elsewhere():
    """[keeper] keys: a folder of one's own choice, but none that a confined server may read."""
    h = Homeserver()
    conf = os.path.join(h.folder, "hearthd.conf")
    elsewhere = os.path.join(h.scratch.name, "elsewhere")
    os.rename(os.path.join(h.folder, "keys"), elsewhere)
    good = open(conf).read()
    open(conf, "w").write(good + f"\n[keeper]\nkeys = {elsewhere}\n")
    with h:
        h.run("admin", "keys", "federation")
        assert sorted(os.listdir(elsewhere)) == ["keyring"]
        confined = re.search(r"^Seccomp:\s*2", open(f"/proc/{h.process.pid}/status").read(), re.M)
        h.stop()
        os.rename(elsewhere, os.path.join(h.folder, "db", "keys"))
        open(conf, "w").write(good + "\n[keeper]\nkeys = db/keys\n")
        if confined:
            assert "[keeper] keys lies in" in h.run("run", code=1).stderr
        open(conf, "a").write("\n[server]\nconfine = no\n")
        h.start()


@test
def one_server_a_folder():
    with Homeserver() as h:
        assert "another hearthd runs" in h.run("run", code=1).stderr
        assert "hearthd admin drain" in h.run("restore", "/nowhere", code=1).stderr


@test
def status_and_invitations():
    with Homeserver() as h:
        status = json.loads(h.run("status", "--json").stdout)
        assert status["domain"] == "a.test" and status["draining"] is False and status["store_auth_stopped"] == 0
        invites = h.run("admin", "invite", "--count", "3").stdout.split()
        assert len(set(invites)) == 3 and all(one.startswith("a.test/") for one in invites)
    assert "hearthd run" in hearthd("status", code=1, folder=tempfile.gettempdir()).stderr


@test
def endpoints_and_config_describe():
    page = hearthd("endpoints").stdout
    for path in ("/hearth.v1.Auth/RegisterUser", "/hearth.v1.Delivery/SendMessage", "/hearth.v1.Admin/Drain"):
        assert path in page
    rows = [json.loads(line) for line in hearthd("endpoints", "--json").stdout.splitlines()]
    assert len(rows) == page.count("\n") - 1 and all(row["request_bytes"] > 0 and row["callers"] for row in rows)
    assert "[limits]" in hearthd("config", "describe").stdout


@test
def reload_keeps_what_is_good():
    with Homeserver() as h:
        conf = os.path.join(h.folder, "hearthd.conf")
        good = open(conf).read()
        with open(conf, "w") as out:
            out.write(good + "\n[limits]\nGROUP_MEMBERS = lots\n")
        assert "GROUP_MEMBERS" in h.run("admin", "reload", code=1).stderr
        open(conf, "w").close()  # half of a save
        assert "no [server] domain" in h.run("admin", "reload", code=1).stderr
        os.remove(conf)
        os.symlink("/dev/zero", conf)
        assert "not a plain file" in h.run("admin", "reload", code=1).stderr
        os.remove(conf)
        with open(conf, "w") as out:
            out.write(good.replace("[server]\n", "[server]\ndrain_seconds = 3\nthreads = 3\n"))
        said = h.run("admin", "reload").stdout
        assert "changed        server.drain_seconds" in said and "needs restart  server.threads" in said, said
        h.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert h.process.poll() is None


def fields(message):
    """(number, value) of a protobuf message: what has a length as bytes, else a number."""
    def varint(at):
        value = shift = 0
        while True:
            value, shift, at = value | (message[at] & 127) << shift, shift + 7, at + 1
            if message[at - 1] < 128:
                return value, at
    at = 0
    while at < len(message):
        tag, at = varint(at)
        value, at = varint(at)
        if tag & 7 == 2:
            value, at = message[at:at + value], at + value
        yield tag >> 3, value


def ask(h, path, message=b""):
    """The answer's fields."""
    c = h2raw.Connection(h.port, h.ca, h.domain)
    stream = c.call(path.encode(), message)
    while stream not in c.over and not c.ended:
        c.read(20)
    c.socket.close()
    return list(fields(c.data.get(stream, b"")[5:]))


def info_registration(h):
    """GetServerInfo.registration: 1 invite, 2 open, 3 closed."""
    return dict(ask(h, "/hearth.v1.Info/GetServerInfo")).get(5, 0)


@test
def user_invitations_cost_tokens():
    """Off: nobody's. On: nothing without tokens, of which GetKeys has the keys; an operator may make them free."""
    create = b"\x0a\x12\x0a\x10" + bytes(16) + b"\x10\x01"  # idempotency { id }, count 1
    on = "[registration]\nuser_invitations = yes\n"
    for more, codes, tokens in (("", 0, 0), (on + "[tokens]\nmode = on\n", 0, 1), (on + "[limits]\nPRICE_HIGH = 0\n", 1, 0)):
        with Homeserver(more=more) as h:
            assert dict(ask(h, "/hearth.v1.Info/GetServerInfo")).get(7, 0) == tokens
            keys = [dict(fields(value)) for number, value in ask(h, "/hearth.v1.Info/GetKeys") if number == 1]
            directory = [key[2] for key in keys if key[1] == 8]
            assert len(directory) == 1 and len(directory[0]) > 60 * 57, directory
            assert len(ask(h, "/hearth.v1.Auth/CreateInvitations", create)) == codes, more


def signing_credentials(h):
    """GetKeys.keys of KEY_USE_AS_SIGNING."""
    keys = [dict(fields(value)) for number, value in ask(h, "/hearth.v1.Info/GetKeys") if number == 1]
    return [key[2] for key in keys if key[1] == 2]


@test
def what_a_reload_changes():
    """Each live setting that shows from outside, by SIGHUP and by the verb; and what waits for a restart."""
    with Homeserver() as h:
        conf = os.path.join(h.folder, "hearthd.conf")
        good = open(conf).read()

        def status(name):
            return json.loads(h.run("status", "--json").stdout)[name]

        def reload(more, sighup=False):
            open(conf, "w").write(good + more)
            if not sighup:
                return h.run("admin", "reload").stdout
            told = open(h.log.name).read().count("event=reloaded")
            h.process.send_signal(signal.SIGHUP)
            for _ in range(100):
                time.sleep(0.05)
                if open(h.log.name).read().count("event=reloaded") > told:
                    return ""
            raise AssertionError("not reloaded")

        for mode, number in (("closed", 3), ("open", 2), ("invite", 1)):
            for sighup in (False, True):
                reload(f"[registration]\nmode = {mode}\n", sighup)
                assert info_registration(h) == number, mode
                reload("", sighup)
                assert info_registration(h) == 1
        reload("[registration]\nmode = closed\n", True)
        done = register(h, h.invite)
        assert done.returncode == 77 or "PERMISSION_DENIED" in done.stderr, done.stderr
        reload("", True)
        done = register(h, h.invite)
        assert done.returncode in (0, 77), done.stderr

        for mode, required in (("on", 1), ("off", 0)):
            reload(f"[tokens]\nmode = {mode}\n")
            assert dict(ask(h, "/hearth.v1.Info/GetServerInfo")).get(7, 0) == required, mode

        said = reload("[storage]\nfree_mib = 1048576\n")
        assert "changed        storage.free_mib" in said and status("store_auth_low_disk") == 1, said
        reload("")
        time.sleep(1.2)
        assert status("store_auth_low_disk") == 0

        said = reload("[federation]\nmode = allow\npeer = b.test=127.0.0.1:1\n[push]\nmode = unifiedpush\n"
                      "[limits]\nQUEUE_DAYS = 20\n")
        for name in ("federation.mode", "federation.peer", "push.mode", "limits.QUEUE_DAYS"):
            assert f"changed        {name}\n" in said, said
        assert "limits.QUEUE_DAYS" in reload("")  # back at its default
        assert reload("") == ""
        for _ in range(2):  # until there was a restart
            said = reload("[connections]\nin_all = 100\n")
            assert said == "needs restart  connections.in_all\n", said


def register(h, invite):
    """The Python client, as one that notices whether the server still knows things."""
    return subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "docs/examples/python/account.py"),
                           f"127.0.0.1:{h.port}", h.ca, invite], capture_output=True, text=True, timeout=60)


class Client:
    """tests/server/client.py; ask(line) gives its answer. user is None without grpcio."""

    def __init__(self, h, invite):
        self.process = subprocess.Popen(["/usr/bin/python3", os.path.join(ROOT, "tests/server/client.py"),
                                         f"127.0.0.1:{h.port}", h.ca, invite], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline().strip()
        self.user = None if first.startswith("SKIP") else first.removeprefix("user ")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(120)
        self.process.stdout.close()


@test
def the_operator_and_users():
    """Counts, one user by id, suspending and deleting; reports; what there is not is said."""
    with Homeserver() as h:
        nobody = "00" * 16

        def counts():
            return json.loads(h.run("admin", "user", "--json").stdout)

        assert counts()["users"] == 0 and counts()["invitations"] == 1
        assert "not found" in h.run("admin", "user", "show", nobody, code=1).stderr
        assert "not found" in h.run("admin", "user", "delete", nobody, code=1).stderr
        assert "not found" in h.run("admin", "user", "suspend", nobody, code=1).stderr
        for wrong in (["show"], ["show", "alice"], ["show", nobody[:-1] + "g"], ["praise", nobody]):
            assert "hearthd admin user" in h.run("admin", "user", *wrong, code=2).stderr, wrong
        assert "a.test/kt/1" in h.run("admin", "log").stdout
        assert h.run("admin", "report", "list").stdout == ""
        assert "not found" in h.run("admin", "report", "show", "1", code=1).stderr
        assert "admin report" in h.run("admin", "report", "show", "x", code=2).stderr
        assert "admin report" in h.run("admin", "report", "drop", "0", code=2).stderr

        conf = os.path.join(h.folder, "hearthd.conf")
        with open(conf, "a") as out:
            out.write("[federation]\nmode = allow\npeer = b.test=127.0.0.1:7543\npeer = c.test=127.0.0.1:1\n")
        assert "off" in h.run("admin", "peer", "list").stdout
        h.run("admin", "reload")
        peers = h.run("admin", "peer")
        assert peers.stdout == "mode  allow\npeer  b.test  unused\npeer  c.test  unused\n", peers
        assert "named" in h.run("admin", "peer", "show", "b.test").stdout
        assert "nothing that waits" in h.run("admin", "peer", "why", "b.test").stdout
        assert "nothing waits for b.test" in h.run("admin", "peer", "drop", "b.test", code=1).stderr
        h.run("admin", "peer", "retry", "b.test")
        assert "nothing was ever" in h.run("admin", "peer", "show", "d.test", code=1).stderr
        h.run("admin", "peer", "block", code=2)

        more = h.run("admin", "invite").stdout.strip()
        with Client(h, h.invite) as bad, Client(h, more) as good:
            if bad.user is None:
                return "no grpcio"
            assert counts()["users"] == 2 and counts()["clients"] == 2, counts()
            assert json.loads(h.run("admin", "user", "show", bad.user, "--json").stdout) == {
                "clients": 1, "last_seen": "never", "suspended": False}
            assert bad.ask("list") == "OK" and good.ask("list") == "OK"
            assert "last seen  2" in h.run("admin", "user", "show", f"{bad.user}@a.test").stdout
            assert good.ask(f"report {bad.user} wrote \x1b[31mthis") == "OK" and good.ask("report again") == "OK"
            reports = [json.loads(line) for line in h.run("admin", "report", "list", "--json").stdout.splitlines()]
            assert [r["number"] for r in reports] == [1, 2] and reports[1]["bytes"] == len("again"), reports
            assert bad.user in h.run("admin", "report", "show", "1").stdout
            h.run("admin", "report", "drop", "1")
            assert "not found" in h.run("admin", "report", "show", "1", code=1).stderr  # and not report 2
            assert "not found" in h.run("admin", "report", "drop", "1", code=1).stderr
            assert h.run("admin", "report").stdout.startswith("2 ")

            h.run("admin", "user", "suspend", bad.user)
            assert "suspended  yes" in h.run("admin", "user", "show", bad.user).stdout
            assert bad.ask("list") == "UNAUTHENTICATED" and good.ask("list") == "OK"
            h.stop()
            h.start_at_same_port()
            assert bad.ask("list") == "UNAUTHENTICATED"  # a restart forgets nothing
            h.run("admin", "user", "resume", bad.user)
            assert bad.ask("list") == "OK"
            h.run("admin", "user", "delete", bad.user)
            assert bad.ask("list") == "UNAUTHENTICATED" and good.ask("list") == "OK"
            assert "not found" in h.run("admin", "user", "show", bad.user, code=1).stderr
            assert counts() == dict(counts(), users=1, clients=1, revoked_credentials=1, abuse_reports=1), counts()


@test
def confinement():
    """It reaches its own files alone, and without it others too (control)."""
    found = {}
    for setting in ("yes", "no"):
        with Homeserver(more=f"[server]\nconfine = {setting}\n") as h:
            h.run("backup", os.path.join(h.folder, "backups", "inside"))
            found[setting] = h.run("backup", os.path.join(h.scratch.name, "outside"), code=None).returncode
            status = open(f"/proc/{h.process.pid}/status").read()
            found[setting, "filter"] = re.search(r"^Seccomp:\s*(\d)", status, re.M).group(1)
            # an editor's way: another file of this name
            conf = os.path.join(h.folder, "hearthd.conf")
            with open(conf + "~", "w") as out:
                out.write(open(conf).read() + "[server]\ndrain_seconds = 5\n")
            os.rename(conf + "~", conf)
            assert "server.drain_seconds" in h.run("admin", "reload").stdout
            os.unlink(conf)
            assert "No such file" in h.run("admin", "reload", code=1).stderr
            assert "landlock_missing" not in open(h.log.name).read()
    assert found["no"] == 0 and found["no", "filter"] == "0", found
    if found["yes", "filter"] == "0":
        return "a sanitizer build is not confined"
    assert found["yes"] == 1 and found["yes", "filter"] == "2", found


@test
def keys_are_replaced():
    """The confined keeper writes its file anew, and the server starts with what it wrote."""
    with Homeserver() as h:
        path = os.path.join(h.folder, "keys", "keyring")
        seen = [open(path, "rb").read()]
        signing = signing_credentials(h)
        for which in ("signing", "queue", "federation", "sender"):
            h.run("admin", "keys", which)
            seen.append(open(path, "rb").read())
            assert seen[-1] not in seen[:-1], which
        # a fourth within 90 days would forget the first, to which references are sealed
        for _ in range(2):
            h.run("admin", "keys", "queue")
        before = open(path, "rb").read()
        assert "still be in use" in h.run("admin", "keys", "queue", code=1).stderr
        assert open(path, "rb").read() == before
        h.run("admin", "keys", "queue", "anyway")
        assert "which key" in h.run("admin", "keys", "queue", "whatever", code=2).stderr
        assert os.stat(path).st_mode & 0o7777 == 0o400
        assert not os.path.exists(path + ".new")
        rotated = signing_credentials(h)
        h.stop()
        h.start()
        # the one before is still served, last, after a restart too
        assert len(signing) == 1 and len(rotated) == 2 and rotated[1] == signing[0] != rotated[0]
        assert signing_credentials(h) == rotated
        done = register(h, h.invite)
        if done.returncode == 77:
            return done.stdout
        assert done.returncode == 0, done.stdout + done.stderr


@test
def backup_verify_restore():
    with Homeserver() as h:
        backup = os.path.join(h.folder, "backups", "first")
        assert "copied" in h.run("backup", backup).stdout
        assert "exists" in h.run("backup", backup, code=1).stderr.lower()
        hearthd("verify", backup)
        used = h.run("admin", "invite").stdout.strip()  # made after the backup
        h.stop()
        database = os.path.join(backup, "db", "auth.db")
        image = bytearray(open(database, "rb").read())
        image[len(image) // 2] ^= 1
        with open(database, "r+b") as out:
            out.write(image)
        assert "not what was backed up" in hearthd("verify", backup, code=3).stderr
        assert "not what was backed up" in h.run("restore", backup, code=3).stderr
        image[len(image) // 2] ^= 1
        with open(database, "r+b") as out:
            out.write(image)
        h.run("restore", backup)
        replaced = os.path.join(h.folder, "db", "auth.db-replaced")
        assert os.path.exists(replaced)
        # what an earlier restore left is asked about before anything is touched
        for name in ("delivery", "queue", "attachment", "federation", "kt"):
            os.remove(os.path.join(h.folder, "db", f"{name}.db-replaced"))
        assert "auth.db-replaced is there" in h.run("restore", backup, code=1).stderr
        assert [one for one in os.listdir(os.path.dirname(replaced)) if "replaced" in one] == ["auth.db-replaced"]
        h.start()
        assert "0 faults" in h.run("check").stdout
        done = register(h, h.invite)  # in the backup
        if done.returncode == 77:
            return done.stdout
        assert done.returncode == 0, done.stdout + done.stderr
        done = register(h, used)  # not in it
        assert done.returncode == 1 and "PERMISSION_DENIED" in done.stderr, done.stderr


@test
def the_operator_sees_the_log():
    witness = "\n[transparency]\nwitness = not a key\n"
    assert "witness = not a key" in Homeserver(more=witness).run("run", code=1).stderr
    with Homeserver() as h:
        head = json.loads(h.run("admin", "--json", "log").stdout)
        assert head["size"] >= 2 and head["cosignatures"] == 0 and abs(head["time_s"] - time.time()) < 60, head
        said = h.run("admin", "log").stdout
        assert re.search(r"^a\.test/kt/1$", said, re.M) and re.search(r"^\u2014 a\.test/kt/1 ", said, re.M), said
        done = register(h, h.invite)
        if done.returncode == 0:
            assert json.loads(h.run("admin", "--json", "log").stdout)["size"] > head["size"]


def held(h):
    return json.loads(h.run("status", "--json").stdout)["log_held"] == 1


@test
def a_restored_log_signs_nothing_twice():
    with Homeserver() as h:
        backup = os.path.join(h.folder, "backups", "old")
        h.run("backup", backup)
        done = register(h, h.invite)  # the log grows
        if done.returncode == 77:
            return done.stdout
        assert done.returncode == 0 and not held(h), done.stderr
        h.stop()
        newer = os.path.join(h.folder, "run", "log-head-1")
        assert open(newer).read().startswith("a.test/kt/1\n")
        h.run("restore", backup)
        h.start()
        assert held(h)
        refused = register(h, h.invite)
        assert refused.returncode == 1 and "UNAVAILABLE" in refused.stderr, refused.stderr
        h.stop()
        # nothing of what was signed is lost: the databases from before come back
        for name in ("kt", "auth"):
            path = os.path.join(h.folder, "db", f"{name}.db")
            os.remove(path)
            os.rename(path + "-replaced", path)
        h.start()
        assert not held(h) and not os.path.exists(os.path.join(h.folder, "run", "log-restored"))
        assert register(h, h.run("admin", "invite").stdout.strip()).returncode == 0
        h.stop()
        # another machine knows of no checkpoint: it asks first
        for name in os.listdir(os.path.join(h.folder, "db")):
            os.remove(os.path.join(h.folder, "db", name))
        os.remove(newer)
        h.run("restore", backup)
        h.start()
        assert held(h) and "was restored" in h.run("check").stdout
        h.stop()
        # lost for good: another log, which all that is in auth.db enters
        with open(os.path.join(h.folder, "hearthd.conf"), "a") as conf:
            conf.write("\n[transparency]\nnumber = 2\n")
        os.remove(os.path.join(h.folder, "run", "log-restored"))
        h.start()
        assert not held(h)
        assert register(h, h.run("admin", "invite").stdout.strip()).returncode == 0
        assert os.path.exists(os.path.join(h.folder, "db", "kt-2.db"))


def run_example(command, environment):
    with Homeserver() as h:
        done = subprocess.run([*command, f"127.0.0.1:{h.port}", h.ca, h.invite], capture_output=True, text=True, timeout=60,
                              env=dict(os.environ, **environment))
        if done.returncode == 77:
            return done.stdout
        assert done.returncode == 0, done.stdout + done.stderr
        assert "refused   the same request under another key" in done.stdout
        spent = register(h, h.invite)
        assert spent.returncode in (1, 77), "an invitation was good twice"


def python_example():
    return run_example(["/usr/bin/python3", os.path.join(ROOT, "docs/examples/python/account.py")], {})


def node_example():
    sys.path.insert(0, os.path.join(ROOT, "tests/interop"))
    import matrix
    why = matrix.install_node_packages()
    return why or run_example(["node", os.path.join(ROOT, "docs/examples/node/account.js")],
                              {"NODE_PATH": os.path.join(matrix.NODE, "node_modules")})


TESTS += [python_example, node_example]


@test
def restart_keeps_everything():
    with Homeserver() as h:
        h.stop(signal.SIGKILL, code=-signal.SIGKILL)
        h.start()
        done = register(h, h.invite)
        assert done.returncode in (0, 77), done.stdout + done.stderr
        if done.returncode == 77:
            return done.stdout


def create_queue_user():
    """Bytes of a CreateQueueUserRequest with keys of nobody's."""
    def field(number, value):
        return bytes([number << 3 | 2, len(value)]) + value
    point = bytes([9]) + bytes(31)  # of X25519; and of Ed25519 any 32 bytes will do
    client = field(1, os.urandom(32)) + field(2, point) + bytes([4 << 3, 3])
    return field(1, field(1, os.urandom(16))) + field(2, os.urandom(32)) + field(3, os.urandom(32)) + field(4, client)


STREAMS = 30  # of one connection at once


@test
def SIGTERM_under_load():
    """Connections hear GOAWAY before they end, every call up to its last stream is answered, and what was answered holds.
    The control, SIGKILL, is found out."""
    path = b"/hearth.v1.Queue/CreateQueueUser"
    for how in (signal.SIGTERM, signal.SIGKILL):
        with Homeserver() as h:
            busy = [h2raw.Connection(h.port, h.ca, h.domain) for _ in range(4)]
            idle = [h2raw.Connection(h.port, h.ca, h.domain) for _ in range(4)]
            asked = {}
            for c in busy:
                for _ in range(STREAMS):
                    message = create_queue_user()
                    asked[c, c.call(path, message)] = message
            answered = 0
            while answered < 10:  # in the middle of it
                for c in busy:
                    c.read(0.001)
                answered = sum(len(c.over) for c in busy)
            begun = time.monotonic()
            h.process.send_signal(how)
            for c in busy + idle:
                c.socket.settimeout(20)
                while not c.ended:
                    c.read(20)
                    # who has not heard yet goes on
                    open_now = c.next_id // 2 - len(c.over)
                    if c in busy and c.last_id is None and not c.ended and open_now < STREAMS:
                        message = create_queue_user()
                        try:
                            asked[c, c.call(path, message)] = message
                        except OSError:
                            pass
            took = time.monotonic() - begun
            code = h.process.wait(120)
            h.process.stdout.close()
            h.process = None
            gone = [c for c in busy + idle if c.last_id is None or c.errors]
            owed = [(c, stream) for c, stream in asked if c.last_id is not None and stream <= c.last_id
                    and (stream not in c.over or stream not in c.data)]
            if how == signal.SIGKILL:
                assert gone, "a cut looks like an orderly end"
                continue
            assert not gone and not owed and code == 0 and took < 20, (len(gone), len(owed), code, took,
                                                                      [c.errors for c in gone])
            kept = {key: message for key, message in asked.items() if key[1] in key[0].data}
            assert len(kept) >= 10
            h.start()
            again = h2raw.Connection(h.port, h.ca, h.domain)
            streams = {}
            for (c, stream), message in kept.items():
                streams[again.call(path, message)] = c.data[stream]
                while again.next_id // 2 - len(again.over) >= STREAMS:
                    again.read(5)
            while len(again.over) < len(streams):
                again.read(5)
            assert all(again.data.get(stream) == first for stream, first in streams.items()), "an answer was forgotten"


@test
def S1_a_stopped_store_ends_the_process():
    with Homeserver() as h:
        # from here on every write behind the first KiB of a file fails
        resource.prlimit(h.process.pid, resource.RLIMIT_FSIZE, (1024, 1024))
        h.run("admin", "invite", code=None)
        assert h.process.wait(120) == 1
        assert "store_stopped" in open(h.log.name).read()
        h.process.stdout.close()
        h.start()  # as its supervisor would
        assert h.run("admin", "invite").stdout.startswith("a.test/")


@test
def a_lost_keeper_ends_the_process():
    with Homeserver() as h:
        for one in subprocess.run(["pgrep", "-P", str(h.process.pid)], capture_output=True, text=True).stdout.split():
            if open(f"/proc/{one}/comm").read().strip() == "hearth-keeper":
                os.kill(int(one), signal.SIGKILL)
        assert h.process.wait(120) == 1
        assert "keeper_gone" in open(h.log.name).read()
        h.process.stdout.close()
        h.start()
        assert h.run("admin", "invite").stdout.startswith("a.test/")


@test
def S2_a_low_disk_invites_nobody():
    """A typed answer, all or none, and what frees still works."""
    with Homeserver() as h:
        conf = os.path.join(h.folder, "hearthd.conf")
        good = open(conf).read()
        with open(conf, "a") as out:
            out.write("[storage]\nfree_mib = 1048576\n")
        h.run("admin", "reload")
        refused = h.run("admin", "invite", "--count", "3", code=1).stderr
        assert "disk is nearly full" in refused and "next: hearthd check" in refused, refused
        assert "1 faults" in h.run("check", code=1).stdout
        assert json.loads(h.run("admin", "user", "--json").stdout)["invitations"] == 1
        with open(conf, "w") as out:
            out.write(good)
        h.run("admin", "reload")
        assert len(h.run("admin", "invite", "--count", "1000").stdout.split()) == 1000


def on_a_small_disk(folder):
    """The body of the next test, where a file system of 300 MiB is mounted on the folder."""
    tempfile.tempdir = folder
    with Homeserver(more="[storage]\nfree_mib = 0\n") as h:  # so nothing stops it before the disk does
        before = json.loads(h.run("admin", "user", "--json").stdout)["invitations"]
        with open(os.path.join(folder, "filler"), "wb", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)) == 4096:
                    pass
            except OSError:
                pass
        refused = [h.run("admin", "invite", "--count", "1000", code=None) for _ in range(40)]
        full = [done for done in refused if done.returncode != 0]
        assert full and all("no space left" in done.stderr and done.stdout == "" for done in full), refused[-1]
        made = sum(len(done.stdout.split()) for done in refused)
        assert h.process.poll() is None and "0" in h.run("status").stdout
        os.unlink(os.path.join(folder, "filler"))
        assert h.run("admin", "invite").stdout.startswith("a.test/")
        after = json.loads(h.run("admin", "user", "--json").stdout)["invitations"]
        assert after == before + made + 1, (before, made, after)
        done = register(h, h.invite)
        assert done.returncode in (0, 77), done.stderr


@test
def S2_a_full_disk_invites_nobody():
    """The real thing: no space left, and the server goes on when there is."""
    with tempfile.TemporaryDirectory(prefix="hearthd-disk-") as folder:
        done = subprocess.run(["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=300m,mode=0700 none "$1" && exec "$2" "$3" "$4" '
                               '--small-disk "$1"', "sh", folder, sys.executable, os.path.abspath(__file__), BIN],
                              capture_output=True, text=True, timeout=120)
        if "unshare:" in done.stderr or "mount:" in done.stderr:
            return "mounting is not allowed here"
        assert done.returncode == 0, done.stdout + done.stderr


@test
def logs_name_nobody():
    with Homeserver() as h:
        done = register(h, h.invite)
        if done.returncode == 77:
            return done.stdout
        assert done.returncode == 0
        h.stop()
        log = open(h.log.name).read()
        for word in (h.invite, h.invite.split("/")[1], "127.0.0.1"):
            assert word not in log, log
        h.start()


def main():
    wanted = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else None
    if "--small-disk" in sys.argv:
        on_a_small_disk(sys.argv[sys.argv.index("--small-disk") + 1])
        return
    failed = passed = skipped = 0
    for function in TESTS:
        if wanted not in (None, function.__name__):
            continue
        begun = time.monotonic()
        try:
            why = function()
            passed, skipped = passed + (not why), skipped + bool(why)
            word = f"SKIP {why.strip()}" if why else "ok"
        except Exception as error:  # noqa: BLE001  (whatever it is, it is told and counted)
            line = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == __file__][-1]
            word, failed = f"FAILED in line {line}: {type(error).__name__}: {error}", failed + 1
        print(f"{function.__name__:36} {time.monotonic() - begun:6.2f} s  {word}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed + skipped else 77 if not passed else 0)


main()
