# hearth_fuzz(NAME USES targets...): tests/fuzz/NAME.c holds LLVMFuzzerTestOneInput, tests/fuzz/NAME/ its seeds.
# Every preset replays the seeds as the test fuzz_NAME; the fuzz preset links libFuzzer and goes on for
# HEARTH_FUZZ_SECONDS from there.
set(HEARTH_FUZZ_SECONDS 10 CACHE STRING "how long ctest runs each fuzz target in the fuzz preset")
add_custom_target(fuzzers) # all of them, and nothing else
function(hearth_fuzz name)
  cmake_parse_arguments(arg "" "" "USES" ${ARGN})
  set(folder ${CMAKE_SOURCE_DIR}/tests/fuzz)
  set(program fuzz_${name})
  if(HEARTH_SANITIZE STREQUAL "fuzz")
    add_executable(${program} ${folder}/${name}.c)
    target_link_options(${program} PRIVATE -fsanitize=fuzzer)
    math(EXPR seconds "${HEARTH_FUZZ_SECONDS} + 60")
    # what is found new goes to the build folder, the seeds stay as they are; libFuzzer's own exit code for a
    # finding is 77, which would count as skipped
    file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/corpus/${name})
    hearth_test(${program} COMMAND ${program} -max_total_time=${HEARTH_FUZZ_SECONDS} -rss_limit_mb=3072 -timeout=20
      -error_exitcode=1 -artifact_prefix=${CMAKE_BINARY_DIR}/ ${CMAKE_BINARY_DIR}/corpus/${name} ${folder}/${name}
      SECONDS ${seconds} LABELS fuzz)
  else()
    add_executable(${program} ${folder}/${name}.c ${folder}/replay.c)
    hearth_test(${program} COMMAND ${program} ${folder}/${name} LABELS fuzz)
  endif()
  target_link_libraries(${program} PRIVATE hearth_flags ${arg_USES})
  add_dependencies(fuzzers ${program})
endfunction()
