#!/usr/bin/env python3
"""Homeservers look at each other's logs: one that is shown two logs of a peer's, one after the other or by way of a third
homeserver, keeps the evidence and tells its operator. usage: logs.py BIN_FOLDER

a and c are honest, b's operator can show another log of his (hearthd_malicious). While a is up, b shows a one log alone:
what convicts b before a is what c was shown.
"""
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../client")]
from stage import Failed, Homeserver, federate  # noqa: E402

BIN = os.path.abspath(sys.argv[1])
PATIENCE_S = 90
CONF = "\n[transparency]\nwindow_s = 2\nepoch_ms = 100\n"


def until(what, server, peer, good, retry=True):
    """retry: looks now, rather than when it is due; what was seen of that log before is forgotten by it."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if good():
            return
        if retry:
            server.run("admin", "peer", "retry", peer, code=None)
        time.sleep(0.3)
    raise Failed(what + "\n" + shown(server, peer))


def check(*pairs):
    """They know each other by that."""
    running = [subprocess.Popen([one.hearthd, "--dir", one.folder, "check", other.domain], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL) for one, other in pairs]
    for process in running:
        process.wait(60)


def shown(server, peer):
    return server.run("admin", "peer", "show", peer, code=None)


def size_of(server, peer):
    for line in shown(server, peer).splitlines():
        if line.startswith("its log") and "entries verified" in line and "; now:" not in line:
            return int(line.split()[2])
    return 0


def grown(server, peer):
    """A look that begins from now on goes well."""
    before = size_of(server, peer)
    until(f"{server.domain} verifies no further entry of {peer}", server, peer, lambda: size_of(server, peer) > before)


def convicted(server, peer, retry):
    until(f"{server.domain} does not notice that {peer} has two logs", server, peer, lambda: "forked" in shown(server, peer), retry)
    file = os.path.join(server.scratch.name, f"evidence-{server.domain}")
    with open(file, "wb") as out:
        out.write(subprocess.run([server.hearthd, "--dir", server.folder, "admin", "peer", "evidence", peer],
                                 stdout=subprocess.PIPE, check=True, timeout=60).stdout)
    said = subprocess.run([os.path.join(BIN, "hearth"), "kt", "audit", file], stdout=subprocess.PIPE, text=True, timeout=60)
    if said.returncode != 0 or peer not in said.stdout:
        raise Failed(f"the evidence of {server.domain} convicts nobody: {said.returncode} {said.stdout}")
    log = open(os.path.join(server.scratch.name, f"log-{server.name}")).read()
    if f"event=peer_log_forked peer={peer}" not in log:
        raise Failed(f"the log of events of {server.domain} does not say it")


def forgiven(server, peer):
    root = next(line.split()[2] for line in shown(server, peer).splitlines() if line.startswith("its root"))
    if server.run("admin", "peer", "accept-key", peer, "0" * 64, code=None) or "forked" not in shown(server, peer):
        raise Failed("another root sets evidence aside")
    server.run("admin", "peer", "accept-key", peer, root)
    if "forked" in shown(server, peer):
        raise Failed(f"what convicts {peer} before {server.domain} is not set aside")
    if f"event=peer_log_evidence_set_aside peer={peer}" not in open(os.path.join(server.scratch.name, f"log-{server.name}")).read():
        raise Failed(f"the log of events of {server.domain} does not say that evidence was set aside")
    until(f"{server.domain} looks no more at the log of {peer}", server, peer, lambda: "entries verified" in shown(server, peer))
    server.end()
    server.start()  # nor does it come back
    if "forked" in shown(server, peer):
        raise Failed("evidence that was set aside comes back")


def main():
    a = Homeserver(BIN, "a.test", CONF)
    b = Homeserver(BIN, "b.test", CONF + "[server]\nconfine = no\n", beside=a)
    c = Homeserver(BIN, "c.test", CONF, beside=a)
    b.hearthd = os.path.join(BIN, "hearthd_malicious")
    malice = os.path.join(a.scratch.name, "malice")
    os.environ["HEARTH_MALICE"] = malice

    def b_does(*words):
        with open(malice + "-new", "w") as out:
            out.write(" ".join(words))
        os.replace(malice + "-new", malice)

    federate(a, b, c)
    b_does()
    for server in (a, b, c):
        server.start()
    check(*((one, other) for one in (a, b, c) for other in (a, b, c) if one is not other))
    for server in (a, c):
        grown(server, "b.test")
        if "forked" in shown(server, "b.test"):
            raise Failed("an honest log is called forked")
    # c begins anew, and is shown another log; a is not there
    c.end()
    os.remove(os.path.join(c.folder, "db", "federation.db"))
    a.end()
    b_does("other")
    c.start()
    check((b, c), (c, b))
    until("c sees nothing of the other log", c, "b.test", lambda: size_of(c, "b.test") > 0)
    b_does()
    a.start()
    check((a, c), (c, a))
    convicted(a, "b.test", True)  # by what c was shown
    convicted(c, "b.test", False)  # by what itself was shown before
    a.end()
    a.start()  # what is known of it is kept
    convicted(a, "b.test", False)
    # an operator who knows why says so; until all have, those who saw the fork convict b again
    for server in (c, a):
        forgiven(server, "b.test")
    for server in (a, b, c):
        server.end()
    a.scratch.cleanup()
    print("each has evidence")


main()
