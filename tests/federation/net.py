"""Machines on a bridge, each in a network namespace of its own: links that fail one way, both ways, or are slow.

Everything is named after this process and goes with close(); the machine's own network is not touched.
"""
import os
import subprocess
import sys

BRIDGE = "br0"


def sh(*words, may_fail=False):
    done = subprocess.run(words, capture_output=True, text=True, timeout=90)
    if done.returncode != 0 and not may_fail:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.returncode == 0


def needs():
    """Ends the program with 77 where namespaces can't be made."""
    if os.geteuid() != 0:
        print("SKIP network namespaces need root")
        sys.exit(77)
    name = f"hearth{os.getpid()}-try"
    try:
        sh("ip", "netns", "add", name)
        sh("ip", "-n", name, "link", "add", BRIDGE, "type", "bridge")
        sh("ip", "-n", name, "link", "add", "p0", "type", "veth", "peer", "name", "p1")
    except (RuntimeError, FileNotFoundError) as why:
        print(f"SKIP no network namespaces here: {why}")
        sys.exit(77)
    finally:
        try:
            sh("ip", "netns", "del", name, may_fail=True)
        except FileNotFoundError:
            pass


class Net:
    def __init__(self, *names):
        self.prefix, self.names = f"hearth{os.getpid()}-", names
        try:
            self.make()
        except BaseException:
            self.close()
            raise

    def make(self):
        switch = self.prefix + "switch"
        sh("ip", "netns", "add", switch)
        sh("ip", "-n", switch, "link", "add", BRIDGE, "type", "bridge")
        sh("ip", "-n", switch, "link", "set", BRIDGE, "up")
        for i, name in enumerate(self.names):
            sh("ip", "netns", "add", self.prefix + name)
            sh("ip", "-n", switch, "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns",
               self.prefix + name)
            sh("ip", "-n", switch, "link", "set", f"to-{name}", "master", BRIDGE, "up")
            sh("ip", "-n", self.prefix + name, "link", "set", "lo", "up")
            sh("ip", "-n", self.prefix + name, "addr", "add", f"{self.address(name)}/24", "dev", "eth0")
            sh("ip", "-n", self.prefix + name, "link", "set", "eth0", "up")

    def address(self, name):
        return f"10.77.0.{1 + self.names.index(name)}"

    def inside(self, name):
        return ["ip", "netns", "exec", self.prefix + name]

    def cut(self, sender, receiver):
        """No packet of the one reaches the other; those of the other still come."""
        sh("ip", "-n", self.prefix + sender, "route", "replace", "blackhole", f"{self.address(receiver)}/32")

    def heal(self, sender, receiver):
        sh("ip", "-n", self.prefix + sender, "route", "del", "blackhole", f"{self.address(receiver)}/32", may_fail=True)

    def link(self, name, up):
        sh("ip", "-n", self.prefix + "switch", "link", "set", f"to-{name}", "up" if up else "down")

    def slow(self, name, on):
        """A link of 256 kbit/s, with 80 ms on the way where the kernel has netem. What was done, as text."""
        device = ("ip", "netns", "exec", self.prefix + name, "tc", "qdisc")
        if not on:
            sh(*device, "del", "dev", "eth0", "root", may_fail=True)
            return ""
        if sh(*device, "add", "dev", "eth0", "root", "netem", "delay", "80ms", "20ms", "rate", "256kbit", may_fail=True):
            return "80 ms, 256 kbit/s"
        if sh(*device, "add", "dev", "eth0", "root", "tbf", "rate", "256kbit", "burst", "4kb", "latency", "400ms", may_fail=True):
            return "256 kbit/s; no netem here for the delay"
        return None

    def close(self):
        for name in (*self.names, "switch"):
            sh("ip", "netns", "del", self.prefix + name, may_fail=True)
