#!/usr/bin/env python3
"""The flags of interop_client in all forms in which scripts give them, and what must be refused.

usage: flags_test.py --bin build/dev/bin
"""
import argparse
import os
import subprocess
import sys
import tempfile

import credentials
import matrix
import run

# {port} is filled in; the exit code that is due
PLAIN = [
    (["--server_host=127.0.0.1", "--server_port={port}", "--test_case=empty_unary"], 0),
    (["--server_host", "127.0.0.1", "--server_port", "{port}", "--test_case", "empty_unary"], 0),
    (["-server_host=127.0.0.1", "-server_port", "{port}", "-test_case", "empty_unary"], 0),
    (["--server_host=127.0.0.1", "--server_port={port}", "--test_case=empty_unary", "--use_tls=false"], 0),
    (["--server_host=127.0.0.1", "--server_port={port}", "--use_tls", "false", "--test_case=empty_unary"], 0),
    (["--server_host=127.0.0.1", "--server_port={port}", "--nouse_tls", "--test_case=empty_unary"], 0),
    (["--server_host=localhost", "--server_port={port}", "--test_case=empty_unary,large_unary"], 0),
    (["--server_host=127.0.0.1", "--server_port={port}", "--test_case=empty_unary", "--server_host_override="], 0),
    (["--server_host=127.0.0.1", "--server_port={port}", "--test_case=empty_unary", "--oauth_scope=x"], 0),
    (["--server_host=127.0.0.1", "--server_port={port}", "--test_case=no_such_case"], 2),
    (["--server_host=127.0.0.1", "--server_port=x", "--test_case=empty_unary"], 2),
    (["--server_host=127.0.0.1", "--server_port={port}", "--test_case=empty_unary", "--use_tls=perhaps"], 2),
    (["--server_host=127.0.0.1", "--server_port={port}", "--test_case=empty_unary", "--unknown=1"], 2),
    (["empty_unary"], 2),
    # the server speaks no TLS
    (["--server_host=127.0.0.1", "--server_port={port}", "--test_case=empty_unary", "--use_tls=true"], 1),
]
OVER_TLS = ["--server_host=127.0.0.1", "--server_port={port}", "--test_case=empty_unary"]
NAMED = OVER_TLS + ["--server_host_override=foo.test.google.fr"]
TLS = [
    (NAMED + ["--use_tls=true", "--use_test_ca=true"], 0),
    (NAMED + ["--use_tls", "--use_test_ca"], 0),
    (NAMED + ["--use_tls", "true", "--use_test_ca", "true"], 0),
    (NAMED + ["--use_tls=true", "--use_test_ca=true", "--ca_file={ca}"], 0),
    # the system's roots don't know it; the name is not in the certificate; no TLS at all
    (NAMED + ["--use_tls=true"], 1),
    (OVER_TLS + ["--use_tls=true", "--use_test_ca=true", "--server_host_override=foo.example.org"], 1),
    (NAMED + ["--use_tls=false"], 1),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--bin", required=True)
    arguments = parser.parse_args()
    ours = matrix.ours(os.path.abspath(arguments.bin))
    creds = tempfile.mkdtemp(prefix="hearth-creds-")
    why = ours.prepare(None) or credentials.make(creds)
    if why:
        print(f"SKIP {why}")
        return 77
    passed = failed = 0
    for tls, forms in ((False, PLAIN), (True, TLS)):
        with run.Server(ours, None, tls, creds) as server:
            for form, wanted in forms:
                filled = [text.format(port=server.port, ca=os.path.join(creds, "ca.pem")) for text in form]
                done = subprocess.run([os.path.join(arguments.bin, "interop_client"), *filled], capture_output=True,
                                      timeout=60, check=False, env={**os.environ, "HEARTH_TEST_CREDS": creds})
                good = done.returncode == wanted
                passed, failed = passed + good, failed + (not good)
                if not good:
                    print(f"FAIL {' '.join(form)}: exit {done.returncode}, want {wanted}: {done.stderr.decode()}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
