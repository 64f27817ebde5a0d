#!/usr/bin/python3
"""Drives mls_client services through scripts, as the MLS working group's test runner does.

usage: runner.py [--suite N]... [--handshake public|private|all] [--combinations all|random] [--only NAME]
                 --client PROGRAM|HOST:PORT ... SCRIPTS.json...

A client given as a program is started on a free port and ended at the end. Scripts are JSON in the form of the
working group's interop/configs, so those can be run as they are; our own are scripts.json beside this file. Actors
are spread over the clients in every combination (all) or one at random (random, repeatable by --seed).
"""
import argparse
import base64
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile

try:
    import grpc
    import google.protobuf  # noqa: F401
except ImportError as missing:
    print(f"SKIP {missing}")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
scratch = tempfile.TemporaryDirectory()
subprocess.check_call(["protoc", "-I", os.path.join(HERE, "../proto/mls_client"), "--python_out", scratch.name,
                       "mls_client.proto"])
os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"
sys.path.insert(0, scratch.name)
import mls_client_pb2 as pb  # noqa: E402

TYPES = {m.name: (getattr(pb, m.input_type.name), getattr(pb, m.output_type.name))
         for m in pb.DESCRIPTOR.services_by_name["MLSClient"].methods}


class Client:
    def __init__(self, where):
        self.process = None
        if os.path.exists(where):
            self.process = subprocess.Popen([where, "--port", "0"], stdout=subprocess.PIPE, text=True)
            line = self.process.stdout.readline().split()
            if not line or line[0] != "ready":
                sys.exit(f"FAILED {where} did not start")
            where = f"127.0.0.1:{line[1]}"
        self.channel = grpc.insecure_channel(where)
        self.name = self.call("Name").name
        self.suites = set(self.call("SupportedCiphersuites").ciphersuites)

    def call(self, rpc, **fields):
        request, response = TYPES[rpc]
        method = self.channel.unary_unary(f"/mls_client.MLSClient/{rpc}",
                                          request_serializer=request.SerializeToString,
                                          response_deserializer=response.FromString)
        return method(request(**fields), timeout=120)

    def close(self):
        self.channel.close()
        if self.process is not None:
            self.process.terminate()
            code = self.process.wait()
            if code != 0:
                sys.exit(f"FAILED client ended with {code}")


class Disagreement(Exception):
    pass


def extensions(step):
    return [pb.Extension(extension_type=e["extension_type"], extension_data=base64.b64decode(e["extension_data"]))
            for e in step.get("extensions") or []]


