"""What both ends on grpcio share: flags, the generated messages, and the methods of grpc.testing.TestService by name
(grpcio takes functions that read and write messages: no generated stubs are needed)."""
import argparse
import os
import sys

import grpc

SERVICE = "grpc.testing.TestService"


def boolean(text):
    return text.lower() in ("true", "1", "yes")


def parse(flags):
    """flags: name -> default. Official flags, and --messages: the folder that protoc wrote to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--messages", required=True)
    for name, default in flags.items():
        parser.add_argument(f"--{name}", default=default, type=boolean if isinstance(default, bool) else type(default))
    return parser.parse_args()


def credential(name):
    with open(os.path.join(os.environ["HEARTH_TEST_CREDS"], name), "rb") as file:
        return file.read()


class Messages:
    def __init__(self, folder):
        # the generated modules are grpc.testing.*: they live inside grpcio's own package
        grpc.__path__.append(os.path.join(folder, "grpc"))
        from grpc.testing import empty_pb2, messages_pb2  # pylint: disable=all
        self.empty, self.all = empty_pb2.Empty, messages_pb2
        self.zeros = bytes(1 << 20)

    def methods(self):
        """name -> (request, response, request stream, response stream)"""
        m = self.all
        simple = (m.SimpleRequest, m.SimpleResponse, False, False)
        output = (m.StreamingOutputCallRequest, m.StreamingOutputCallResponse)
        return {
            "EmptyCall": (self.empty, self.empty, False, False),
            "UnaryCall": simple,
            "CacheableUnaryCall": simple,
            "StreamingOutputCall": (*output, False, True),
            "StreamingInputCall": (m.StreamingInputCallRequest, m.StreamingInputCallResponse, True, False),
            "FullDuplexCall": (*output, True, True),
            "HalfDuplexCall": (*output, True, True),
            "UnimplementedCall": (self.empty, self.empty, False, False),
        }

    def payload(self, size):
        return self.all.Payload(body=self.zeros[:size])
