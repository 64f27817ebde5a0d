"""Certificates under the names that gRPC's test programs use, made anew for each run: ca.pem, and server1.pem with
server1.key for *.test.google.fr."""
import os
import shutil
import subprocess

NAMES = "DNS:*.test.google.fr,DNS:waterzooi.test.google.be,DNS:*.test.youtube.com,DNS:localhost,IP:127.0.0.1"
NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def make(folder):
    """None, or why not."""
    if not shutil.which("openssl"):
        return "no openssl command to make certificates with"
    names = os.path.join(folder, "names")
    with open(names, "w", encoding="ascii") as file:
        file.write(f"subjectAltName={NAMES}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n")
    steps = [
        ["req", "-x509", *NEW_KEY, "-days", "2", "-subj", "/CN=testca", "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *NEW_KEY, "-subj", "/CN=*.test.google.com", "-keyout", "server1.key", "-out", "server1.csr"],
        ["x509", "-req", "-in", "server1.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
         "-extfile", "names", "-out", "server1.pem"],
    ]
    for step in steps:
        done = subprocess.run(["openssl", *step], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"openssl {step[0]}: {done.stderr}"
    return None
