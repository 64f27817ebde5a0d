#!/usr/bin/env python3
"""A scripted session of people on the real `hearth`, at pseudo-terminals, with a real homeserver: everything that
docs promise, and the unhappy paths with their exit codes.

usage: session.py BIN_FOLDER
"""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from stage import Failed, Homeserver, Person, connect  # noqa: E402

BIN = os.path.abspath(sys.argv[1])


def registering(server, alice, bob, carol):
    alice.run("account", "show", code=4, says="there is no profile")
    alice.run("account", "create", code=2, says="say --invite")
    alice.run("account", "create", "--invite", "a.test/nonsense", "--homeserver", server.where, code=2)
    alice.run("account", "create", "--invite", server.invite(), "--homeserver", "nonsense", code=2)
    assert not os.path.exists(alice.folder)
    for person in (alice, bob, carol):
        person.create(person.name)
    alice.run("account", "create", "--invite", server.invite(), code=1, says="has an account already")
    assert alice.json("account", "show")[0]["handles"] == ["alice@a.test"]


def interrupted(server):
    """An account that could not be made because the homeserver was down is made by the same command later."""
    dora = Person(BIN, server, "dora")
    invitation = server.invite()
    words = ["account", "create", "--invite", invitation, "--homeserver", server.where, "--ca", server.ca]
    server.end()
    dora.run(*words, "--timeout", "2", code=5, says="the same command again")
    dora.run("sync", code=4, says="not registered yet")
    server.start()
    dora.run("account", "create", says="account +on a.test")
    dora.run(*words, code=1, says="has an account already")
    dora.run("account", "show", "--ca", "/nowhere.pem", code=4, says="can't read /nowhere.pem")


def handles(alice, bob):
    alice.run("handle", "add", "ally", says="handle +ally@a.test")
    alice.run("handle", "list", says=["alice@a.test", "ally@a.test"])
    bob.run("handle", "add", "ally", code=64 + 6)  # ALREADY_EXISTS
    bob.run("handle", "add", "Not A Handle", code=2)
    alice.run("handle", "remove", "ally", says="removed")
    assert len(alice.json("handle", "list")) == 1


def contacts(alice, bob, carol):
    alice.run("contact", "add", "nobody@a.test", code=64 + 5)  # NOT_FOUND
    alice.run("contact", "add", "bob", code=2, says="handles look like")
    connect(alice, bob)
    connect(carol, alice)
    carol.run("contact", "add", "bob@a.test")
    bob.run("wait", "contact")
    bob.run("contact", "refuse", "carol@a.test", says="refused")
    carol.run("wait", "refused", says="bob@a.test said no")
    alice.run("contact", "list", says=["contact +bob@a.test", "contact +carol@a.test"])
    alice.run("send", "bib@a.test", "hi", code=4, says='did you mean "bob@a.test"')


def talking(alice, bob):
    alice.run("send", "bob@a.test", "hello over the fence", says="sent")
    bob.run("listen", "--count", "1", says=r"alice@a.test.* hello over the fence")
    bob.run("send", "alice@a.test", "-", typed=["from standard input\n", "\x04"], says="sent")
    alice.run("listen", "--count", "1", says="from standard input")
    alice.run("history", "bob@a.test", says=["hello over the fence", "from standard input"])
    bob.run("listen", "--count", "1", "--timeout", "1", code=5, says="nothing came")
    alice.run("chat", "bob@a.test", typed=["typed in a chat\n", "", "", "", "", "", "", "", "", "", "/quit\n"])
    bob.run("listen", "--count", "1", says="typed in a chat")


