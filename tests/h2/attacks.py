#!/usr/bin/env python3
"""Attacks on an HTTP/2 server, each beside an honest client, each judged, each with a control.

usage: attacks.py --server PROGRAM [--tls] [--only NAME,...] [--quick] [--seconds S] [--jobs N] [--control]
                  [--unhurried] [--list]

For each attack a fresh `PROGRAM --port P --threads 1 --product-limits [--tls CERT KEY]` is started. An honest client
makes 50 calls a second over a connection and an address of its own, before, during and after. The defence held when
  - the attack says so: the abusive connection was cut, the call refused, in time;
  - the honest client's calls all came back (one retry each), with a p99 of at most max(2 x idle, idle + 10 ms), and of
    100 ms where the machine is quiet enough for them (idle at most 50 ms);
  - the server grew by at most so many MiB and used at most so much of a core (see each attack);
  - it lives, and answers a new connection within 5 s.
--control starts the server with --no-limits: then each attack marked as having a control must NOT be held by the
same judgement (latency aside), for a test that passes without the defence proves nothing. The rest are named with what
holds them, and must be held.
--quick runs one of each kind. --jobs runs several beside each other, each with a server of its own.
--unhurried judges neither latency, memory nor processor time: for servers built with sanitizers.
Exit 0: all as it should be. 1: not. 77: skipped. Loopback only.
"""
import argparse
import collections
import concurrent.futures
import multiprocessing
import os
import sys
import time

import attacks_calls  # noqa: F401  (each registers its attacks)
import attacks_conns  # noqa: F401
import attacks_frames  # noqa: F401
import attacks_headers  # noqa: F401
from abuse import ATTACKS, Attacker, Verdict
from honest import Caller, Honest, p99_ms
from server import Server, die_with_parent

IDLE_S = 1.0
LEAST_S = 0.5
RECOVER_S = 5.0
PATIENCE_S = 180    # beyond its time, until an attack program counts as broken
TRIES = 5       # an attack held but for the honest latency is tried again: noise passes, an attack does not
ABSOLUTE_P99_MS = 100.0
QUICK = ("rapid_reset_paced", "reset_by_malformed", "continuation_flood", "ping_flood_paced", "settings_flood_paced",
         "window_update_flood", "window_dribble_fast", "unknown_flood", "data_after_server_reset", "hpack_bomb",
         "compressed_bomb", "connection_churn")
idle_samples = collections.deque(maxlen=200)  # the last ones: machines change their mood


def _attack_process(attack, host, port, tls, seconds, net, pipe):
    die_with_parent()
    os.nice(10)
    try:
        verdict = attack.run(Attacker(host, port, tls, seconds, net))
    except Exception as error:  # the attack program itself broke: never a pass
        verdict = Verdict(False, f"BROKEN {type(error).__name__}: {error}")
    pipe.send(tuple(verdict))
    os._exit(0)


def start(attack, server, tls, seconds, net):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_attack_process, daemon=True,
                                      args=(attack, server.host, server.port, tls, seconds, net, theirs))
    process.start()
    return process, ours


def finish(process, pipe, patience):
    verdict = Verdict(False, "BROKEN: the attack did not end")
    if pipe.poll(patience):
        verdict = Verdict(*pipe.recv())
    process.join(1)
    if process.is_alive():
        process.kill()
        process.join()
    return verdict


def recovered(server, tls):
    """Seconds until a new connection is served, or None."""
    begin = time.monotonic()
    while time.monotonic() - begin < RECOVER_S:
        if Caller(server.host, server.port, tls).call():
            return time.monotonic() - begin
        time.sleep(0.05)
    return None


class Measured:
    """What one attack did to the server, and why the defence did not hold (reasons, empty if it did)."""

    def __init__(self, rss, cpu, unhurried):
        self.rss, self.cpu, self.unhurried = rss, cpu, unhurried  # MiB grown, cores used
        self.reasons, self.latency_only, self.seen, self.p99, self.idle = [], False, "", 0.0, 0.0

    def judge(self, attack, verdict, samples, server, back):
        self.seen, self.verdict = verdict.seen, verdict
        self.p99, self.idle = p99_ms(samples), p99_ms(idle_samples)
        allowed = max(2 * self.idle, self.idle + 10)
        if 2 * self.idle <= ABSOLUTE_P99_MS:  # else it is busy with something else: not even idle calls are that quick
            allowed = min(allowed, ABSOLUTE_P99_MS)
        lost = sum(not good for _, _, good, _ in samples)
        if not verdict.held:
            self.reasons.append("not held")
        if attack.rss_mib is not None and self.rss > attack.rss_mib and not self.unhurried:
            self.reasons.append(f"grew {self.rss:.0f} MiB")
        if attack.cpu is not None and self.cpu > attack.cpu and not self.unhurried:
            self.reasons.append(f"{100 * self.cpu:.0f} % of a core")
        if not server.alive():
            self.reasons.append("the server died")
        elif back is None:
            self.reasons.append(f"not well {RECOVER_S:.0f} s after")
        if lost or not samples:
            self.reasons.append(f"{lost} of {len(samples)} honest calls lost")
        if self.p99 > allowed and not self.unhurried:
            self.latency_only = not self.reasons
            self.reasons.append(f"honest p99 {self.p99:.1f} ms, allowed {allowed:.1f}")
        return self


