add_library(test_support STATIC EXCLUDE_FROM_ALL)
file(GLOB support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.c)
target_sources(test_support PRIVATE ${support_sources})
target_include_directories(test_support PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(test_support PUBLIC hearth_flags base lib::cmocka lib::crypto)

hearth_unit_tests(base lib/base)
hearth_unit_tests(wire lib/wire)
hearth_unit_tests(crypto lib/crypto)
hearth_unit_tests(mls_codec lib/mls/codec)
hearth_unit_tests(mls_public lib/mls/public)
hearth_unit_tests(mls_member lib/mls/member)
hearth_unit_tests(net lib/net generated_bench)
hearth_unit_tests(rpc lib/rpc)

get_property(arrows GLOBAL PROPERTY HEARTH_ARROWS)
string(REPLACE ";" "\n" arrows "${arrows}")
file(WRITE ${CMAKE_BINARY_DIR}/arrows.txt "${arrows}\n")
hearth_test(arch_includes COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/arch/includes.py ${CMAKE_BINARY_DIR}/arrows.txt)

# Programs that tests and measurements run against.
hearth_program(bench_server SOURCES tests/bench/bench_server.c USES generated_bench net)

# HTTP/2 by wire: our own conformance rules (those of h2spec, strict) and the attacks of docs/http2.md.
hearth_test(h2_hpack COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/h2/hpack.py LABELS h2)
if(TARGET bench_server)
  set(h2_conformance python3 ${CMAKE_SOURCE_DIR}/tests/h2/conformance.py --server $<TARGET_FILE:bench_server>)
  hearth_test(h2_conformance COMMAND ${h2_conformance} LABELS h2)
  hearth_test(h2_conformance_tls COMMAND ${h2_conformance} --tls LABELS h2)
endif()
