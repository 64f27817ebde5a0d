#!/usr/bin/env python3
"""`buf curl` against our server: it knows no .proto but what reflection tells, and lists and calls the services.

usage: buf.py --bin build/dev/bin
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import credentials
import matrix
import run

METHODS = ["CacheableUnaryCall", "EmptyCall", "FullDuplexCall", "HalfDuplexCall", "StreamingInputCall",
           "StreamingOutputCall", "UnaryCall", "UnimplementedCall"]


def documents(text):
    """JSON documents one behind the other."""
    decoder, found, text = json.JSONDecoder(), [], text.strip()
    while text:
        document, end = decoder.raw_decode(text)
        found.append(document)
        text = text[end:].strip()
    return found


class Buf:
    def __init__(self, server, tls, creds):
        self.base = f"{'https' if tls else 'http'}://{'localhost' if tls else '127.0.0.1'}:{server.port}"
        self.common = [os.path.join(matrix.NODE, "node_modules", ".bin", "buf"), "curl", "--protocol", "grpc"]
        # over TLS, ALPN chooses h2
        self.common += ["--cacert", os.path.join(creds, "ca.pem")] if tls else ["--http2-prior-knowledge"]

    def __call__(self, *arguments, path=""):
        done = subprocess.run([*self.common, *arguments, self.base + path], capture_output=True, text=True, timeout=60,
                              check=False)
        return done.returncode, done.stdout, done.stderr

    def lines(self, *arguments):
        code, out, err = self(*arguments)
        return out.split() if code == 0 else f"exit {code}: {err}"

    def call(self, method, request, service="grpc.testing.TestService"):
        code, out, err = self("-d", json.dumps(request), path=f"/{service}/{method}")
        return documents(out) if code == 0 else f"exit {code}: {err.strip()}"


def checks(buf):
    """(what, seen, wanted or a predicate)"""
    services = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                "grpc.reflection.v1alpha.ServerReflection", "grpc.testing.TestService"]
    yield "services", buf.lines("--list-services"), services
    for protocol in ("grpc-v1", "grpc-v1alpha"):
        listed = buf.lines("--reflect-protocol", protocol, "--list-methods")
        yield f"methods by {protocol}", [name for name in listed if "TestService" in name], \
            [f"grpc.testing.TestService/{method}" for method in METHODS]
    yield "EmptyCall", buf.call("EmptyCall", {}), [{}]
    yield "UnaryCall", buf.call("UnaryCall", {"responseSize": 4}), [{"payload": {"body": "AAAAAA=="}}]
    yield "StreamingOutputCall", \
        buf.call("StreamingOutputCall", {"responseParameters": [{"size": 4}, {"size": 1}]}), \
        [{"payload": {"body": "AAAAAA=="}}, {"payload": {"body": "AA=="}}]
    yield "status", buf.call("UnaryCall", {"responseStatus": {"code": 5, "message": "no such \u263a"}}), \
        lambda seen: "not_found" in seen and "no such \u263a" in seen
    yield "UnimplementedCall", buf.call("UnimplementedCall", {}), lambda seen: "unimplemented" in seen
    yield "health", buf.call("Check", {}, "grpc.health.v1.Health"), [{"status": "SERVING"}]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--bin", required=True)
    arguments = parser.parse_args()
    ours = matrix.ours(os.path.abspath(arguments.bin))
    creds = tempfile.mkdtemp(prefix="hearth-creds-")
    why = ours.prepare(None) or matrix.install_node_packages() or credentials.make(creds)
    if why:
        print(f"SKIP {why}")
        return 77
    passed = failed = 0
    for tls in (False, True):
        with run.Server(ours, None, tls, creds) as server:
            for what, seen, wanted in checks(Buf(server, tls, creds)):
                good = wanted(seen) if callable(wanted) else seen == wanted
                passed, failed = passed + good, failed + (not good)
                print(f"{'pass' if good else 'FAIL'} {what} {'TLS' if tls else 'plain'}{'' if good else f': {seen}'}")
    shutil.rmtree(creds, ignore_errors=True)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
