#!/usr/bin/env python3
"""Two real homeservers on loopback that find each other by configuration: what `hearthd check DOMAIN` and `hearthd admin peer`
say when all is well, and when a certificate, an authority, the policy of either side or a key is not as it should be.

usage: federation.py BIN_FOLDER
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HEARTHD = os.path.join(os.path.abspath(sys.argv[1]), "hearthd")


def hearthd(folder, *words, code=0):
    done = subprocess.run([HEARTHD, "--dir", folder, *words], capture_output=True, text=True, timeout=60)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{' '.join(words)}: exit {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
    return done.stdout


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Home:
    def __init__(self, scratch, domain, port, peers):
        self.domain, self.folder, self.port = domain, os.path.join(scratch, domain), port
        self.process = None
        self.init = ["init", "--dev", "--domain", domain, "--listen", f"127.0.0.1:{port}"]
        for peer, peer_port in peers:
            self.init += ["--peer", f"{peer}=127.0.0.1:{peer_port}"]
        hearthd(self.folder, *self.init)
        self.conf = os.path.join(self.folder, "hearthd.conf")

    def start(self):
        self.log = open(self.folder + ".log", "a")
        self.process = subprocess.Popen([HEARTHD, "--dir", self.folder, "run"], stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("serving"), line + open(self.log.name).read()

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            ended = self.process.wait(120)
            self.process.stdout.close()
            self.process = None
            assert ended == 0, open(self.log.name).read()[-3000:]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def change(self, old, new):
        text = open(self.conf).read()
        assert old in text, (old, text)
        with open(self.conf, "w") as out:
            out.write(text.replace(old, new))

    def set(self, old, new):
        self.change(old, new)
        hearthd(self.folder, "admin", "reload")

    def check(self, other, code=0):
        """{step: (word, text)}"""
        out = hearthd(self.folder, "check", other.domain, code=code)
        return {m[2]: (m[1], m[3]) for m in re.finditer(r"^(ok|warn|fail) +(\S.*?)  +(.*)$", out, re.M)}


def accept_key(a, b):
    """b's operator is told why, and lets the new root in; no other one, and for good."""
    def peer(*words, code=0):
        return hearthd(b.folder, "admin", "peer", *words, code=code)

    end = time.monotonic() + 90
    while "it shows" not in (why := peer("why", "a.test")):  # b asks for a's keys when it hears of others, and not at once again
        assert time.monotonic() < end, why
        time.sleep(1)
        a.check(b, code=1)
    known, shown = (re.search(rf"{name} +([0-9a-f]{{64}})\n", why)[1] for name in ("known root", "it shows"))
    assert known != shown and f"accept-key a.test {shown}" in why, why
    assert shown in a.check(b, code=1)["our root"][1]
    steps = b.check(a, code=1)  # good keys, but not those that its server knows
    assert steps["keys"][0] == "ok" and steps["root"][0] == "fail" and known in steps["root"][1], steps
    told = peer("show", "a.test")
    assert known in told and shown in told and "another root" in told and "other-keys" in told, told
    peer("accept-key", "a.test", "0" * 64, code=1)
    peer("accept-key", "a.test", shown[:63], code=2)
    peer("accept-key", "nobody.test", shown, code=1)
    assert a.check(b, code=1)["signature"][0] == "fail", "another fingerprint was enough"
    peer("accept-key", "a.test", ":".join(shown[i:i + 2] for i in range(0, 64, 2)).upper())
    assert {w for w, _ in a.check(b).values()} == {"ok"}, "at once"
    assert shown in peer("show", "a.test") and known not in peer("show", "a.test")
    peer("accept-key", "a.test", shown)  # as it is already
    peer("accept-key", "a.test", known, code=1)  # which it does not show any more
    b.kill()  # what was answered is on the disk
    b.start()
    assert {w for w, _ in a.check(b).values()} == {"ok"}
    assert known not in peer("why", "a.test")


