#!/usr/bin/env python3
"""The real hearthd, as an operator runs it: init, check, run, status, invitations, reload, backup, restore, drain.

usage: hearthd.py BIN_FOLDER [--only NAME]      each test makes a folder of its own; loopback only; ends what it started
"""
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time

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
            self.process.wait(10)
            raise AssertionError(f"did not start: {line}{open(self.log.name).read()}")
        self.port = int(ready.group(1))

    def stop(self, how=signal.SIGTERM, code=0):
        if self.process is not None:
            self.process.send_signal(how)
            ended = self.process.wait(40)
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
        for name in ("keys", "tls/key.pem"):
            assert stat.S_IMODE(os.stat(os.path.join(h.folder, name)).st_mode) == 0o400, name
        assert stat.S_IMODE(os.stat(h.folder).st_mode) == 0o700
        assert "permanent" in h.said and "next    hearthd run" in h.said
        conf = open(os.path.join(h.folder, "hearthd.conf")).read()
        assert "a.test" in conf and "threads" not in conf, conf  # only what differs from the defaults
        assert "0 faults" in h.run("check").stdout


@test
def init_overwrites_nothing():
    h = Homeserver()
    keys = open(os.path.join(h.folder, "keys"), "rb").read()
    again = hearthd("init", "--dev", "--domain", "a.test", code=1, folder=h.folder)
    assert "hearthd.conf" in again.stderr
    assert open(os.path.join(h.folder, "keys"), "rb").read() == keys
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
    os.chmod(os.path.join(h.folder, "keys"), 0o440)
    assert "open to other users" in h.run("run", code=1).stderr
    assert "chmod 0400" in h.run("check", code=1).stdout
    h.scratch.cleanup()


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
        with open(conf, "w") as out:
            out.write(good.replace("[server]\n", "[server]\ndrain_seconds = 3\nthreads = 3\n"))
        said = h.run("admin", "reload").stdout
        assert "changed        server.drain_seconds" in said and "needs restart  server.threads" in said, said
        h.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert h.process.poll() is None


def register(h, invite):
    """The Python client, as one that notices whether the server still knows things."""
    return subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "docs/examples/python/account.py"),
                           f"127.0.0.1:{h.port}", h.ca, invite], capture_output=True, text=True, timeout=60)


@test
def confinement():
    """It reaches its own files alone, and without it others too (control)."""
    found = {}
    for setting in ("yes", "no"):
        with Homeserver(more=f"[server]\nconfine = {setting}\n") as h:
            h.run("backup", os.path.join(h.folder, "inside"))
            found[setting] = h.run("backup", os.path.join(h.scratch.name, "outside"), code=None).returncode
            status = open(f"/proc/{h.process.pid}/status").read()
            found[setting, "filter"] = re.search(r"^Seccomp:\s*(\d)", status, re.M).group(1)
            h.run("admin", "reload")
            assert "landlock_missing" not in open(h.log.name).read()
    assert found["no"] == 0 and found["no", "filter"] == "0", found
    if found["yes", "filter"] == "0":
        return "a sanitizer build is not confined"
    assert found["yes"] == 1 and found["yes", "filter"] == "2", found


@test
def keys_are_replaced():
    """The confined keeper writes its file anew, and the server starts with what it wrote."""
    with Homeserver() as h:
        path = os.path.join(h.folder, "keys")
        seen = [open(path, "rb").read()]
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
        h.stop()
        h.start()
        done = register(h, h.invite)
        if done.returncode == 77:
            return done.stdout
        assert done.returncode == 0, done.stdout + done.stderr


@test
def backup_verify_restore():
    with Homeserver() as h:
        backup = os.path.join(h.folder, "backup")
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
        assert os.path.exists(os.path.join(h.folder, "db", "auth.db-replaced"))
        h.start()
        assert "0 faults" in h.run("check").stdout
        done = register(h, h.invite)  # in the backup
        if done.returncode == 77:
            return done.stdout
        assert done.returncode == 0, done.stdout + done.stderr
        done = register(h, used)  # not in it
        assert done.returncode == 1 and "PERMISSION_DENIED" in done.stderr, done.stderr


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


@test
def S1_a_stopped_store_ends_the_process():
    with Homeserver() as h:
        # from here on every write behind the first KiB of a file fails
        resource.prlimit(h.process.pid, resource.RLIMIT_FSIZE, (1024, 1024))
        h.run("admin", "invite", code=None)
        assert h.process.wait(40) == 1
        assert "store_stopped" in open(h.log.name).read()
        h.process.stdout.close()
        h.start()  # as its supervisor would
        assert h.run("admin", "invite").stdout.startswith("a.test/")


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
            word, failed = f"FAILED {type(error).__name__}: {error}", failed + 1
        print(f"{function.__name__:36} {time.monotonic() - begun:6.2f} s  {word}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed + skipped else 77 if not passed else 0)


main()
