"""grpc.testing.TestService on grpcio, for our client to call."""
import concurrent.futures
import signal
import threading
import time

import grpc

import testservice

flags = testservice.parse({"port": 0, "use_tls": False})
messages = testservice.Messages(flags.messages)
STATUS = {code.value[0]: code for code in grpc.StatusCode}


def echo_metadata(context):
    given = dict(context.invocation_metadata())
    initial, trailing = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"
    if initial in given:
        context.send_initial_metadata(((initial, given[initial]),))
    if trailing in given:
        context.set_trailing_metadata(((trailing, given[trailing]),))


def fail_as_asked(request, context):
    if request.HasField("response_status") and request.response_status.code:
        context.abort(STATUS[request.response_status.code], request.response_status.message)


def empty_call(_request, context):
    echo_metadata(context)
    return messages.empty()


def unary_call(request, context):
    echo_metadata(context)
    fail_as_asked(request, context)
    if request.response_compressed.value:
        context.set_compression(grpc.Compression.Gzip)
    return messages.all.SimpleResponse(payload=messages.payload(request.response_size),
                                       server_id="python" if request.fill_server_id else "")


def answers(request, context):
    """Compression is a matter of the whole call, which single messages may leave out."""
    if any(parameters.compressed.value for parameters in request.response_parameters):
        context.set_compression(grpc.Compression.Gzip)
    for parameters in request.response_parameters:
        if parameters.interval_us:
            time.sleep(parameters.interval_us / 1e6)
        if not parameters.compressed.value:
            context.disable_next_message_compression()
        yield messages.all.StreamingOutputCallResponse(payload=messages.payload(parameters.size))


def streaming_output_call(request, context):
    echo_metadata(context)
    fail_as_asked(request, context)
    yield from answers(request, context)


def streaming_input_call(requests, context):
    echo_metadata(context)
    total = sum(len(request.payload.body) for request in requests)
    return messages.all.StreamingInputCallResponse(aggregated_payload_size=total)


def full_duplex_call(requests, context):
    echo_metadata(context)
    for request in requests:
        fail_as_asked(request, context)
        yield from answers(request, context)


def half_duplex_call(requests, context):
    echo_metadata(context)
    for request in list(requests):
        yield from answers(request, context)


HANDLERS = {"EmptyCall": empty_call, "UnaryCall": unary_call, "StreamingOutputCall": streaming_output_call,
            "StreamingInputCall": streaming_input_call, "FullDuplexCall": full_duplex_call,
            "HalfDuplexCall": half_duplex_call}
FORMS = {(False, False): grpc.unary_unary_rpc_method_handler, (False, True): grpc.unary_stream_rpc_method_handler,
         (True, False): grpc.stream_unary_rpc_method_handler, (True, True): grpc.stream_stream_rpc_method_handler}


def handler(name, behaviour):
    request, response, streams_in, streams_out = messages.methods()[name]
    return FORMS[streams_in, streams_out](behaviour, request_deserializer=request.FromString,
                                          response_serializer=response.SerializeToString)


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=8))
    table = {name: handler(name, behaviour) for name, behaviour in HANDLERS.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(testservice.SERVICE, table),))
    address = f"0.0.0.0:{flags.port}"
    if flags.use_tls:
        pair = (testservice.credential("server1.key"), testservice.credential("server1.pem"))
        server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
    else:
        server.add_insecure_port(address)
    server.start()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    over.wait()
    server.stop(0).wait()


main()