class Run:
    """One script with one assignment of actors to clients. Steps are methods named after their action."""

    def __init__(self, clients, suite, private, seed):
        self.clients, self.suite, self.private = clients, suite, private
        self.random = random.Random(seed)
        self.state, self.transaction, self.signer = {}, {}, {}
        self.kept = []  # by step: what it made

    def rpc(self, actor, rpc, **fields):
        return self.clients[actor].call(rpc, **fields)

    def keep(self, **made):
        self.kept[-1].update(made)

    def made(self, step, name):
        return self.kept[step][name]

    def agree(self, who, got, want):
        if got != want:
            raise Disagreement(f"{who} has another epoch authenticator")

    def package(self, actor):
        answer = self.rpc(actor, "CreateKeyPackage", cipher_suite=self.suite, identity=actor.encode())
        self.transaction[actor] = answer.transaction_id
        return answer.key_package

    def join(self, actor, welcome, tree=b"", want=None):
        answer = self.rpc(actor, "JoinGroup", transaction_id=self.transaction[actor], welcome=welcome,
                          encrypt_handshake=self.private, identity=actor.encode(), ratchet_tree=tree)
        self.state[actor] = answer.state_id
        if want is not None:
            self.agree(actor, answer.epoch_authenticator, want)

    def handle(self, actor, commit, proposals=(), want=None):
        answer = self.rpc(actor, "HandleCommit", state_id=self.state[actor], commit=commit, proposal=proposals)
        self.state[actor] = answer.state_id
        if want is not None:
            self.agree(actor, answer.epoch_authenticator, want)

    def pending(self, actor):
        answer = self.rpc(actor, "HandlePendingCommit", state_id=self.state[actor])
        self.state[actor] = answer.state_id
        return answer.epoch_authenticator

    def describe(self, d):
        kind = d["proposalType"]
        made = pb.ProposalDescription(proposal_type=kind.encode())
        if kind == "add":
            made.key_package = self.made(d["keyPackage"], "key_package")
        elif kind == "remove":
            made.removed_id = d["removed"].encode()
        elif kind == "externalPSK":
            made.psk_id = self.made(d["pskID"], "psk_id")
        elif kind == "resumptionPSK":
            made.epoch_id = d["epochID"]
        else:
            made.extensions.extend(extensions(d))
        if kind == "reinit":
            if d.get("changeCipherSuite"):
                self.change_suite()
            made.cipher_suite = self.suite
            made.group_id = self.group_id(d.get("changeGroupID"))
        return made

    def group_id(self, changed):
        return self.made(0, "group_id") + (b"++" if changed else b"")

    def change_suite(self):
        common = set.intersection(*(c.suites for c in self.clients.values())) - {self.suite}
        self.suite = self.random.choice(sorted(common))

    def commit(self, step):
        return self.rpc(step["actor"], "Commit", state_id=self.state[step["actor"]],
                        by_reference=[self.made(i, "proposal") for i in step.get("byReference") or []],
                        by_value=[self.describe(d) for d in step.get("byValue") or []],
                        force_path=bool(step.get("force_path")), external_tree=bool(step.get("external_tree")))

    def createGroup(self, step):
        actor, group_id = step["actor"], self.random.randbytes(36)
        answer = self.rpc(actor, "CreateGroup", group_id=group_id, cipher_suite=self.suite,
                          encrypt_handshake=self.private, identity=actor.encode())
        self.state[actor] = answer.state_id
        self.keep(group_id=group_id)
        members = step.get("members") or []
        if not members:
            return
        adds = [pb.ProposalDescription(proposal_type=b"add", key_package=self.package(m)) for m in members]
        answer = self.rpc(actor, "Commit", state_id=self.state[actor], by_value=adds)
        want = self.pending(actor)
        for member in members:
            self.join(member, answer.welcome, want=want)

    def createKeyPackage(self, step):
        self.keep(key_package=self.package(step["actor"]))

    def joinGroup(self, step):
        self.join(step["actor"], self.made(step["welcome"], "welcome"))

    def groupInfo(self, step):
        answer = self.rpc(step["actor"], "GroupInfo", state_id=self.state[step["actor"]],
                          external_tree=bool(step.get("externalTree")))
        self.keep(group_info=answer.group_info, ratchet_tree=answer.ratchet_tree)

    def externalJoin(self, step):
        actor, joiner = step["actor"], step["joiner"]
        info = self.rpc(actor, "GroupInfo", state_id=self.state[actor], external_tree=bool(step.get("externalTree")))
        psks = [pb.PreSharedKey(psk_id=self.made(i, "psk_id"), psk_secret=self.made(i, "psk_secret"))
                for i in step.get("psks") or []]
        answer = self.rpc(joiner, "ExternalJoin", group_info=info.group_info, ratchet_tree=info.ratchet_tree,
                          encrypt_handshake=self.private, identity=joiner.encode(),
                          remove_prior=bool(step.get("removePrior")), psks=psks)
        self.state[joiner] = answer.state_id
        for member in (step.get("members") or []) + [actor]:
            self.handle(member, answer.commit, want=answer.epoch_authenticator)

    def installExternalPSK(self, step):
        psk_id, secret = self.random.randbytes(32), self.random.randbytes(32)
        self.keep(psk_id=psk_id, psk_secret=secret)
        for actor in step["clients"]:
            where = self.state.get(actor, self.transaction.get(actor, 0))
            self.rpc(actor, "StorePSK", state_or_transaction_id=where, psk_id=psk_id, psk_secret=secret)

    def propose(self, step, rpc, **fields):
        actor = step["actor"]
        self.keep(proposal=self.rpc(actor, rpc, state_id=self.state[actor], **fields).proposal)

    def addProposal(self, step):
        self.propose(step, "AddProposal", key_package=self.made(step["keyPackage"], "key_package"))

    def updateProposal(self, step):
        self.propose(step, "UpdateProposal")

    def removeProposal(self, step):
        self.propose(step, "RemoveProposal", removed_id=step["removed"].encode())

    def externalPSKProposal(self, step):
        self.propose(step, "ExternalPSKProposal", psk_id=self.made(step["pskID"], "psk_id"))

    def resumptionPSKProposal(self, step):
        self.propose(step, "ResumptionPSKProposal", epoch_id=step["epochID"])

    def groupContextExtensionsProposal(self, step):
        self.propose(step, "GroupContextExtensionsProposal", extensions=extensions(step))

    def fullCommit(self, step):
        answer = self.commit(step)
        want = self.pending(step["actor"])
        self.keep(commit=answer.commit, welcome=answer.welcome, epoch_authenticator=want)
        proposals = [self.made(i, "proposal") for i in step.get("byReference") or []]
        for member in step.get("members") or []:
            self.handle(member, answer.commit, proposals, want)
        for joiner in step.get("joiners") or []:
            self.join(joiner, answer.welcome, answer.ratchet_tree, want)
        self.check_state(step["actor"])

    def check_state(self, actor):
        """Everyone in the actor's epoch exports the same."""
        auth = self.rpc(actor, "StateAuth", state_id=self.state[actor]).state_auth_secret
        want = None
        for other, state in sorted(self.state.items()):
            if self.rpc(other, "StateAuth", state_id=state).state_auth_secret != auth:
                continue  # removed, or of another group
            got = self.rpc(other, "Export", state_id=state, label="exporter label", context=b"context",
                           key_length=48).exported_secret
            if want is not None and got != want:
                raise Disagreement(f"{other} exports another secret")
            want = got

    def commit_step(self, step):
        answer = self.commit(step)
        self.keep(commit=answer.commit, welcome=answer.welcome, ratchet_tree=answer.ratchet_tree)

    def handleCommit(self, step):
        self.handle(step["actor"], self.made(step["commit"], "commit"),
                    [self.made(i, "proposal") for i in step.get("byReference") or []])

    def handlePendingCommit(self, step):
        self.pending(step["actor"])

    def protect(self, step):
        aad, text = step["authenticatedData"].encode(), step["plaintext"].encode()
        answer = self.rpc(step["actor"], "Protect", state_id=self.state[step["actor"]], authenticated_data=aad,
                          plaintext=text)
        self.keep(ciphertext=answer.ciphertext, authenticatedData=aad, plaintext=text)

    def unprotect(self, step):
        source = self.kept[step["ciphertext"]]
        answer = self.rpc(step["actor"], "Unprotect", state_id=self.state[step["actor"]],
                          ciphertext=source["ciphertext"])
        if (answer.plaintext, answer.authenticated_data) != (source["plaintext"], source["authenticatedData"]):
            raise Disagreement("another text came out than went in")

    def reinit(self, step):
        committer, welcomer, proposer = step["committer"], step["welcomer"], step.get("proposer")
        everyone = {committer, welcomer, *(step.get("members") or []), *([proposer] if proposer else [])}
        group_id = self.group_id(step.get("changeGroupID"))
        if step.get("changeCipherSuite"):
            self.change_suite()
        if proposer:
            proposal = self.rpc(proposer, "ReInitProposal", state_id=self.state[proposer], group_id=group_id,
                                cipher_suite=self.suite, extensions=extensions(step)).proposal
        else:
            proposal = self.made(step["externalReinitProposal"], "proposal")
        commit = self.rpc(committer, "ReInitCommit", state_id=self.state[committer], by_reference=[proposal]).commit
        answers = {committer: self.rpc(committer, "HandlePendingReInitCommit", state_id=self.state[committer])}
        for member in sorted(everyone - {committer}):
            answers[member] = self.rpc(member, "HandleReInitCommit", state_id=self.state[member],
                                       proposal=[proposal], commit=commit)
            self.agree(member, answers[member].epoch_authenticator, answers[committer].epoch_authenticator)
        others = sorted(everyone - {welcomer})
        welcome = self.rpc(welcomer, "ReInitWelcome", reinit_id=answers[welcomer].reinit_id,
                           key_package=[answers[m].key_package for m in others],
                           force_path=bool(step.get("forcePath")), external_tree=bool(step.get("externalTree")))
        self.state[welcomer] = welcome.state_id
        for member in others:
            answer = self.rpc(member, "HandleReInitWelcome", reinit_id=answers[member].reinit_id,
                              welcome=welcome.welcome, ratchet_tree=welcome.ratchet_tree)
            self.state[member] = answer.state_id
            self.agree(member, answer.epoch_authenticator, welcome.epoch_authenticator)

    def branch(self, step):
        actor, members = step["actor"], step["members"]
        packages = [self.package(m) for m in members]
        answer = self.rpc(actor, "CreateBranch", state_id=self.state[actor], group_id=self.random.randbytes(36),
                          extensions=extensions(step), key_packages=packages,
                          force_path=bool(step.get("force_path")), external_tree=bool(step.get("external_tree")))
        self.state[actor] = answer.state_id
        for member in members:
            old = self.state[member]
            theirs = self.rpc(member, "HandleBranch", state_id=old, transaction_id=self.transaction[member],
                              welcome=answer.welcome, ratchet_tree=answer.ratchet_tree)
            self.agree(member, theirs.epoch_authenticator, answer.epoch_authenticator)
            self.state[member] = theirs.state_id
            self.rpc(member, "Free", state_id=old)

    def newMemberAddProposal(self, step):
        info = self.rpc(step["actor"], "GroupInfo", state_id=self.state[step["actor"]])
        answer = self.rpc(step["joiner"], "NewMemberAddProposal", group_info=info.group_info,
                          identity=step["joiner"].encode())
        self.transaction[step["joiner"]] = answer.transaction_id
        self.keep(proposal=answer.proposal)

    def addExternalSigner(self, step):
        answer = self.rpc(step["signer"], "CreateExternalSigner", cipher_suite=self.suite,
                          identity=step["signer"].encode())
        self.signer[step["signer"]] = answer.signer_id
        self.propose(step, "AddExternalSigner", external_sender=answer.external_sender)

    def externalSignerProposal(self, step):
        info = self.rpc(step["member"], "GroupInfo", state_id=self.state[step["member"]], external_tree=True)
        # the runner of the working group leaves the index out; ours can say which signer it is
        answer = self.rpc(step["actor"], "ExternalSignerProposal", signer_id=self.signer[step["actor"]],
                          signer_index=step.get("signerIndex", 0), group_info=info.group_info,
                          ratchet_tree=info.ratchet_tree, description=self.describe(step["description"]))
        self.keep(proposal=answer.proposal)

    def play(self, script):
        for number, step in enumerate(script):
            self.kept.append({})
            action = {"commit": "commit_step"}.get(step["action"], step["action"])
            try:
                getattr(self, action)(step)
            except (grpc.RpcError, Disagreement) as error:
                text = error.details() if isinstance(error, grpc.RpcError) else error
                return f"step {number} {step['action']}: {text}"
        return None


