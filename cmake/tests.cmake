add_library(test_support STATIC EXCLUDE_FROM_ALL)
file(GLOB support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.c)
target_sources(test_support PRIVATE ${support_sources})
target_include_directories(test_support PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(test_support PUBLIC hearth_flags base lib::cmocka lib::crypto lib::jansson lib::sqlite lib::threads)

# tests/kit: makes MLS groups and messages, right ones and wrong ones, for tests, benches and fuzz seeds.
file(GLOB kit_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/kit/*.c)
add_library(mls_kit STATIC EXCLUDE_FROM_ALL ${kit_sources})
target_include_directories(mls_kit PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(mls_kit PUBLIC hearth_flags mls_public)

# tests/world: clients of our own in one group, with a server that follows them.
file(GLOB world_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/world/*.c)
add_library(mls_world STATIC EXCLUDE_FROM_ALL ${world_sources})
target_link_libraries(mls_world PUBLIC hearth_flags mls_member test_support)
# tests/kit/store: a small service on a store, with an oracle.
add_library(store_kit STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/kit/store/store_kit.c)
target_include_directories(store_kit PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(store_kit PUBLIC hearth_flags store)

hearth_unit_tests(base lib/base)
hearth_unit_tests(wire lib/wire)
hearth_unit_tests(crypto lib/crypto)
hearth_unit_tests(seal lib/seal)
hearth_unit_tests(pass lib/pass)
hearth_unit_tests(store lib/store store_kit)
# They sync, and wait for a disk that others may use at the same time.
set_tests_properties(unit_lib_store_failure_test unit_lib_store_migrate_test unit_lib_store_power_test
  unit_lib_store_threads_test unit_lib_store_store_test PROPERTIES TIMEOUT 300)
# Thousands of durable commits each: as slow as the disk's flushes.
foreach(slow migrate failure power)
  set_tests_properties(unit_lib_store_${slow}_test PROPERTIES TIMEOUT 600)
endforeach()
hearth_unit_tests(mls_codec lib/mls/codec)
hearth_unit_tests(mls_public lib/mls/public mls_kit)
hearth_unit_tests(mls_member lib/mls/member mls_world)
# tests/support/rpc: worlds of servers and channels over pipes.
file(GLOB rpc_support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/rpc/*.c)
add_library(test_rpc STATIC EXCLUDE_FROM_ALL ${rpc_support_sources})
target_link_libraries(test_rpc PUBLIC net generated_bench test_support)
hearth_unit_tests(net lib/net generated_bench generated_golden generated_interop test_rpc)
# The same under valgrind, where it reads what the compiler writes: not clang's debug information, no sanitizers.
find_program(HEARTH_VALGRIND valgrind)
if(HEARTH_VALGRIND AND CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT HEARTH_SANITIZE)
  foreach(name net_endings net_retry net_flow net_pipe net_loop net_tls net_blocking net_gate net_stuck)
    hearth_test(valgrind_${name} COMMAND ${HEARTH_VALGRIND} -q --leak-check=full --error-exitcode=9
      $<TARGET_FILE:unit_lib_${name}_test> SECONDS 300 LABELS valgrind)
  endforeach()
endif()
# The public header and a stub used from C++.
add_executable(unit_lib_net_consumer ${CMAKE_SOURCE_DIR}/tests/unit/lib/net/consumer.cc)
target_link_libraries(unit_lib_net_consumer PRIVATE hearth_flags net generated_bench)
hearth_test(unit_lib_net_consumer COMMAND unit_lib_net_consumer)
hearth_unit_tests(rpc lib/rpc)
hearth_unit_tests(rpc_services lib/rpc/services generated_golden net)
hearth_unit_tests(pb lib/pb generated_golden)
hearth_unit_tests(plugin proto/plugin generated_golden rpc)
target_link_options(unit_proto_plugin_failure_test PRIVATE -Wl,--wrap=malloc)

# Official MLS vectors: mls_vectors checks files by type; ctest runs it over what lies in the vectors folder.
file(GLOB vector_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/vectors/*.c)
hearth_program(mls_vectors SOURCES ${vector_sources} USES mls_member test_support LIBS lib::jansson)
hearth_test(mls_vectors COMMAND ${CMAKE_SOURCE_DIR}/tests/vectors/run.sh $<TARGET_FILE:mls_vectors> SECONDS 300)

get_property(arrows GLOBAL PROPERTY HEARTH_ARROWS)
string(REPLACE ";" "\n" arrows "${arrows}")
file(WRITE ${CMAKE_BINARY_DIR}/arrows.txt "${arrows}\n")
hearth_test(arch_includes COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/arch/includes.py ${CMAKE_BINARY_DIR}/arrows.txt)
hearth_test(arch_mls_rules COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/arch/mls_rules.py)
hearth_test(arch_guarantees COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/arch/guarantees.py)
hearth_test(arch_threat_model COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/arch/threat_model.py)

# Programs that tests and measurements run against.
hearth_program(bench_server SOURCES tests/bench/bench_server.c USES generated_bench net)
hearth_program(bench_client SOURCES tests/bench/bench_client.c USES generated_bench net)
# gRPC's official test service, both ends.
hearth_program(interop_server SOURCES tests/interop/interop_server.c tests/interop/service.c tests/interop/flags.c
  USES generated_interop net LIBS lib::event)
file(GLOB interop_client_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/interop/cases_*.c)
hearth_program(interop_client
  SOURCES tests/interop/interop_client.c tests/interop/client.c tests/interop/flags.c ${interop_client_sources}
  USES generated_interop net)
# Our implementation for the MLS working group's test runner.
file(GLOB mls_client_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/interop/mls/*.c)
hearth_program(mls_client SOURCES ${mls_client_sources} tests/interop/flags.c USES generated_interop net mls_member)
target_include_directories(mls_client PRIVATE ${CMAKE_SOURCE_DIR}/tests)
hearth_test(interop_mls COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/interop/mls/runner.py
  --client $<TARGET_FILE:mls_client> --client $<TARGET_FILE:mls_client> SECONDS 300 LABELS interop)
# Groups of our members and another stack's, followed by a server of ours.
hearth_program(mls_follow SOURCES tests/interop/mls_follow.c USES mls_public)
hearth_test(interop_mls_live COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/interop/mls_live.py --peer ts-mls
  --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} --members 20 --ops 500 --seconds 60 --seed 1 SECONDS 600 LABELS interop)
hearth_test(interop_mls_live_core COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/interop/mls_live.py --peer core-crypto
  --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} --members 20 --seconds 30 --seed 1 SECONDS 400 LABELS interop)
target_include_directories(interop_server PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_include_directories(interop_client PRIVATE ${CMAKE_SOURCE_DIR}/tests)
# Other people's stacks against ours, each way; a peer that can't be installed is skipped and says why.
foreach(peer hearth python cpp js)
  hearth_test(interop_${peer} COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/interop/run.py
    --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} --work ${CMAKE_SOURCE_DIR}/build/interop --peer ${peer}
    SECONDS 900 LABELS interop)
endforeach()
hearth_test(interop_flags COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/interop/flags_test.py
  --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} LABELS interop)
hearth_test(interop_buf COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/interop/buf.py
  --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} SECONDS 300 LABELS interop)
hearth_test(interop_negative COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/interop/negative.py
  --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} SECONDS 300 LABELS interop)
# Timings: run by hand, printed as tables.
hearth_program(crypto_bench SOURCES tests/bench/crypto_bench.c USES crypto)
target_include_directories(crypto_bench PRIVATE ${CMAKE_SOURCE_DIR}/tests)

hearth_test(golden_generated_fresh COMMAND ${CMAKE_SOURCE_DIR}/tests/golden/generated_fresh.sh
  $<TARGET_FILE:protoc-gen-hearth> ${CMAKE_BINARY_DIR}/fresh)
hearth_test(golden_plugin_refusals COMMAND ${CMAKE_SOURCE_DIR}/tests/golden/plugin/refusals.sh
  $<TARGET_FILE:protoc-gen-hearth> ${CMAKE_BINARY_DIR}/refusals)

# Generated headers as C++, with all warnings.
add_library(generated_headers_cpp STATIC ${CMAKE_SOURCE_DIR}/tests/unit/proto/plugin/headers.cc)
target_link_libraries(generated_headers_cpp PRIVATE generated_core generated_bench generated_interop generated_golden
  generated_hearth)

hearth_fuzz(plugin_input USES plugin)
hearth_fuzz(mls_message USES mls_codec)
hearth_fuzz(mls_ratchet_tree USES mls_public)
hearth_fuzz(mls_secrets USES mls_codec)
hearth_fuzz(mls_extension USES mls_codec)
hearth_fuzz(mls_public_group USES mls_kit)
hearth_program(mls_seeds SOURCES tests/fuzz/mls_seeds.c USES mls_kit) # writes the seeds of the five above
# HTTP/2 by wire: our own conformance rules (those of h2spec, strict, and more) and the attacks of docs/http2.md.
# All attacks, plain, over TLS and as controls, take minutes: `ctest -C Attacks`; one of each kind runs always.
# Sanitizer builds are too slow for latencies to be judged.
hearth_test(h2_hpack COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/h2/hpack.py LABELS h2)
if(TARGET bench_server)
  set(h2_conformance python3 ${CMAKE_SOURCE_DIR}/tests/h2/conformance.py --server $<TARGET_FILE:bench_server>)
  set(h2_attacks python3 ${CMAKE_SOURCE_DIR}/tests/h2/attacks.py --server $<TARGET_FILE:bench_server> --seconds 1.5
    --jobs 4) # most of an attack's time is waiting: four take a third of a core
  if(HEARTH_SANITIZE)
    list(APPEND h2_attacks --unhurried)
  endif()
  hearth_test(h2_conformance COMMAND ${h2_conformance} LABELS h2)
  hearth_test(h2_conformance_tls COMMAND ${h2_conformance} --tls LABELS h2)
  hearth_test(h2_attacks_quick COMMAND ${h2_attacks} --quick LABELS h2 SECONDS 180)
  foreach(kind "" _tls _control)
    string(REPLACE _ -- option "${kind}")
    add_test(NAME h2_attacks${kind} CONFIGURATIONS Attacks COMMAND ${h2_attacks} ${option})
    set_tests_properties(h2_attacks${kind} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1200 LABELS "h2;attacks" RUN_SERIAL TRUE)
  endforeach()
endif()
hearth_program(mls_bench SOURCES tests/bench/mls_bench.c tests/bench/mls_bench_member.c tests/bench/mls_bench_store.c
  USES mls_kit mls_member)
hearth_program(member_bench SOURCES tests/bench/member_bench.c USES mls_member)
target_include_directories(member_bench PRIVATE ${CMAKE_SOURCE_DIR}/tests)
hearth_test(interop_standard COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/interop/standard.py
  $<TARGET_FILE:bench_server>)
hearth_fuzz(crypto_inputs USES crypto)
# gRPC: bytes at a server, frames at a server, bytes at a client, and the small grammars.
hearth_fuzz(rpc_server USES test_rpc)
hearth_fuzz(rpc_frames USES test_rpc)
hearth_fuzz(rpc_client USES test_rpc)
hearth_fuzz(rpc_text USES rpc)
hearth_fuzz(mls_secret_tree USES mls_member)
hearth_fuzz(mls_group USES mls_world)
hearth_program(member_seeds SOURCES tests/fuzz/member_seeds.c USES mls_world) # writes the seeds of mls_group
hearth_program(secret_seeds SOURCES tests/fuzz/secret_seeds.c USES mls_member) # writes the seeds of these two

# Secrets must not steer branches or addresses: memcheck with secrets marked undefined. Sanitizers and valgrind
# don't mix.
find_path(VALGRIND_HEADERS valgrind/memcheck.h)
if(VALGRIND_HEADERS AND NOT HEARTH_SANITIZE)
  hearth_program(secret_dependence SOURCES tests/secrets/secret_dependence.c USES mls_member)
  target_link_options(secret_dependence PRIVATE -Wl,--strip-debug) # valgrind 3.19 can't read clang's
  hearth_test(secret_dependence COMMAND ${CMAKE_SOURCE_DIR}/tests/secrets/run.sh $<TARGET_FILE:secret_dependence>
    ${CMAKE_SOURCE_DIR}/tests/secrets/secret_dependence.supp SECONDS 300)
else()
  hearth_test(secret_dependence COMMAND ${CMAKE_SOURCE_DIR}/tests/secrets/run.sh not-built none)
endif()

# kill -9 loop with an oracle; `--cycles 100000` for long.
hearth_program(store_crash SOURCES tests/crash/store_crash.c USES store_kit test_support)
if(HEARTH_SANITIZE) # which looks at the code, not at the disk
  set(store_cycles 50)
else()
  set(store_cycles 200)
endif()
hearth_test(crash_store COMMAND store_crash --cycles ${store_cycles} SECONDS 300 LABELS crash)
hearth_test(crash_store_control COMMAND store_crash --cycles 60 --control SECONDS 120 LABELS "crash;control")
hearth_program(store_bench SOURCES tests/bench/store_bench.c USES store test_support)
# Our envelopes: who is calling, and what is signed.
hearth_fuzz(seal_callers USES seal)
hearth_fuzz(seal_signed USES seal)
hearth_fuzz(seal_connection USES seal)
hearth_program(seal_seeds SOURCES tests/fuzz/seal_seeds.c USES seal) # writes the seeds of these three
hearth_unit_tests(server_main server/main)
# tests/support/server: signing clients.
file(GLOB server_support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/server/*.c)
add_library(test_server STATIC EXCLUDE_FROM_ALL ${server_support_sources})
target_link_libraries(test_server PUBLIC seal net test_support)
# tests/support/tokens: tokens without the rpc that gives them out.
add_library(test_tokens STATIC EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tests/support/tokens/tokens.c)
target_link_libraries(test_tokens PUBLIC pass server_keeper generated_hearth test_support)
hearth_unit_tests(server_front server/front test_rpc test_server test_tokens)
hearth_program(blob_bench SOURCES tests/bench/blob_bench.c USES store)
target_include_directories(blob_bench PRIVATE ${CMAKE_SOURCE_DIR}/tests)
# tests/support/auth: the authentication service in a world of its own, and its clients.
file(GLOB auth_support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/auth/*.c)
add_library(test_auth STATIC EXCLUDE_FROM_ALL ${auth_support_sources})
target_link_libraries(test_auth PUBLIC server_auth server_keeper test_server test_tokens net test_support)
hearth_unit_tests(server_auth server/auth test_auth)
target_link_options(unit_server_auth_handle_test PRIVATE -Wl,--wrap=listeners_wake
  -Wl,--wrap=listeners_put -Wl,--wrap=hearth_loop_post)
# The courier with a queue service and peers that are models.
file(GLOB courier_support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/courier/*.c)
add_library(test_courier STATIC EXCLUDE_FROM_ALL ${courier_support_sources})
target_link_libraries(test_courier PUBLIC hearth_flags server_courier net test_support)
hearth_unit_tests(server_courier server/courier test_courier)
set_tests_properties(unit_server_courier_crash_test PROPERTIES TIMEOUT 300) # hundreds of lives
hearth_unit_tests(server_attachment server/attachment test_tokens net)
# A world for each write of an upload, and a crash there.
set_tests_properties(unit_server_attachment_durable_test PROPERTIES TIMEOUT 300)
# The metrics page and the table of limits as their readers see them.
hearth_program(front_page SOURCES tests/golden/front_page.c USES server_front net)
hearth_test(golden_metrics_page COMMAND ${CMAKE_SOURCE_DIR}/tests/golden/promtool.sh $<TARGET_FILE:front_page>)
hearth_test(golden_limits_doc COMMAND ${CMAKE_SOURCE_DIR}/tests/golden/limits_doc.sh $<TARGET_FILE:front_page>)
hearth_unit_tests(server_keeper server/keeper)
hearth_program(queue_bench SOURCES tests/bench/queue_bench.c USES server_queue net test_support)
target_include_directories(queue_bench PRIVATE ${CMAKE_SOURCE_DIR}/tests)
hearth_program(keeper_bench SOURCES tests/bench/keeper_bench.c USES server_keeper)
hearth_fuzz(seal_sealed USES seal)
hearth_fuzz(keeper_frame USES server_keeper)

# The queue service alone, with clients that sign, open and check.
file(GLOB queue_support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/queue/*.c)
add_library(test_queue STATIC EXCLUDE_FROM_ALL ${queue_support_sources})
target_link_libraries(test_queue PUBLIC server_queue test_server test_tokens net test_support)
hearth_unit_tests(server_queue server/queue test_queue mls_kit)
# tests/support/ways: what lies between homeservers of one process, and its faults.
file(GLOB ways_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/ways/*.c)
add_library(test_ways STATIC EXCLUDE_FROM_ALL ${ways_sources})
target_link_libraries(test_ways PUBLIC hearth_flags server_courier server_info net test_support)
# tests/support/land: several homeservers in one process, for what they say to each other.
file(GLOB land_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/land/*.c)
add_library(test_land STATIC EXCLUDE_FROM_ALL ${land_sources})
target_link_libraries(test_land PUBLIC server_federation server_courier server_info test_ways test_queue net test_support)
target_link_options(test_land INTERFACE -Wl,--wrap=token_directory_write -Wl,--undefined=__wrap_token_directory_write)
hearth_unit_tests(server_federation server/federation test_land)
hearth_program(front_bench SOURCES tests/bench/front_bench.c USES server_front test_rpc test_server)
# A delivery service with front, keeper, courier and real members; its queue services are models.
file(GLOB delivery_support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/delivery/*.c)
add_library(test_delivery STATIC EXCLUDE_FROM_ALL ${delivery_support_sources})
target_link_libraries(test_delivery PUBLIC hearth_flags server_delivery mls_member test_tokens net test_support)
hearth_unit_tests(server_delivery server/delivery test_delivery mls_kit)
hearth_unit_tests(server_relay server/relay test_server)
hearth_unit_tests(server_confine server/confine)
hearth_program(delivery_bench SOURCES tests/bench/delivery_bench.c USES server_delivery mls_kit net test_support)
hearth_unit_tests(server_info server/info net)
# tests/support/house: the whole server in one process, and its clients. tests/flow: worlds of these.
file(GLOB house_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/house/*.c)
add_library(test_house STATIC EXCLUDE_FROM_ALL ${house_sources})
target_link_libraries(test_house PUBLIC hearth_flags test_ways server_federation server_info server_transparency server_relay server_attachment server_auth server_delivery server_courier
  server_queue server_front server_keeper net mls_member test_server test_support)
# kept_keys.c: a start's keys are derived once in a process, for worlds that start hundreds of times.
set(kept_keys -Wl,--wrap=voprf_key_derive -Wl,--undefined=__wrap_voprf_key_derive)
file(GLOB flow_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/flow/*_test.c)
foreach(source IN LISTS flow_sources)
  get_filename_component(stem ${source} NAME_WE)
  add_executable(flow_${stem} ${source})
  target_link_libraries(flow_${stem} PRIVATE test_house lib::cmocka)
  target_link_options(flow_${stem} PRIVATE ${kept_keys})
  hearth_test(flow_${stem} COMMAND flow_${stem} SECONDS 300 PLACES 1 LABELS flow)
endforeach()
set_tests_properties(flow_random_test PROPERTIES TIMEOUT 900) # 260 worlds
# Three homeservers and thirty people in one process.
file(GLOB worlds_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/flow/worlds/*.c)
hearth_program(world_random SOURCES ${worlds_sources} USES test_house LIBS lib::cmocka)
target_include_directories(world_random PRIVATE ${CMAKE_SOURCE_DIR}/tests)
set(worlds_wrapped -Wl,--wrap=token_directory_write -Wl,--undefined=__wrap_token_directory_write -Wl,--wrap=fan_out_parts
  -Wl,--wrap=fan_out_seal_part)
target_link_options(world_random PRIVATE ${worlds_wrapped})
if(HEARTH_SANITIZE)
  set(worlds_seeds 5)
else()
  set(worlds_seeds 50)
endif()
foreach(seed 1 51 101 151)
  hearth_test(flow_worlds_${seed} COMMAND world_random --seed ${seed} --seeds ${worlds_seeds} SECONDS 600 PLACES 1 LABELS flow)
endforeach()
foreach(control numbered backwards versions rotation relaxed believed held_up)
  hearth_test(flow_worlds_control_${control} COMMAND world_random --control ${control} SECONDS 600 PLACES 1 LABELS "flow;control")
endforeach()
# Three times twelve bugs, one at a time, which those worlds must find, or unit tests. Functions are wrapped by the linker: what ships is the same without.
set(planted_sources ${worlds_sources})
list(FILTER planted_sources EXCLUDE REGEX world_random)
add_library(planted_bugs OBJECT EXCLUDE_FROM_ALL tests/planted/queue.c tests/planted/courier.c tests/planted/delivery.c tests/planted/third.c)
target_link_libraries(planted_bugs PRIVATE test_house)
target_include_directories(planted_bugs PRIVATE ${CMAKE_SOURCE_DIR}/tests)
set(planted_wrapped)
foreach(wrapped queue_open queue_close queue_tag_get queue_tag_set queue_acknowledge package_take drain_answered batch_drop
    batch_read outbox_add delivery_refused group_store_expect once_find once_keep peer_want_keys
    ahead_take courier_fail held_forgive accept_append queue_write commit_run group_store_replace fanout_write known_source
    queue_append accept_check logged_check peer_banned_s queue_accept hearth_federation_deliver_start policy_target peer_reach
    peers_obey federation_hello send_check auth_id)
  list(APPEND planted_wrapped -Wl,--wrap=${wrapped})
endforeach()
hearth_program(planted_worlds SOURCES ${planted_sources} tests/planted/planted_worlds.c $<TARGET_OBJECTS:planted_bugs> USES test_house LIBS lib::cmocka)
target_include_directories(planted_worlds PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_link_options(planted_worlds PRIVATE ${worlds_wrapped} ${planted_wrapped})
foreach(unit server/queue/accept server/federation/limits server/federation/deliver server/auth/voucher)
  get_filename_component(stem ${unit} NAME)
  hearth_program(planted_${stem} SOURCES tests/unit/${unit}_test.c tests/planted/plant_env.c $<TARGET_OBJECTS:planted_bugs>
    USES test_queue test_land test_auth server_delivery LIBS lib::cmocka)
  target_include_directories(planted_${stem} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  string(REPLACE "/" "_" name ${unit})
  target_link_options(planted_${stem} PRIVATE ${planted_wrapped} $<TARGET_PROPERTY:unit_${name}_test,LINK_OPTIONS>)
endforeach()
hearth_test(planted_worlds COMMAND planted_worlds --set 1 SECONDS 900 PLACES 1 LABELS "flow;control")
hearth_test(planted_worlds_2 COMMAND planted_worlds --set 2 SECONDS 900 PLACES 1 LABELS "flow;control")
hearth_test(planted_worlds_3 COMMAND planted_worlds --set 3 SECONDS 900 PLACES 1 LABELS "flow;control")
hearth_test(planted_units COMMAND ${CMAKE_SOURCE_DIR}/tests/planted/planted_units.sh ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}
  SECONDS 600 LABELS "flow;control")
# The real hearthd, as an operator runs it, and clients in other languages.
hearth_test(server_hearthd COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/server/hearthd.py ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}
  SECONDS 300 LABELS flow)
hearth_test(server_federation COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/server/federation.py ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}
  LABELS flow)
hearth_test(golden_hearthd COMMAND ${CMAKE_SOURCE_DIR}/tests/golden/hearthd.sh $<TARGET_FILE:hearthd>)
hearth_program(queue_listen_bench SOURCES tests/bench/queue_listen_bench.c USES server_queue test_server net
  test_support LIBS lib::cmocka)
target_include_directories(queue_listen_bench PRIVATE ${CMAKE_SOURCE_DIR}/tests)
hearth_fuzz(auth_calls USES test_auth)
hearth_program(auth_seeds SOURCES tests/fuzz/auth_seeds.c USES test_auth) # writes the seeds of this one
hearth_program(server_bench SOURCES tests/bench/server_bench.c USES test_house LIBS lib::cmocka)
target_include_directories(server_bench PRIVATE ${CMAKE_SOURCE_DIR}/tests)
# kill -9 to a real hearthd under load, with an oracle; `--cycles 100000` for long. Few cycles where it is slow.
hearth_program(hearthd_crash SOURCES tests/crash/hearthd_crash.c USES test_house LIBS lib::cmocka)
target_include_directories(hearthd_crash PRIVATE ${CMAKE_SOURCE_DIR}/tests)
if(NOT CMAKE_BUILD_TYPE STREQUAL Debug AND NOT HEARTH_SANITIZE)
  set(hearthd_cycles 200)
else()
  set(hearthd_cycles 20)
endif()
hearth_test(crash_hearthd COMMAND hearthd_crash $<TARGET_FILE:hearthd> --cycles ${hearthd_cycles} SECONDS 500 LABELS crash)
hearth_fuzz(front_admission USES server_front test_rpc test_server lib::cmocka)
hearth_fuzz(delivery_calls USES test_delivery)
hearth_program(delivery_seeds SOURCES tests/fuzz/delivery_seeds.c USES test_delivery) # writes the seeds of this one
hearth_program(outbox_bench SOURCES tests/bench/outbox_bench.c USES server_courier test_support)
hearth_test(golden_buf_lint COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/golden/buf_lint.py SECONDS 400 LABELS interop)
# The client.
hearth_unit_tests(client_db client/db)
# tests/kit/tlog: a log in memory, its operator, honest or not.
file(GLOB tlog_kit_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/kit/tlog/*.c)
add_library(tlog_kit STATIC EXCLUDE_FROM_ALL ${tlog_kit_sources})
target_include_directories(tlog_kit PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(tlog_kit PUBLIC hearth_flags tlog)
hearth_unit_tests(tlog lib/tlog tlog_kit)
hearth_unit_tests(client_api client/api)
# tests/support/town: the house behind a header that the client's core can include.
file(GLOB town_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/town/*.c)
add_library(test_town STATIC EXCLUDE_FROM_ALL ${town_sources})
target_link_libraries(test_town PUBLIC test_house)
# tests/support/people: accounts in the town.
file(GLOB people_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/people/*.c)
add_library(test_people STATIC EXCLUDE_FROM_ALL ${people_sources})
target_link_libraries(test_people PUBLIC client_core test_town)
target_link_options(test_people INTERFACE -Wl,--wrap=argon2id -Wl,--undefined=__wrap_argon2id ${kept_keys})
hearth_unit_tests(client_core client/core client_db test_people)
target_link_options(unit_client_core_overtaken_test PRIVATE -Wl,--wrap=receive_item)
# The public header from C++.
add_executable(unit_client_core_consumer ${CMAKE_SOURCE_DIR}/tests/unit/client/core/consumer.cc)
target_link_libraries(unit_client_core_consumer PRIVATE hearth_flags client_core)
hearth_test(unit_client_core_consumer COMMAND unit_client_core_consumer)
hearth_program(pass_bench SOURCES tests/bench/pass_bench.c USES pass)
target_include_directories(pass_bench PRIVATE ${CMAKE_SOURCE_DIR}/tests)
# Our half of the live test of tokens, and the test.
hearth_program(pass_peer SOURCES tests/interop/pass_peer.c USES pass)
hearth_test(interop_pass_live COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/interop/pass_live.py
  --bin ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} SECONDS 400 LABELS interop)
hearth_fuzz(pass_server USES pass)
hearth_fuzz(pass_client USES pass)
hearth_program(pass_seeds SOURCES tests/fuzz/pass_seeds.c USES pass) # writes the seeds of these two
target_include_directories(pass_seeds PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_include_directories(fuzz_pass_server PRIVATE ${CMAKE_SOURCE_DIR}/tests)
target_include_directories(fuzz_pass_client PRIVATE ${CMAKE_SOURCE_DIR}/tests)
# The log's messages come from a second implementation, in Python.
hearth_test(vectors_tlog_fresh COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/vectors/tlog/messages.py --check)
hearth_program(tlog_bench SOURCES tests/bench/tlog_bench.c USES tlog_kit)
hearth_fuzz(tlog_messages USES tlog)
hearth_fuzz(tlog_text USES tlog)
hearth_fuzz(tlog_verify USES tlog_kit)
hearth_program(tlog_seeds SOURCES tests/fuzz/tlog_seeds.c USES tlog_kit) # writes the seeds of these three
hearth_fuzz(client_log USES client_core)
hearth_program(client_log_seeds SOURCES tests/fuzz/client_log_seeds.c USES tlog_kit client_core) # and of this one
hearth_unit_tests(server_transparency server/transparency tlog_kit test_tokens net)

# People on the real programs: at terminals, and killed at random.
hearth_program(client_worker SOURCES tests/crash/client_worker.c USES client_core LIBS lib::jansson lib::event)
# What an operator may try with keys, and where clients notice.
foreach(attacks "honest" "honest_devices" "swapped_handle_key extra_client unsigned_client forked_log" "replaced_commitment key_of_his_own token_key_of_his_own"
    "forked_for_two vrf_key_of_his_own" "dropped_revocation" "skipped_version" "refuses_owners" "swapped_handle_key_logged dropped_revocation_promised"
    "token_key_logged sealing_key_logged" "replaced_item")
  string(REGEX REPLACE " .*" "" first "${attacks}")
  separate_arguments(names UNIX_COMMAND "${attacks}")
  if(NOT HEARTH_SANITIZE OR HEARTH_SANITIZE STREQUAL "address")
    hearth_test(flow_log_${first} COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/client/log_attacks.py ${CMAKE_BINARY_DIR}/bin ${names}
      SECONDS 600 LABELS flow)
  endif()
endforeach()
if(NOT HEARTH_SANITIZE OR HEARTH_SANITIZE STREQUAL "address")
  hearth_test(flow_session COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/client/session.py ${CMAKE_BINARY_DIR}/bin SECONDS 800
    LABELS flow)
  hearth_test(flow_two_homeservers COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/client/two_homeservers.py ${CMAKE_BINARY_DIR}/bin
    SECONDS 600 LABELS flow)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  hearth_test(crash_clients COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/crash/clients.py ${CMAKE_BINARY_DIR}/bin
    SECONDS 1500 LABELS crash)
  hearth_test(federation_partition COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/federation/partition.py ${CMAKE_BINARY_DIR}/bin
    SECONDS 400 LABELS flow)
  hearth_test(federation_srv COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/federation/srv.py ${CMAKE_BINARY_DIR}/bin
    SECONDS 300 LABELS flow)
  hearth_test(federation_hostile COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/federation/hostile.py ${CMAKE_BINARY_DIR}/bin
    SECONDS 300 LABELS flow)
  hearth_test(federation_witness COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/federation/witness.py ${CMAKE_BINARY_DIR}/bin
    SECONDS 400 LABELS flow)
  hearth_test(federation_witness_http COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/federation/witness_http.py
    ${CMAKE_BINARY_DIR}/bin SECONDS 300 LABELS flow)
  hearth_test(federation_logs COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/federation/logs.py ${CMAKE_BINARY_DIR}/bin
    SECONDS 400 LABELS flow)
  hearth_test(flow_demo COMMAND hearth demo SECONDS 180 LABELS flow)
endif()
hearth_program(kt_bench SOURCES tests/bench/kt_bench.c USES server_transparency test_support)
hearth_program(kt_sweep_bench SOURCES tests/bench/kt_sweep_bench.c USES server_transparency test_support)
hearth_program(log_bench SOURCES tests/bench/log_bench.c USES server_transparency server_keeper)
set_target_properties(log_bench PROPERTIES EXCLUDE_FROM_ALL FALSE) # tests/server/log_pages.py makes a long log with it
# kill -9 while epochs are closed and signed: one root per size, ever.
hearth_program(kt_crash SOURCES tests/crash/kt_crash.c USES server_transparency test_support)
hearth_test(crash_kt COMMAND kt_crash --cycles 200 SECONDS 300 LABELS crash)
hearth_test(crash_kt_control COMMAND kt_crash --cycles 200 --control SECONDS 300 LABELS "crash;control")
hearth_test(crash_kt_hole COMMAND kt_crash --cycles 5 --hole SECONDS 120 LABELS "crash;control")
# kill -9 while tokens are spent: once each, with their effect.
hearth_program(spent_crash SOURCES tests/crash/spent_crash.c USES server_front test_support)
hearth_test(crash_spent COMMAND spent_crash --cycles 150 SECONDS 300 LABELS crash)
hearth_test(crash_spent_control COMMAND spent_crash --cycles 150 --control SECONDS 300 LABELS "crash;control")
hearth_program(charge_bench SOURCES tests/bench/charge_bench.c USES server_front test_support)
target_include_directories(charge_bench PRIVATE ${CMAKE_SOURCE_DIR}/tests)
# A heavy user against light ones at the writer.
hearth_program(fair SOURCES tests/load/fair.c USES store test_support)
hearth_test(load_fair COMMAND fair SECONDS 60 LABELS bench)
hearth_test(load_fair_control COMMAND fair --control SECONDS 60 LABELS bench)
set_tests_properties(load_fair load_fair_control PROPERTIES RUN_SERIAL TRUE) # it measures
# The client library's reference, and the program in the README.
hearth_test(golden_client_reference COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/golden/client_reference.py)
hearth_test(golden_readme COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/golden/readme.py)
# What is installed, used: symbols, consumers, the examples in C. Sanitizers make no libraries, and one build ships.
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  hearth_test(package COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/package/check.py ${CMAKE_BINARY_DIR} SECONDS 300)
endif()
# An operator who cheats, for the tests of what clients notice: hearthd, with functions wrapped by the linker.
hearth_program(hearthd_malicious SOURCES server/hearthd.c tests/malicious/malice.c tests/malicious/queue.c tests/malicious/connect.c
  tests/malicious/keys.c tests/malicious/log.c tests/malicious/refuse.c tests/malicious/tree.c USES server_main)
target_include_directories(hearthd_malicious PRIVATE ${CMAKE_SOURCE_DIR}/tests)
foreach(wrapped queue_ratchet_seal hearth_auth_connect_write hearth_server_add_auth hearth_server_add_delivery hearth_server_add_info front_new transparency_open transparency_close
    transparency_start transparency_publish transparency_append hearth_server_add_transparency prefix_insert kt_prove_owner kt_version_put kt_version_get)
  target_link_options(hearthd_malicious PRIVATE -Wl,--wrap=${wrapped})
endforeach()
hearth_test(federation_log COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/federation/log.py ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} SECONDS 300
  LABELS flow)
# A member who cheats, or a client without a defence: the control of what clients notice.
hearth_program(hearth_malicious SOURCES client/hearth.c tests/malicious/client.c tests/malicious/malice.c USES client_cli)
target_include_directories(hearth_malicious PRIVATE ${CMAKE_SOURCE_DIR}/tests)
foreach(wrapped labelled_encrypt group_join_external log_search log_contact log_says_of log_keys_gate log_check_member queue_ratchet_open
    receipt_take)
  target_link_options(hearth_malicious PRIVATE -Wl,--wrap=${wrapped})
endforeach()
# An operator's own changes to an honest server, and clients that don't look (DoS15).
target_link_options(unit_client_core_groups_fault_test PRIVATE -Wl,--wrap=key_set_find) # MitM3: who believes anything
target_link_options(unit_client_core_queue_chain_test PRIVATE -Wl,--wrap=queue_ratchet_seal
  -Wl,--wrap=queue_ratchet_open -Wl,--wrap=head_take)
target_link_options(unit_client_core_withheld_test PRIVATE -Wl,--wrap=queue_append -Wl,--wrap=head_take)
# Attacks on the real hearthd beside honest people, each with a control; longer in tests/long.sh.
file(GLOB threat_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/threats/*.c)
hearth_program(threats SOURCES ${threat_sources} USES test_house LIBS lib::cmocka m)
target_include_directories(threats PRIVATE ${CMAKE_SOURCE_DIR}/tests)
if(HEARTH_SANITIZE)
  set(threat_options --unhurried)
endif()
foreach(id DoS1 DoS2 DoS3 DoS4 DoS5 DoS6 DoS7 DoS8 DoS9 DoS10 DoS16 DoS17 ME1 ME3ME4)
  hearth_test(threats_${id} COMMAND threats $<TARGET_FILE:hearthd> $<TARGET_FILE:hearth> ${id} ${threat_options}
    SECONDS 60 LABELS "flow;threats")
endforeach()
# The same as people on the real programs live through it: members and operators who cheat.
foreach(id DoS9 DoS10 DoS11 DoS12 DoS13 DoS14 DoS15 ME2 ME6 MitM1 MitM2 MitM3 T1 T2)
  hearth_test(threats_people_${id} COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/threats/people.py ${CMAKE_BINARY_DIR}/bin ${id}
    SECONDS 300 LABELS "flow;threats")
endforeach()
# tests/tokens: does a homeserver learn from tokens who makes anonymous calls?
hearth_program(token_unlinkability SOURCES tests/tokens/unlinkability.c tests/tokens/classifiers.c tests/tokens/abroad.c
  USES client_core LIBS m)
target_include_directories(token_unlinkability PRIVATE ${CMAKE_SOURCE_DIR}/tests)
hearth_test(tokens_unlinkability COMMAND token_unlinkability)
target_link_options(unit_client_core_devices_test PRIVATE -Wl,--wrap=log_commitment_before
                    -Wl,--wrap=session_wait)
target_link_options(unit_client_core_receipts_test PRIVATE -Wl,--wrap=receipt_make -Wl,--wrap=send_check)
target_link_options(unit_server_front_receipts_test PRIVATE -Wl,--wrap=receipt_make -Wl,--wrap=keeper_credential)
target_link_options(unit_client_core_tokens_test PRIVATE -Wl,--wrap=pass_order_finish)
target_link_options(unit_client_core_paying_test PRIVATE -Wl,--wrap=log_says_of)
target_link_options(unit_server_auth_voucher_test PRIVATE -Wl,--wrap=blind_rsa_key_generate)
target_link_options(unit_client_core_token_seen_test PRIVATE -Wl,--wrap=keeper_token_public)
# kill -9 to a real hearthd while it closes epochs and signs them.
if(NOT HEARTH_SANITIZE)
  hearth_test(crash_kt_hearthd COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/crash/kt_hearthd.py ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}
    SECONDS 200 LABELS crash)
  hearth_test(crash_kt_hearthd_control COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/crash/kt_hearthd.py
    ${CMAKE_RUNTIME_OUTPUT_DIRECTORY} --control SECONDS 200 LABELS crash)
endif()
target_link_options(unit_client_core_faults_test PRIVATE -Wl,--wrap=group_process -Wl,--wrap=group_join_external)
# The log by plain HTTP, read by a monitor of its own.
hearth_test(flow_log_pages COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/server/log_pages.py ${CMAKE_BINARY_DIR}/bin SECONDS 200
  LABELS flow)
# what a message costs in operations on curves: every function for one is counted.
foreach(function
  crypto_sign_ed25519_verify_detached crypto_sign_ed25519_detached crypto_scalarmult_ristretto255
  crypto_scalarmult_ristretto255_base crypto_core_ristretto255_from_hash crypto_core_ristretto255_add
  crypto_core_ristretto255_is_valid_point crypto_scalarmult_curve25519 crypto_scalarmult_curve25519_base
  crypto_scalarmult_ed25519_noclamp crypto_scalarmult_ed25519_base_noclamp crypto_sign_ed25519_seed_keypair
  EVP_PKEY_derive EVP_DigestVerify EVP_DigestSign EVP_PKEY_verify EVP_PKEY_sign)
  target_link_options(unit_server_delivery_curve_test PRIVATE -Wl,--wrap=${function})
endforeach()
target_link_options(unit_client_core_prices_test PRIVATE -Wl,--wrap=charge_begin,--wrap=charge_by_size,--wrap=charge_fail,--wrap=charge_take)