def group(server, alice, bob, carol):
    alice.run("group", "create", "garden", says="group +garden")
    alice.run("group", "add", "garden", "bob@a.test", "carol@a.test", says="added +bob@a.test")
    bob.run("wait", "joined", "garden", says="joined +garden")
    carol.run("wait", "joined", "garden", says="joined +garden")
    carol.run("send", "garden", "tulips tomorrow")
    for person in (alice, bob):
        person.run("listen", "--count", "1", says="tulips tomorrow")
    bob.run("group", "rename", "garden", "orchard", code=1)  # no admin
    alice.run("group", "rename", "garden", "orchard", says="renamed")
    for person in (bob, carol):
        person.run("sync")
        assert any(c["name"] == "orchard" for c in person.json("group", "list")), person.name
    alice.run("group", "promote", "orchard", "bob@a.test", says="admin")
    bob.run("sync")
    bob.run("group", "show", "orchard", says=["admin", "member"])
    carol.run("send", "orchard", "for alice alone", "--to", "alice@a.test", says="sent")
    alice.run("listen", "--count", "1", says=r"\(to one\)  for alice alone")
    bob.run("sync")
    assert "for alice alone" not in bob.run("history", "orchard")
    bob.run("group", "notify", "orchard", "direct", says="notify")
    assert [c["notify"] for c in bob.json("group", "list") if c["name"] == "orchard"] == [2]
    bob.run("group", "notify", "orchard", "sometimes", code=2, says="all, direct or none")
    carol.run("group", "update", "orchard", says="updated")
    alice.run("profile", "set", "Alice in the Garden", says="profile")
    carol.run("sync")
    alice.run("sync")
    for _ in range(3):
        carol.run("sync")
    assert "Alice in the Garden" in carol.run("contact", "list")


def second_device(server, alice, bob):
    phone = Person(BIN, server, "bobs-phone")
    linking = phone.start("device", "link", "--domain", "a.test", "--device", "phone", "--homeserver", server.where,
                          "--ca", server.ca)
    code = linking.stdout.readline().split()
    if code[:1] != ["code"]:
        raise Failed(f"device link: {code} {linking.stdout.read()}")
    bob.run("device", "add", "WRONG-CODE", code=None)
    bob.run("device", "add", code[1], says="added")
    rest = linking.communicate(timeout=180)[0]
    if linking.returncode != 0:
        raise Failed(f"device link: exit {linking.returncode}\n{rest}")
    bob.run("sync")
    phone.run("sync")
    alice.run("sync")
    alice.run("send", "orchard", "to all devices")
    bob.run("listen", "--count", "1", says="to all devices")
    phone.run("listen", "--count", "1", says="to all devices")
    phone.run("send", "orchard", "from the phone", says="sent")
    alice.run("listen", "--count", "1", says="from the phone")
    bob.run("device", "list", says=["laptop", "phone"])
    return phone


def files(server, alice, bob):
    path, copy = (os.path.join(server.scratch.name, n) for n in ("letter", "copy"))
    with open(path, "wb") as out:
        out.write(os.urandom(3 << 20))
    alice.run("file", "send", "bob@a.test", path, says="sent")
    message = [e for e in bob.json("listen", "--count", "1") if e.get("file_bytes")][0]
    bob.run("file", "get", "alice@a.test", str(message["number"]), copy, says="saved")
    assert open(path, "rb").read() == open(copy, "rb").read()
    bob.run("file", "get", "alice@a.test", str(message["number"]), copy, code=1)  # it exists


def comparing(alice, bob):
    number = alice.json("verify", "bob@a.test")[0]["digits"]
    assert number == bob.json("verify", "alice@a.test")[0]["digits"]
    bob.run("verify", "alice@a.test", number, says="same")
    bob.run("verify", "alice@a.test", number[:-1] + ("1" if number[-1] != "1" else "2"), code=3, says="differ")


def leaving(alice, bob, carol, phone):
    carol.run("group", "leave", "orchard", says="left")
    for person in (alice, bob, phone, alice, bob):
        person.run("sync")
        time.sleep(1)
    people = alice.json("group", "show", "orchard")[0]["people"]
    assert len(people) == 2, people
    alice.run("group", "remove", "orchard", "bob@a.test", says="removed")
    bob.run("sync")
    bob.run("send", "orchard", "still there?", code=1)
    assert len(alice.json("group", "show", "orchard")[0]["people"]) == 1
    alice.run("group", "delete", "orchard", "--yes", says="deleted")


