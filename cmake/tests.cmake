add_library(test_support STATIC EXCLUDE_FROM_ALL)
file(GLOB support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.c)
target_sources(test_support PRIVATE ${support_sources})
target_include_directories(test_support PUBLIC ${CMAKE_SOURCE_DIR}/tests)
target_link_libraries(test_support PUBLIC hearth_flags base lib::cmocka)

hearth_unit_tests(base lib/base)
hearth_unit_tests(wire lib/wire)
hearth_unit_tests(crypto lib/crypto)
hearth_unit_tests(mls_codec lib/mls/codec)
hearth_unit_tests(mls_public lib/mls/public)
hearth_unit_tests(mls_member lib/mls/member)
hearth_unit_tests(rpc lib/rpc)
hearth_unit_tests(plugin proto/plugin generated_golden rpc)

get_property(arrows GLOBAL PROPERTY HEARTH_ARROWS)
string(REPLACE ";" "\n" arrows "${arrows}")
file(WRITE ${CMAKE_BINARY_DIR}/arrows.txt "${arrows}\n")
hearth_test(arch_includes COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/arch/includes.py ${CMAKE_BINARY_DIR}/arrows.txt)
hearth_test(golden_generated_fresh COMMAND ${CMAKE_SOURCE_DIR}/tests/golden/generated_fresh.sh
  $<TARGET_FILE:protoc-gen-hearth> ${CMAKE_BINARY_DIR}/fresh)
hearth_test(golden_plugin_refusals COMMAND ${CMAKE_SOURCE_DIR}/tests/golden/plugin/refusals.sh
  $<TARGET_FILE:protoc-gen-hearth> ${CMAKE_BINARY_DIR}/refusals)

# Generated headers as C++, with all warnings.
add_library(generated_headers_cpp STATIC ${CMAKE_SOURCE_DIR}/tests/unit/proto/plugin/headers.cc)
target_link_libraries(generated_headers_cpp PRIVATE generated_core generated_bench generated_interop generated_golden)

hearth_fuzz(plugin_input USES plugin)
