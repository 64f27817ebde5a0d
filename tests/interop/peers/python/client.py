"""The interoperability client on grpcio, to call our server."""
import queue
import sys

import grpc

import testservice

flags = testservice.parse({"server_host": "localhost", "server_port": 0, "server_host_override": "",
                           "test_case": "large_unary", "use_tls": False, "use_test_ca": False})
messages = testservice.Messages(flags.messages)
m = messages.all
REQUESTS, RESPONSES = (27182, 8, 1828, 45904), (31415, 9, 2653, 58979)
METADATA = (("x-grpc-test-echo-initial", "test_initial_metadata_value"),
            ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab"))


def open_channel():
    target = f"{flags.server_host}:{flags.server_port}"
    if not flags.use_tls:
        return grpc.insecure_channel(target)
    roots = testservice.credential("ca.pem") if flags.use_test_ca else None
    options = [("grpc.ssl_target_name_override", flags.server_host_override)] if flags.server_host_override else []
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(roots), options)


def method(channel, name, service=testservice.SERVICE):
    request, response, streams_in, streams_out = messages.methods()[name]
    form = {(False, False): channel.unary_unary, (False, True): channel.unary_stream,
            (True, False): channel.stream_unary, (True, True): channel.stream_stream}[streams_in, streams_out]
    return form(f"/{service}/{name}", request_serializer=request.SerializeToString,
                response_deserializer=response.FromString)


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def ends_with(call, code, details=None):
    """call() raises RpcError with this code."""
    try:
        call()
    except grpc.RpcError as error:
        check(error.code() == code, f"{error.code()}, want {code}")
        check(details is None or error.details() == details, f"details are {error.details()!r}")
        return
    check(code is grpc.StatusCode.OK, f"OK, want {code}")


def large():
    return m.SimpleRequest(response_size=314159, payload=messages.payload(271828))


def output(request_bytes, *sizes):
    return m.StreamingOutputCallRequest(payload=messages.payload(request_bytes),
                                        response_parameters=[m.ResponseParameters(size=size) for size in sizes])


def is_zeros(payload, size):
    check(payload.body == bytes(size), f"a payload of {len(payload.body)} bytes, want {size} zeros")


class Requests:
    """An iterator that is fed while the call runs; None ends it."""

    def __init__(self):
        self.queue = queue.Queue()

    def __iter__(self):
        return iter(self.queue.get, None)

    def send(self, item):
        self.queue.put(item)


def empty_unary(channel):
    check(method(channel, "EmptyCall")(messages.empty()) == messages.empty(), "not empty")


def large_unary(channel):
    is_zeros(method(channel, "UnaryCall")(large()).payload, 314159)


def client_compressed_unary(channel):
    request = large()
    request.expect_compressed.value = True
    call = method(channel, "UnaryCall")
    ends_with(lambda: call(request), grpc.StatusCode.INVALID_ARGUMENT)
    is_zeros(call(request, compression=grpc.Compression.Gzip).payload, 314159)
    request.expect_compressed.value = False
    is_zeros(call(request).payload, 314159)


def server_compressed_unary(channel):
    """grpcio reads both, but can't tell which it was."""
    request = large()
    for compressed in (True, False):
        request.response_compressed.value = compressed
        is_zeros(method(channel, "UnaryCall")(request).payload, 314159)


def client_streaming(channel):
    requests = (m.StreamingInputCallRequest(payload=messages.payload(size)) for size in REQUESTS)
    total = method(channel, "StreamingInputCall")(requests).aggregated_payload_size
    check(total == 74922, f"{total} bytes counted")


def server_streaming(channel):
    sizes = [len(item.payload.body) for item in method(channel, "StreamingOutputCall")(output(0, *RESPONSES))]
    check(sizes == list(RESPONSES), f"sizes {sizes}")


def ping_pong(channel):
    requests = Requests()
    responses = method(channel, "FullDuplexCall")(iter(requests))
    for request, response in zip(REQUESTS, RESPONSES):
        requests.send(output(request, response))
        is_zeros(next(responses).payload, response)
    requests.send(None)
    check(list(responses) == [], "more responses")


def half_duplex(channel):
    responses = method(channel, "HalfDuplexCall")(output(q, r) for q, r in zip(REQUESTS, RESPONSES))
    sizes = [len(item.payload.body) for item in responses]
    check(sizes == list(RESPONSES), f"sizes {sizes}")


def empty_stream(channel):
    check(list(method(channel, "FullDuplexCall")(iter(()))) == [], "responses to nothing")


def echoed(call):
    check(dict(call.initial_metadata()).get(METADATA[0][0]) == METADATA[0][1], "initial metadata")
    check(dict(call.trailing_metadata()).get(METADATA[1][0]) == METADATA[1][1], "trailing metadata")


def custom_metadata(channel):
    response, call = method(channel, "UnaryCall").with_call(large(), metadata=METADATA)
    is_zeros(response.payload, 314159)
    echoed(call)
    call = method(channel, "FullDuplexCall")(iter([output(271828, 314159)]), metadata=METADATA)
    is_zeros(next(call).payload, 314159)
    check(list(call) == [], "more responses")
    echoed(call)


def unary_status(channel, text):
    request = m.SimpleRequest(response_status=m.EchoStatus(code=2, message=text))
    ends_with(lambda: method(channel, "UnaryCall")(request), grpc.StatusCode.UNKNOWN, text)


def status_code_and_message(channel):
    text = "test status message"
    unary_status(channel, text)
    request = m.StreamingOutputCallRequest(response_status=m.EchoStatus(code=2, message=text))
    ends_with(lambda: list(method(channel, "FullDuplexCall")(iter([request]))), grpc.StatusCode.UNKNOWN, text)


def special_status_message(channel):
    unary_status(channel, "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n")


def unimplemented_method(channel):
    ends_with(lambda: method(channel, "UnimplementedCall")(messages.empty()), grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(channel):
    call = method(channel, "UnimplementedCall", "grpc.testing.UnimplementedService")
    ends_with(lambda: call(messages.empty()), grpc.StatusCode.UNIMPLEMENTED)


def cancel_after_begin(channel):
    call = method(channel, "StreamingInputCall").future(iter(Requests()))
    call.cancel()
    check(call.cancelled() and call.code() is grpc.StatusCode.CANCELLED, f"{call.code()}")


def cancel_after_first_response(channel):
    requests = Requests()
    responses = method(channel, "FullDuplexCall")(iter(requests))
    requests.send(output(27182, 31415))
    is_zeros(next(responses).payload, 31415)
    responses.cancel()
    ends_with(lambda: next(responses), grpc.StatusCode.CANCELLED)


def timeout_on_sleeping_server(channel):
    requests = Requests()
    requests.send(output(27182))
    call = method(channel, "FullDuplexCall")(iter(requests), timeout=0.001)
    ends_with(lambda: next(call), grpc.StatusCode.DEADLINE_EXCEEDED)
    requests.send(None)


def rpc_soak(channel):
    for _ in range(10):
        large_unary(channel)


def channel_soak(_channel):
    for _ in range(10):
        with open_channel() as channel:
            large_unary(channel)


def main():
    case = globals().get(flags.test_case)
    if case is None:
        sys.exit(f"no test case {flags.test_case}")
    with open_channel() as channel:
        case(channel)


main()