def ending(alice, bob, carol, phone):
    bob.run("device", "remove", "phone", "--yes", says="removed")
    assert len(bob.json("device", "list")) == 1
    phone.run("send", "alice@a.test", "am I in?", code=None)
    bob.run("contact", "remove", "alice@a.test", "--yes", says="removed")
    carol.run("account", "delete", "--no-input", code=2)
    carol.run("account", "delete", typed=["y\n"], says="deleted")
    assert not os.path.exists(carol.folder), os.listdir(carol.folder)
    carol.run("account", "show", code=4)
    alice.run("contact", "add", "carol@a.test", code=None)


def hostile(server, alice, bob):
    """What others write does nothing to the terminal, and stays JSON."""
    nasty = b"\x1b]0;owned\x07\x1b[2Jred \xc2\x9b31m \xe2\x80\xaegnp\rover end\n12:00:00  carol@a.test  forged"
    alice.run("profile", "set", "Al\x1b[2Jice\ncontact  eve@a.test")
    for line in (nasty, b"second"):
        done = subprocess.run(alice.words("send", "bob@a.test", "-"), input=line, capture_output=True, timeout=180)
        assert done.returncode == 0, done
    no_text = subprocess.run(alice.words("send", "bob@a.test", "-"), input=b"caf\xe9", capture_output=True, timeout=180)
    assert no_text.returncode == 2 and b"UTF-8" in no_text.stderr, no_text
    for words in (["listen", "--count", "2", "--timeout", "20"], ["history", "alice@a.test"], ["contact", "list"]):
        out = subprocess.run(bob.words(*words), capture_output=True, timeout=180).stdout
        text = out.decode("utf-8")  # strictly
        assert not [c for c in text if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0 or c == "\u202e"], out
        assert not re.search(r"^(12:00:00|contact  eve)", text, re.M), out
    said = bob.json("history", "alice@a.test")
    assert any(m["text"].startswith("\x1b]0;owned") for m in said), said  # there in full, as data
    assert alice.json("send", b"\xff\xfe", "hi", code=4)[0]["exit"] == 4
    assert alice.json("--jsn", "account", "show", code=2)[0]["exit"] == 2
    bob.run("-p", "../bob", "account", "show", code=2, says="no name for a profile")
    chat = subprocess.run(bob.words("--json", "chat", "alice@a.test"), input=b"hello\n", capture_output=True, timeout=180)
    assert chat.returncode == 0 and b"\x1b" not in chat.stdout, chat
    alice.run("sync", says="hello")


def outputs(alice, bob):
    """What can't be written is not taken, and is an error."""
    bob.run("sync")
    alice.run("send", "bob@a.test", "unread")
    for target in ("/dev/full", "pipe"):
        ends = os.pipe()
        os.close(ends[0])
        with (open(target, "wb") if target != "pipe" else os.fdopen(ends[1], "wb")) as out:
            done = subprocess.run(bob.words("listen"), stdout=out, stderr=subprocess.PIPE, timeout=90)
        assert done.returncode == 1 and b"could not be written" in done.stderr, done
    bob.run("listen", "--count", "1", says="unread")


def secrets(server, bob):
    """Every way in which a key or passphrase is not there says so; one comes through a pipe, too."""
    dave = Person(BIN, server, "dave")
    path = os.path.join(server.scratch.name, "passphrase")
    with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
        out.write("correct horse\n")
    create = ["account", "create", "--invite", server.invite(), "--homeserver", server.where, "--ca", server.ca]
    os.chmod(path, 0o640)
    dave.run(*create, "--passphrase-file", path, code=1, says="read by others")
    os.chmod(path, 0o600)
    dave.run(*create, "--passphrase-file", path, says="account +on")
    assert not os.path.exists(os.path.join(dave.folder, "account.key"))
    done = subprocess.run(dave.words("--passphrase-file", "/dev/stdin", "account", "show"), input=b"correct horse\n",
                          capture_output=True, timeout=180)
    assert done.returncode == 0, done
    dave.run("account", "show", "--no-input", code=1, says="nobody to ask")
    dave.run("--passphrase-file", server.scratch.name, "account", "show", code=1, says="directory")
    dave.run("--passphrase-file", "/dev/null", "account", "show", code=1, says="holds no secret")
    with open(path, "w") as out:
        out.write("wrong\n")
    dave.run("--passphrase-file", path, "account", "show", code=1, says="right passphrase")
    key = os.path.join(bob.folder, "account.key")
    kept = open(key, "rb").read()
    os.truncate(key, 5)
    bob.run("account", "show", code=1, says="too short")
    with open(key, "wb") as out:
        out.write(kept)
    for person in (bob, dave):
        for name in os.listdir(person.folder):
            mode = os.stat(os.path.join(person.folder, name)).st_mode & 0o777
            assert mode == 0o600 or name == "settings", (name, oct(mode))
            held = open(os.path.join(person.folder, name), "rb").read()
            assert b"alice@" not in held and b"hello over the fence" not in held, name
        assert os.stat(person.folder).st_mode & 0o777 == 0o700


