#!/usr/bin/python3
"""A client of a Hearth homeserver in Python, on stubs made from our .proto: registers a user with an invitation, lists its
clients, makes a queue and reads it.

usage: account.py TARGET CA_FILE INVITATION          (python3-grpcio, python3-protobuf, python3-cryptography, protoc)
"""
import hashlib
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

import hearth_auth as auth

HERE = os.path.dirname(os.path.abspath(__file__))
PROTO = os.path.join(HERE, "../../../proto")
scratch = tempfile.TemporaryDirectory()
subprocess.check_call(["protoc", "-I", PROTO, "--python_out", scratch.name, *(f"hearth/v1/{name}.proto" for name in
                       ("common", "info", "auth", "queue")), "hearth/options.proto"])
sys.path.insert(0, scratch.name)
from hearth.v1 import auth_pb2, info_pb2, queue_pb2  # noqa: E402


class Server:
    def __init__(self, target, ca_file, domain):
        credentials = grpc.ssl_channel_credentials(open(ca_file, "rb").read())
        options = (("grpc.ssl_target_name_override", domain),)
        self.channel, self.domain = grpc.secure_channel(target, credentials, options), domain

    def call(self, service, rpc, request, answer, signer=None):
        """signer: (key, caller kind, caller id)"""
        path = f"/hearth.v1.{service}/{rpc}"
        body = request.SerializeToString()
        metadata = ()
        if signer:
            key, kind, caller_id = signer
            metadata = (("hearth-auth-bin", auth.request_auth(key, kind, caller_id, self.domain, path, body)),)
        run = self.channel.unary_unary(path, request_serializer=lambda data: data, response_deserializer=answer.FromString)
        return run(body, metadata=metadata, timeout=20)


def fresh():
    return {"id": os.urandom(16)}


def main():
    target, ca_file, invitation = sys.argv[1:]
    domain, code, pin = auth.invitation(invitation)
    server = Server(target, ca_file, domain)

    facts = server.call("Info", "GetServerInfo", info_pb2.GetServerInfoRequest(), info_pb2.GetServerInfoResponse)
    assert facts.domain == domain, facts.domain
    keys = server.call("Info", "GetKeys", info_pb2.GetKeysRequest(), info_pb2.GetKeysResponse).keys
    root = next(key.key for key in keys if key.use == info_pb2.KEY_USE_AS_ROOT)
    assert hashlib.sha256(b"Hearth 1 Credential" + root).digest()[:16] == pin, "not the homeserver of the invitation"
    print(f"server    {domain}, {len(keys)} keys, its root is the one of the invitation")

    key, client = auth.generate(), os.urandom(16)
    user_id = os.urandom(16) + auth.vector(domain.encode())
    client_id = user_id + client
    account = server.call("Auth", "RegisterUser", auth_pb2.RegisterUserRequest(
        idempotency=fresh(), permit={"invitation": code}, credential_request=auth.credential_request(key, client_id),
        key_set=auth.first_key_set(key, user_id, client)), auth_pb2.RegisterUserResponse)
    print(f"account   credential of {len(account.credential)} bytes")

    me = (key, auth.CLIENT, client_id)
    clients = server.call("Auth", "ListClients", auth_pb2.ListClientsRequest(), auth_pb2.ListClientsResponse, me).clients
    assert [one.client_id for one in clients] == [client] and clients[0].credential == account.credential
    print("clients   1, this one")

    try:
        server.call("Auth", "ListClients", auth_pb2.ListClientsRequest(), auth_pb2.ListClientsResponse,
                    (auth.generate(), auth.CLIENT, client_id))
        raise SystemExit("a wrong signature was taken")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
    print("refused   the same request under another key")

    user_key, queue_key = auth.generate(), auth.generate()
    settings = {"auth_key": auth.public(queue_key), "queue_key": os.urandom(32), "notification_policy": 3}
    queue = server.call("Queue", "CreateQueueUser", queue_pb2.CreateQueueUserRequest(
        idempotency=fresh(), auth_key=auth.public(user_key), contact_key=os.urandom(32), client=settings),
        queue_pb2.CreateQueueUserResponse)
    items = server.call("Queue", "Dequeue", queue_pb2.DequeueRequest(), queue_pb2.DequeueResponse,
                        (queue_key, auth.QUEUE_CLIENT, queue.queue_client_id)).items
    print(f"queue     {len(items)} item, the first ratchet key (sequence {items[0].sequence})")
    assert len(items) == 1 and items[0].sequence == 0
    return 0


sys.exit(main())
