#!/usr/bin/python3
"""A client that a test commands line by line: registers, prints `user HEX`, then answers each line of stdin with a status.

usage: client.py TARGET CA_FILE INVITATION        lines: list, report TEXT
"""
import os
import subprocess
import sys
import tempfile

try:
    import grpc
    import cryptography  # noqa: F401
    import google.protobuf  # noqa: F401
except ImportError as missing:
    print(f"SKIP {missing}")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../docs/examples/python"))
import hearth_auth as auth  # noqa: E402

scratch = tempfile.TemporaryDirectory()
subprocess.check_call(["protoc", "-I", os.path.join(HERE, "../../proto"), "--python_out", scratch.name,
                       "hearth/v1/common.proto", "hearth/v1/auth.proto", "hearth/options.proto"])
sys.path.insert(0, scratch.name)
from hearth.v1 import auth_pb2  # noqa: E402


def main():
    target, ca_file, invitation = sys.argv[1:]
    domain, code, _ = auth.invitation(invitation)
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(open(ca_file, "rb").read()),
                                  (("grpc.ssl_target_name_override", domain),))
    key, client, uuid = auth.generate(), os.urandom(16), os.urandom(16)
    user = uuid + auth.vector(domain.encode())

    def call(rpc, request, signed=True):
        path, body = f"/hearth.v1.Auth/{rpc}", request.SerializeToString()
        metadata = (("hearth-auth-bin", auth.request_auth(key, auth.CLIENT, user + client, domain, path, body)),)
        try:
            channel.unary_unary(path)(body, metadata=metadata if signed else (), timeout=60)
            return "OK"
        except grpc.RpcError as error:
            return error.code().name

    fresh = lambda: {"id": os.urandom(16)}  # noqa: E731
    done = call("RegisterUser", auth_pb2.RegisterUserRequest(
        idempotency=fresh(), permit={"invitation": code}, credential_request=auth.credential_request(key, user + client),
        key_set=auth.first_key_set(key, user, client)), signed=False)
    print(f"user {uuid.hex()}" if done == "OK" else done, flush=True)
    for line in sys.stdin:
        verb, _, text = line.strip().partition(" ")
        if verb == "list":
            print(call("ListClients", auth_pb2.ListClientsRequest()), flush=True)
        elif verb == "report":
            print(call("ReportAbuse", auth_pb2.ReportAbuseRequest(idempotency=fresh(), report=text.encode())), flush=True)


main()