def words(alice):
    alice.run("grup", "list", code=2, says='did you mean "hearth group"')
    alice.run("group", "lits", code=2, says='did you mean "hearth group list"')
    alice.run("group", "list", "--jsn", code=2, says="did you mean --json")
    alice.run("help", says="exit codes")
    assert ".TH HEARTH 1" in alice.run("help", "--man")
    assert "complete" in alice.run("completions", "bash")
    assert "clients" in alice.run("rpc", "hearth.v1.Auth/ListClients")
    alice.run("rpc", "hearth.v1.Auth/Nothing", code=2)
    # more than the free allowance; RFC 9420 signature and the request's, and nothing for the tokens that pay
    for cost in alice.json("bench", "--count", "80", "--tokens"):
        assert cost["signatures"] <= 2.2 and cost["verifications"] <= 1.1 and cost["exchanges"] <= 0.1, cost
        assert cost["calls"] <= 1.05 and cost["group"] == 0, cost
    alice.run("rpc", "Auth/CheckInvitation", '{"code": "00"}', code=64 + 3)  # INVALID_ARGUMENT


def receipts(alice):
    """What was accepted and what was refused, both signed."""
    alice.run("handle", "add", "bob", code=None)  # taken
    kept = alice.json("receipts")
    accepted = {r["method"].rsplit("/", 1)[1] for r in kept if r["accepted"]}
    assert {"RegisterUser", "CreateHandle", "CreateGroup", "Commit"} <= accepted, kept
    assert any(not r["accepted"] and r["method"].endswith("/CreateHandle") for r in kept), kept
    assert all(len(r["request_sha256"]) == 64 and r["bytes"] > 100 and r["domain"] == "a.test" for r in kept), kept
    alice.run("receipts", says="changes that were accepted")


def main():
    with Homeserver(BIN) as server:
        alice, bob, carol = (Person(BIN, server, name) for name in ("alice", "bob", "carol"))
        phone = None
        steps = [("registering", lambda: registering(server, alice, bob, carol)), ("words", lambda: words(alice)),
                 ("interrupted", lambda: interrupted(server)), ("handles", lambda: handles(alice, bob)), ("contacts", lambda: contacts(alice, bob, carol)),
                 ("talking", lambda: talking(alice, bob)),
                 ("hostile", lambda: hostile(server, alice, bob)), ("outputs", lambda: outputs(alice, bob)),
                 ("secrets", lambda: secrets(server, bob)), ("group", lambda: group(server, alice, bob, carol))]
        for name, step in steps:
            began = time.time()
            step()
            print(f"ok  {name}  {time.time() - began:.1f} s", flush=True)
        began = time.time()
        phone = second_device(server, alice, bob)
        print(f"ok  second_device  {time.time() - began:.1f} s", flush=True)
        for name, step in [("files", lambda: files(server, alice, bob)), ("comparing", lambda: comparing(alice, bob)),
                           ("receipts", lambda: receipts(alice)),
                           ("leaving", lambda: leaving(alice, bob, carol, phone)),
                           ("ending", lambda: ending(alice, bob, carol, phone))]:
            began = time.time()
            step()
            print(f"ok  {name}  {time.time() - began:.1f} s", flush=True)


try:
    main()
except Failed as e:
    print(f"FAIL  {e}")
    sys.exit(1)