def main():
    scratch = tempfile.mkdtemp(prefix="hearthd-fed-")
    ports = {d: free_port() for d in ("a.test", "b.test")}
    a = Home(scratch, "a.test", ports["a.test"], [("b.test", ports["b.test"])])
    b = Home(scratch, "b.test", ports["b.test"], [("a.test", ports["a.test"])])
    try:
        a.start(), b.start()
        for here, there in ((a, b), (b, a)):
            steps = here.check(there)
            assert {w for w, _ in steps.values()} == {"ok"}, steps
            assert set(steps) >= {"policy", "found", "tls", "homeserver", "keys", "signature", "clock", "dial back"}, steps
        assert "good" in hearthd(b.folder, "admin", "peer"), hearthd(b.folder, "admin", "peer")
        assert "its key       good" in hearthd(b.folder, "admin", "peer", "show", "a.test")

        # the policy of each side, changed while both run
        b.set("mode = open", "mode = open\nblock = a.test")
        assert re.findall(r"a\.test  (\S+)", hearthd(b.folder, "admin", "peer")) == ["blocked"], "named twice, said once"
        steps = a.check(b, code=1)
        assert steps["signature"][0] == "fail" and "does not federate" in steps["signature"][1], steps
        steps = b.check(a, code=1)
        assert steps["policy"][0] == "fail" and "tls" not in steps, steps  # and nobody was called
        assert "block names a.test" in hearthd(b.folder, "admin", "peer", "why", "a.test")
        b.set("\nblock = a.test", "")
        assert "fail" not in {w for w, _ in a.check(b).values()}
        a.set("mode = open", "mode = off")
        assert a.check(b, code=1)["policy"][0] == "fail"
        assert "mode is off" in hearthd(a.folder, "admin", "peer", "why", "b.test")
        a.set("mode = off", "mode = open")

        # verbs about who is not there, and about nothing
        for verb, domain, code in (("retry", "b.test", 0), ("retry", "c.test", 1), ("why", "c.test", 1), ("drop", "b.test", 1),
                                   ("drop", "c.test", 1)):
            hearthd(a.folder, "admin", "peer", verb, domain, code=code)
        row = json.loads(hearthd(a.folder, "admin", "peer", "show", "b.test", "--json"))
        assert row["state"] == "good" and row["last_error"] == "", row

        # a new federation key: the first call under it makes the other side ask again, at most once a minute
        hearthd(a.folder, "admin", "keys", "federation")
        steps = a.check(b, code=None)
        assert steps["keys"][0] == "ok", steps

        # somebody else at b's address: his certificate is not b's
        b.stop()
        other = Home(scratch, "c.test", ports["b.test"], [("a.test", ports["a.test"])])
        other.start()
        steps = a.check(b, code=1)
        assert steps["tls"][0] == "fail" and "homeserver" not in steps, steps
        other.stop()

        # nobody there
        steps = a.check(b, code=1)
        assert steps["tls"][0] == "fail", steps

        # a homeserver of the same name and certificate authority, with other keys: whoever knew the first refuses it
        b.start()
        b.check(a)
        a.stop()
        shutil.move(a.folder, a.folder + ".old")
        hearthd(a.folder, *a.init)
        a.start()
        steps = a.check(b, code=1)
        assert steps["keys"][0] == "ok" and steps["signature"][0] == "fail", steps
        accept_key(a, b)
        # and under another authority nothing is believed at all
        a.stop()
        elsewhere = os.path.join(scratch, "elsewhere")
        os.mkdir(elsewhere)
        Home(elsewhere, "d.test", 1, [])
        a.change("ca = ../hearth-dev-ca.pem", "ca = ../elsewhere/hearth-dev-ca.pem")
        steps = a.check(b, code=1)
        assert steps["tls"][0] == "fail" and steps["server"][0] == "warn", steps  # nor does a serve now
        print("ok")
    finally:
        for home in (a, b):
            if home.process is not None:
                home.process.kill()
                home.process.wait()
        shutil.rmtree(scratch, ignore_errors=True)


main()
