"""What is paired with what, as data: peers, and the cases each pair must pass.

A peer is how to start its server and its client; both take the official flags. prepare() makes it runnable in
`work` (compiles, installs) and returns None, or the reason why it can't be.
"""
import contextlib
import dataclasses
import fcntl
import filecmp
import os
import shutil
import subprocess
import sys
from typing import Callable

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROTO = os.path.join(HERE, "proto")

CORE = ["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
        "custom_metadata", "status_code_and_message", "special_status_message", "unimplemented_method",
        "unimplemented_service", "cancel_after_begin", "cancel_after_first_response", "timeout_on_sleeping_server"]
COMPRESSED = ["client_compressed_unary", "server_compressed_unary", "client_compressed_streaming",
              "server_compressed_streaming"]
MORE = ["half_duplex", "rpc_soak", "channel_soak", "slow_consumer", "pick_first_unary"]
OURS = CORE + COMPRESSED + MORE + ["cacheable_unary"]


@dataclasses.dataclass
class Peer:
    name: str
    server: Callable  # work folder -> command
    client: Callable
    prepare: Callable
    serves: list  # cases that our client runs against its server
    calls: list  # cases that its client knows
    environment: dict = dataclasses.field(default_factory=dict)


def run(command, folder=None, seconds=300):
    """None, or what the command said when it failed."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else (done.stderr or done.stdout)[-2000:]


@contextlib.contextmanager
def locked(folder):
    """One test at a time prepares what several need."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "lock"), "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def protos():
    return [os.path.join("grpc/testing", name) for name in ("empty.proto", "messages.proto", "test.proto")]


# ---- ours -----------------------------------------------------------------------------------------------------

def ours(binaries):
    def prepare(_work):
        for name in ("interop_server", "interop_client"):
            if not os.access(os.path.join(binaries, name), os.X_OK):
                return f"no {name} in {binaries}"
        return None
    return Peer("hearth", lambda _: [os.path.join(binaries, "interop_server")],
                # soak limits for machines that do other things meanwhile
                lambda _: [os.path.join(binaries, "interop_client"), "--slow_consumer_ms=1",
                           "--soak_per_iteration_max_acceptable_latency_ms=10000",
                           "--soak_overall_timeout_seconds=50"], prepare, OURS, OURS)


# ---- python ---------------------------------------------------------------------------------------------------

def system_python():
    """Debian's, which is where python3-grpcio goes, may not be the first on the path."""
    for python in ("/usr/bin/python3", sys.executable):
        if run([python, "-c", "import grpc, google.protobuf"], seconds=60) is None:
            return python
    return None


def python():
    folder = os.path.join(HERE, "peers", "python")

    def prepare(work):
        if system_python() is None:
            return "no grpcio: apt-get install python3-grpcio python3-protobuf"
        if not shutil.which("protoc"):
            return "no protoc"
        os.makedirs(work, exist_ok=True)
        return run(["protoc", "-I", PROTO, "--python_out", work, *protos()], PROTO)
    return Peer("python", lambda work: [system_python(), os.path.join(folder, "server.py"), "--messages", work],
                lambda work: [system_python(), os.path.join(folder, "client.py"), "--messages", work], prepare,
                # a server on grpcio is not told whether a request came compressed
                serves=CORE + MORE + ["server_compressed_unary", "server_compressed_streaming"],
                calls=CORE + ["half_duplex", "rpc_soak", "channel_soak", "client_compressed_unary",
                              "server_compressed_unary"])


# ---- C++ ------------------------------------------------------------------------------------------------------

def cpp():
    folder = os.path.join(HERE, "peers", "cpp")
    cases = CORE + COMPRESSED + MORE
    return Peer("cpp", lambda work: [os.path.join(work, "server")], lambda work: [os.path.join(work, "client")],
                lambda work: compile_cpp(folder, work), serves=cases, calls=cases)


def newer(program, sources):
    return os.path.exists(program) and all(os.path.getmtime(source) <= os.path.getmtime(program) for source in sources)


def compile_cpp(folder, work):
    """Server and client into work, unless they are there. None, or why not."""
    plugin = shutil.which("grpc_cpp_plugin")
    if not plugin or run(["pkg-config", "--exists", "grpc++"]) is not None:
        return "no gRPC C++: apt-get install libgrpc++-dev protobuf-compiler-grpc"
    sources = [os.path.join(folder, name) for name in ("server.cc", "client.cc", "common.h")]
    programs = [os.path.join(work, name) for name in ("server", "client")]
    with locked(work):
        if all(newer(program, sources) for program in programs):
            return None
        why = run(["protoc", "-I", PROTO, f"--plugin=protoc-gen-grpc={plugin}", "--cpp_out", work, "--grpc_out", work,
                   *protos()], PROTO)
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "grpc++", "protobuf"], capture_output=True,
                               text=True, check=True).stdout.split()
        generated = [os.path.join(work, "grpc/testing", name)
                     for name in ("empty.pb.cc", "messages.pb.cc", "test.pb.cc", "test.grpc.pb.cc")]
        objects = []
        for source in generated + sources[:2]:
            objects.append(os.path.join(work, os.path.basename(source) + ".o"))
            why = why or run(["g++", "-std=c++17", "-O1", "-c", "-I", work, "-I", folder, source, "-o", objects[-1]])
        for program, main in zip(programs, objects[-2:]):
            why = why or run(["g++", "-o", program, main, *objects[:4], *flags])
        return why


# ---- JavaScript -----------------------------------------------------------------------------------------------

NODE = os.path.join(ROOT, "build", "node")


def install_node_packages():
    """package.json's into build/node, unless they are there. None, or why not."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "no node and npm: apt-get install nodejs npm"
    wanted, installed = os.path.join(HERE, "package.json"), os.path.join(NODE, "installed.json")
    with locked(NODE):
        if os.path.exists(installed) and filecmp.cmp(wanted, installed, shallow=False):
            return None
        shutil.copy(wanted, os.path.join(NODE, "package.json"))
        why = run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], NODE, 240)
        if why:
            return f"npm install: {why}"
        shutil.copy(wanted, installed)
    return None


def javascript():
    folder = os.path.join(HERE, "peers", "js")

    def command(program):
        return lambda _: ["node", os.path.join(folder, program), f"--protos={PROTO}"]
    return Peer("js", command("server.js"), command("client.js"), lambda _: install_node_packages(),
                # a server on grpc-js neither compresses nor sees whether a request came compressed
                serves=CORE + MORE,
                calls=CORE + ["half_duplex", "rpc_soak", "channel_soak", "client_compressed_unary",
                              "server_compressed_unary", "server_compressed_streaming"],
                environment={"NODE_PATH": os.path.join(NODE, "node_modules")})


def peers(binaries):
    return [ours(binaries), python(), cpp(), javascript()]
