#!/usr/bin/python3
"""Health and reflection of a server of ours, asked by Python's gRPC: usage: standard.py BENCH_SERVER"""
import os
import subprocess
import sys
import tempfile

try:
    import grpc
    from google.protobuf import descriptor_pb2
except ImportError as missing:
    print(f"SKIP {missing}")
    sys.exit(77)

FILES = ["grpc/health/v1/health.proto", "grpc/reflection/v1/reflection.proto",
         "grpc/reflection/v1alpha/reflection.proto"]
scratch = tempfile.TemporaryDirectory()
subprocess.check_call(["protoc", "-I", "proto", "--python_out", scratch.name, *FILES])
os.environ["PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"] = "python"


def load(name):
    """A generated module by path: packages called `grpc` would hide the library."""
    import importlib.util
    spec = importlib.util.spec_from_file_location(name.replace("/", "_"), f"{scratch.name}/{name}_pb2.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


health = load("grpc/health/v1/health")
checks = 0


def same(got, want, what):
    global checks
    checks += 1
    if got != want:
        sys.exit(f"FAILED {what}: got {got!r}, want {want!r}")


def call(channel, kind, path, request, response):
    return getattr(channel, kind)(path, request_serializer=request.SerializeToString,
                                  response_deserializer=response.FromString)


def check_health(channel):
    base = "/grpc.health.v1.Health/"
    check = call(channel, "unary_unary", base + "Check", health.HealthCheckRequest, health.HealthCheckResponse)
    for name in ("", "bench.Echo", "grpc.health.v1.Health"):
        same(check(health.HealthCheckRequest(service=name), timeout=5).status, 1, f"Check {name}")
    try:
        check(health.HealthCheckRequest(service="bench.Nothing"), timeout=5)
        sys.exit("FAILED Check of an unknown service was answered")
    except grpc.RpcError as error:
        same(error.code(), grpc.StatusCode.NOT_FOUND, "Check unknown")
    every = call(channel, "unary_unary", base + "List", health.HealthListRequest, health.HealthListResponse)
    statuses = every(health.HealthListRequest(), timeout=5).statuses
    same(sorted(statuses), ["", "bench.Echo", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                            "grpc.reflection.v1alpha.ServerReflection"], "List")
    same({value.status for value in statuses.values()}, {1}, "List says serving")


def check_reflection(channel, version):
    module = load(f"grpc/reflection/{version}/reflection")
    ask = call(channel, "stream_stream", f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
               module.ServerReflectionRequest, module.ServerReflectionResponse)

    def question(**what):
        return module.ServerReflectionRequest(host="h", **what)

    def files(answer):
        out = [descriptor_pb2.FileDescriptorProto.FromString(raw)
               for raw in answer.file_descriptor_response.file_descriptor_proto]
        return [file.name for file in out]

    extension = module.ExtensionRequest(containing_type="google.protobuf.MethodOptions", extension_number=50100)
    questions = [
        question(list_services="*"),
        question(file_by_filename="bench.proto"),
        question(file_by_filename="nothing.proto"),
        question(file_containing_symbol="bench.Echo"),
        question(file_containing_symbol="bench.Echo.Unary"),
        question(file_containing_symbol="bench.EchoRequest"),
        question(file_containing_symbol="bench.EchoRequest.payload"),
        question(file_containing_symbol="grpc.health.v1.HealthCheckResponse.ServingStatus"),
        question(file_containing_symbol="grpc.health.v1.HealthCheckResponse.SERVING"),
        question(file_containing_symbol=f"grpc.reflection.{version}.ServerReflectionRequest.message_request"),
        question(file_containing_symbol="bench.Nothing"),
        question(file_containing_symbol=""),
        question(file_containing_extension=extension),
        question(all_extension_numbers_of_type="bench.EchoRequest"),
        question(all_extension_numbers_of_type="bench.Nothing"),
    ]
    answers = list(ask(iter(questions), timeout=10))
    same(len(answers), len(questions), f"{version}: one answer each")
    for asked, answer in zip(questions, answers):
        same(answer.original_request, asked, f"{version}: the question comes back")
        same(answer.valid_host, "h", f"{version}: the host comes back")
    names = [service.name for service in answers[0].list_services_response.service]
    same(sorted(names), ["bench.Echo", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                         "grpc.reflection.v1alpha.ServerReflection"], f"{version}: list_services")
    for i in (1, 3, 4, 5, 6):
        same(files(answers[i]), ["bench.proto"], f"{version}: {questions[i]}")
    for i in (7, 8):
        same(files(answers[i]), ["grpc/health/v1/health.proto"], f"{version}: {questions[i]}")
    same(files(answers[9]), [f"grpc/reflection/{version}/reflection.proto"], f"{version}: oneof")
    for i in (2, 10, 11, 12, 14):
        same(answers[i].error_response.error_code, 5, f"{version}: {questions[i]} is not found")
    numbers = answers[13].all_extension_numbers_response
    same((numbers.base_type_name, list(numbers.extension_number)), ("bench.EchoRequest", []), f"{version}: numbers")
    # many questions whose answers are larger: the server makes us wait rather than keep them all
    many = 10000
    count = 0
    for answer in ask((question(file_by_filename=f"grpc/reflection/{version}/reflection.proto")
                       for _ in range(many)), timeout=60):
        count += len(answer.file_descriptor_response.file_descriptor_proto)
    same(count, many, f"{version}: many answers")
    # a question that asks nothing ends the stream
    try:
        list(ask(iter([module.ServerReflectionRequest()]), timeout=5))
        sys.exit("FAILED an empty question was answered")
    except grpc.RpcError as error:
        same(error.code(), grpc.StatusCode.INVALID_ARGUMENT, "empty question")


def check_watch(channel, server):
    watch = call(channel, "unary_stream", "/grpc.health.v1.Health/Watch", health.HealthCheckRequest,
                 health.HealthCheckResponse)
    known = watch(health.HealthCheckRequest(service="bench.Echo"), timeout=20)
    unknown = watch(health.HealthCheckRequest(service="bench.Nothing"), timeout=20)
    same(next(known).status, 1, "Watch says serving")
    same(next(unknown).status, 3, "Watch says unknown")
    server.terminate()
    same(next(known).status, 2, "Watch says not serving when the server drains")
    for stream in (known, unknown):
        try:
            for _ in stream:
                pass
            sys.exit("FAILED Watch ended well")
        except grpc.RpcError as error:
            same(error.code(), grpc.StatusCode.UNAVAILABLE, "Watch ends with the server")
    same(server.wait(timeout=10), 0, "the drain did not wait for the watchers' deadline")


def main():
    server = subprocess.Popen([sys.argv[1], "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().split()[1]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            check_health(channel)
            for version in ("v1", "v1alpha"):
                check_reflection(channel, version)
            check_watch(channel, server)
    finally:
        server.kill()
    print(f"{checks} checks")


main()