def measure(attacks, options, net):
    """Runs these at once on a server of their own; one Measured each. Several are only run together when they are
    slow ones, and then share what the server and the honest client went through."""
    seconds = max(attack.seconds or options.seconds for attack in attacks)
    limits = ["--no-limits"] if options.control else ["--product-limits"]
    with Server(options.server, options.tls, limits) as server:
        with Honest(server.host, server.port, options.tls) as honest:
            idle_from = time.monotonic()
            time.sleep(IDLE_S)
            rss, cpu, begin = server.rss_kib(), server.cpu_s(), time.monotonic()
            running = [start(attack, server, options.tls, seconds, net + at) for at, attack in enumerate(attacks)]
            verdicts = [finish(*one, seconds + PATIENCE_S) for one in running]
            end = time.monotonic()
            grown = (server.rss_kib("VmHWM") - rss) / 1024
            # the wake of a short attack counts too, and gives the honest client time for a few calls
            end = max(end, begin + LEAST_S)
            time.sleep(max(0.0, end - time.monotonic()) + 0.2)
            used = (server.cpu_s() - cpu) / (time.monotonic() - begin)
        back = recovered(server, options.tls)
        idle_samples.extend(honest.between(idle_from, begin))
        if not server.alive():
            print(server.log_tail())
        samples = honest.between(begin, end)
        return [Measured(grown, used, options.unhurried).judge(attack, verdict, samples, server, back)
                for attack, verdict in zip(attacks, verdicts)]


def report(attack, result, control, attempts):
    """One line; True when it is as it should be."""
    # Latency alone proves nothing in a control run: it may be the machine.
    held = not result.reasons or (control and result.latency_only)
    if not control:
        word = "held" if held else "FAILED"
    elif attack.control:
        word = "HELD WITHOUT DEFENCE" if held else "control ok"
    else:
        # what is said to be stopped by something else has to be
        word = "no control" if result.verdict.held else "NOT HELD BY WHAT IS SAID"
    again = f" (run {attempts} times)" if attempts > 1 else ""
    why = "; ".join(result.reasons)
    if control and not attack.control:
        why = attack.why_not + (f" ({why})" if why else "")
    print(f"{word:10} {attack.name:28} p99 {result.p99:6.1f} ms (idle {result.idle:.1f}) +{result.rss:6.1f} MiB "
          f"{100 * result.cpu:4.0f} % cpu  {result.seen}{again}{' -- ' + why if why else ''}", flush=True)
    return word in ("held", "control ok", "no control")


def run(attacks, options, net):
    """The number of attacks that went as they should."""
    for attempt in range(1, TRIES + 1):
        results = measure(attacks, options, net)
        if options.control or not any(result.latency_only for result in results):
            break
    return sum(report(attack, result, options.control, attempt) for attack, result in zip(attacks, results))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--unhurried", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        for attack in ATTACKS:
            print(f"{attack.name:28} {'control' if attack.control else '-':8} {attack.threat}")
        return 0
    if not options.server:
        parser.error("--server is needed")
    wanted = options.only.split(",") if options.only else QUICK if options.quick else None
    chosen = [attack for attack in ATTACKS if (wanted is None or attack.name in wanted) and
              (attack.tls is None or attack.tls == options.tls)]
    slow = [attack for attack in chosen if attack.slow]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = [pool.submit(run, slow, options, 150)] if slow else []
        runs += [pool.submit(run, [attack], options, 10 + at) for at, attack in enumerate(chosen) if not attack.slow]
        good = sum(one.result() for one in runs)
    print(f"{good} passed, {len(chosen) - good} failed, {len(ATTACKS) - len(chosen)} skipped")
    return 0 if chosen and good == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
