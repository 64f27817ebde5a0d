#!/usr/bin/env bash
# ./dev long [SECONDS]: what ./dev test runs, for longer. Fuzzers and crash loops get SECONDS each (default 3600).
set -uo pipefail
seconds=${1:-3600}
status=0
python3 tests/run.py --fuzz-seconds "$seconds" || status=1
bin=build/release/bin
python3 tests/h2/attacks.py --server "$bin/bench_server" --seconds 30 || status=1
python3 tests/h2/attacks.py --server "$bin/bench_server" --tls --seconds 30 || status=1
# MLS: commits changed in structure, and histories of our own members, each from a seed that is printed
seed=$(date +%s)
echo "mls seed $seed"
"$bin/unit_lib_mls_member_mutation_test" 100000 "$seed" || status=1
"$bin/unit_lib_mls_member_random_world_test" "$seed" 500 || status=1
# all suites that each peer has, public and private handshake messages
for peer in ts-mls core-crypto; do
    python3 tests/interop/mls_live.py --bin "$bin" --peer "$peer" --ops 500 --members 20 || [ $? = 77 ] || status=1
done
# who spent a token: full batches
for seed in 1 2 3 4 5; do "$bin/token_unlinkability" --batch 100 --calls 20 --seed "$((seed * 1000))" || status=1; done
# every allocation and every file operation of the whole server's main scenario, each failing once
HEARTH_POINTS=0,1 timeout "$seconds" "$bin/flow_failure_test" || status=1
# worlds from a hundred thousand seeds, with kills and power cuts; kill -9 to the real program
HEARTH_SEEDS=1000,100000 timeout "$seconds" "$bin/flow_random_test" || [ $? = 124 ] || status=1
"$bin/hearthd_crash" "$bin/hearthd" --cycles "$((seconds * 3))" || status=1
timeout "$seconds" python3 tests/crash/kt_hearthd.py "$bin" --cycles 10000 || [ $? = 124 ] || status=1
# worlds of three homeservers and thirty people
timeout "$seconds" "$bin/world_random" --seed 1000 --seeds 100000 || [ $? = 124 ] || status=1
timeout "$seconds" "$bin/kt_crash" --cycles 10000 || [ $? = 124 ] || status=1
timeout "$((seconds * 3))" python3 tests/crash/kt_hearthd.py "$bin" --cycles 10000 || [ $? = 124 ] || status=1
# random lands of three homeservers
timeout "$seconds" "$bin/unit_server_federation_world_test" 1000 100000 || [ $? = 124 ] || status=1
# people killed at random while they work
python3 tests/crash/clients.py "$bin" --seconds "$seconds" --least-kills 100 || status=1
python3 tests/crash/clients.py "$bin" --tokens --clients 10 --groups 3 --seconds "$seconds" || status=1
# one's own devices come and go while one is off: the log raises no alarm
python3 tests/client/log_attacks.py "$bin" honest_devices_long || status=1
# three homeservers in network namespaces while the network between them fails
python3 tests/federation/partition.py "$bin" --seconds "$seconds" || [ $? = 77 ] || status=1
# the same people as above, spread over two homeservers
python3 tests/crash/clients.py "$bin" --servers 2 --seconds "$seconds" --least-kills 100 || status=1
# and a homeserver stands still for longer than those of the other side wait
python3 tests/crash/clients.py "$bin" --servers 2 --clients 8 --groups 3 --stops 70 --seconds "$seconds" || status=1
timeout "$seconds" "$bin/world_random" --liar --seed 1000 --seeds 100000 || [ $? = 124 ] || status=1
timeout "$seconds" "$bin/store_crash" --cycles 100000 || [ $? = 124 ] || status=1
timeout "$seconds" "$bin/spent_crash" --cycles 100000 || [ $? = 124 ] || status=1
# a heavy user against light ones at a database's writer
"$bin/fair" --disk --seconds 30 || [ $? = 77 ] || status=1
# what each rung of the overload ladder sheds
python3 tests/load/ladder.py "$bin" || status=1
# attacks on the real hearthd, with the load and the time that the pass rule wants: 200 listeners, 50 messages a second; at
# two a second nobody has used up his own allowance of messages (60, and one a second) within 50 s, idle phases and all
for id in DoS1 DoS2 DoS3 DoS4 DoS5 DoS6 DoS7 DoS8 DoS9 DoS10 DoS16 DoS17; do
    "$bin/threats" "$bin/hearthd" "$bin/hearth" "$id" --full --seconds 40 --groups 25 --size 9 --rate 2 || status=1
done
# the same as people live through it
for id in DoS9 DoS9_control DoS10 DoS11 DoS12 DoS13 DoS14 DoS15 ME2 ME6 MitM1 MitM2 MitM3 T1 T2; do
    python3 tests/threats/people.py "$bin" "$id" --rounds 10 || status=1
done
"$bin/threats" "$bin/hearthd" "$bin/hearth" ME1 --full || status=1
"$bin/threats" "$bin/hearthd" "$bin/hearth" ME3ME4 || [ $? = 77 ] || status=1
exit $status
