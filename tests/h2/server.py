"""The server under test: started on a free port, watched through /proc, ended by its process id."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

READY_S = 10


def die_with_parent():
    """For processes forked by a test: a test that is killed leaves nothing behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def skip(why):
    print(f"SKIP {why}")
    sys.exit(77)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """with Server(program, tls=True) as server: ... server.host, server.port, server.rss_kib(), server.cpu_s()"""

    def __init__(self, program, tls=False, options=()):
        if not os.access(program, os.X_OK):
            skip(f"no server at {program}")
        self.folder = tempfile.mkdtemp(prefix="hearth-h2-")
        self.host, self.port, self.tls = "127.0.0.1", free_port(), tls
        wrapper = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        self.arguments = [*wrapper, program, "--port", str(self.port), "--threads", "1", *options]
        if tls:
            self.arguments += ["--tls", *self._certificate()]

    def _certificate(self):
        """A self-signed one, for this run."""
        if not shutil.which("openssl"):
            skip("no openssl command to make a certificate with")
        certificate, key = (os.path.join(self.folder, name) for name in ("certificate.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
        return certificate, key

    def __enter__(self):
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection((self.host, self.port), 1, ("127.0.0.9", 0)).close()
                return self
            except OSError:
                time.sleep(0.02)
        log = self.log_tail()
        self.__exit__(SystemExit)
        raise SystemExit(f"{' '.join(self.arguments)} did not start: {log}")

    def __exit__(self, kind=None, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        code, log = self.process.returncode, self.log_tail()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        # a leak or an overrun that a sanitizer found shows here, when not before
        if kind is None and code not in (0, -signal.SIGTERM):
            raise SystemExit(f"the server ended with {code}:\n{log}")

    def alive(self):
        return self.process.poll() is None

    def log_tail(self, size=2000):
        self.log.flush()
        with open(self.log.name, "rb") as log:
            log.seek(max(0, os.path.getsize(self.log.name) - size))
            return log.read().decode(errors="replace")

    def check_alive(self):
        if not self.alive():
            raise SystemExit(f"the server died ({self.process.returncode}):\n{self.log_tail()}")

    def rss_kib(self, field="VmRSS"):
        """VmRSS: now; VmHWM: the highest so far."""
        try:
            with open(f"/proc/{self.process.pid}/status") as status:
                return next((int(line.split()[1]) for line in status if line.startswith(field + ":")), 0)
        except OSError:
            return 0

    def cpu_s(self):
        """Processor time so far, all threads, in nanosecond steps (a clock tick is as long as a short attack)."""
        total = 0
        try:
            for thread in os.listdir(f"/proc/{self.process.pid}/task"):
                with open(f"/proc/{self.process.pid}/task/{thread}/schedstat") as stat:
                    total += int(stat.read().split()[0])
        except OSError:  # a thread or the server just ended
            pass
        return total / 1e9

    def descriptors(self):
        try:
            return len(os.listdir(f"/proc/{self.process.pid}/fd"))
        except OSError:
            return 0
