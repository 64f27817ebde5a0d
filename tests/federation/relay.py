#!/usr/bin/python3
"""Somebody between two homeservers who has the certificate of one: passes calls on as they are, and does worse when told.

usage: relay.py LISTEN TARGET CERTIFICATE KEY CA DOMAIN

Lines of stdin say how Deliver is passed on from then on; each is answered by "now MODE":
    pass      as it is
    twice     a copy of the bytes, signature included, follows: "again CODE"
    lose      the answer is lost, so that the sender repeats: "lost"
    keep      not passed on, and the sender told so; "release" sends what was kept, oldest first: "released CODE"
    flip      one bit of the body is another one: "flipped CODE"
"""
import concurrent.futures
import sys
import threading

try:
    import grpc
except ImportError as missing:
    print(f"SKIP {missing}", flush=True)
    sys.exit(77)

DELIVER = "/hearth.v1.Federation/Deliver"
listen, target, certificate, key, ca, domain = sys.argv[1:]
SIZES = [("grpc.max_receive_message_length", 16 << 20), ("grpc.max_send_message_length", 16 << 20)]


def read(path):
    with open(path, "rb") as file:
        return file.read()


channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(read(ca)),
                              [*SIZES, ("grpc.ssl_target_name_override", domain)])
lock = threading.Lock()
state = {"mode": "pass", "kept": []}


def say(*words):
    with lock:
        print(*words, flush=True)


def forward(method, body, metadata):
    """The answer, or the error."""
    try:
        return channel.unary_unary(method)(body, metadata=metadata, timeout=60), None
    except grpc.RpcError as error:
        return None, error


def name(error):
    return error.code().name if error else "OK"


def serve(method, body, context):
    metadata = tuple((k, v) for k, v in context.invocation_metadata() if k.startswith("hearth-"))
    mode = state["mode"] if method == DELIVER else "pass"
    if mode == "keep":
        with lock:
            state["kept"].append((body, metadata))
        context.abort(grpc.StatusCode.UNAVAILABLE, "kept")
    if mode == "flip":
        body = body[:-3] + bytes([body[-3] ^ 1]) + body[-2:]
    out, error = forward(method, body, metadata)
    if mode == "twice":
        say("again", name(forward(method, body, metadata)[1]))
    elif mode == "flip":
        say("flipped", name(error))
    elif mode == "lose" and not error:
        say("lost")
        context.abort(grpc.StatusCode.UNAVAILABLE, "lost")
    if error:
        context.abort(error.code(), error.details())
    return out


class Handler(grpc.GenericRpcHandler):
    def service(self, details):
        method = details.method
        return grpc.unary_unary_rpc_method_handler(lambda body, context: serve(method, body, context))


server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=SIZES)
server.add_generic_rpc_handlers((Handler(),))
if server.add_secure_port(listen, grpc.ssl_server_credentials([(read(key), read(certificate))])) == 0:
    sys.exit("relay: can't listen")
server.start()
say("ready")
for line in sys.stdin:
    if line.strip() == "release":
        kept, state["kept"] = state["kept"], []
        for body, metadata in kept:
            say("released", name(forward(DELIVER, body, metadata)[1]))
    else:
        state["mode"] = line.strip()
        say("now", state["mode"])
server.stop(0)