def actors_of(script):
    names = set()
    for step in script:
        for key in ("actor", "joiner", "signer", "proposer", "committer", "welcomer", "member"):
            if step.get(key):
                names.add(step[key])
        for key in ("members", "clients", "joiners"):
            names.update(step.get(key) or [])
    return sorted(names)


def assignments(actors, clients, mode, rng):
    if mode == "all" and len(clients) > 1:
        yield from itertools.product(clients, repeat=len(actors))
    else:
        yield tuple(rng.choice(clients) for _ in actors)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--client", action="append", required=True)
    parser.add_argument("--suite", action="append", type=int)
    parser.add_argument("--handshake", default="all", choices=["public", "private", "all"])
    parser.add_argument("--combinations", default="random", choices=["all", "random"])
    parser.add_argument("--only")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("scripts", nargs="*", default=[os.path.join(HERE, "scripts.json")])
    options = parser.parse_args()
    clients = [Client(where) for where in options.client]
    suites = options.suite or sorted(set.intersection(*(c.suites for c in clients)))
    rng = random.Random(options.seed)
    passed = failed = 0
    for path in options.scripts:
        for name, script in sorted(json.load(open(path))["scripts"].items()):
            if options.only and options.only != name:
                continue
            actors = actors_of(script)
            for suite, private in itertools.product(suites, (False, True)):
                if options.handshake == ("public" if private else "private"):
                    continue
                for chosen in assignments(actors, clients, options.combinations, rng):
                    why = Run(dict(zip(actors, chosen)), suite, private, options.seed).play(script)
                    passed, failed = passed + (why is None), failed + (why is not None)
                    if why is not None:
                        print(f"FAILED {name} suite {suite} {'private' if private else 'public'} "
                              f"{[c.name for c in chosen]}: {why}", flush=True)
    for client in clients:
        client.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
