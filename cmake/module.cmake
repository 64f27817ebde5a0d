# hearth_module(TARGET FOLDER USES targets... LIBS external...)
#   A folder is a module: every .c file in it, one static library. USES is the arrow list that the arch test
#   holds against the #includes; a module that is not named there can't be included or linked.
#   (Globbing is deliberate: a file that lies in the folder belongs to the module, there is no second list.)
define_property(GLOBAL PROPERTY HEARTH_ARROWS BRIEF_DOCS "lines `folder: folders it may include`")

function(hearth_module target folder)
  cmake_parse_arguments(arg "" "" "USES;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
  if(NOT sources)
    add_library(${target} INTERFACE)
    target_link_libraries(${target} INTERFACE hearth_flags ${arg_USES} ${arg_LIBS})
  else()
    add_library(${target} STATIC ${sources})
    target_link_libraries(${target} PUBLIC hearth_flags ${arg_USES} ${arg_LIBS})
  endif()
  set_target_properties(${target} PROPERTIES HEARTH_FOLDER ${folder})
  set(line "${folder}:")
  foreach(used IN LISTS arg_USES)
    get_target_property(used_folder ${used} HEARTH_FOLDER)
    string(APPEND line " ${used_folder}")
  endforeach()
  set_property(GLOBAL APPEND PROPERTY HEARTH_ARROWS "${line}")
endfunction()

# hearth_program(NAME SOURCES files... USES targets... LIBS external...): a program in build/<preset>/bin. What measures and
# what writes seeds runs in no sanitized preset, and is built there for who names it.
function(hearth_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;LIBS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE hearth_flags ${arg_USES} ${arg_LIBS})
  if(HEARTH_SANITIZE AND name MATCHES "_(bench|seeds)$")
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL TRUE)
  endif()
endfunction()

# hearth_unit_tests(TARGET FOLDER ...): every tests/unit/FOLDER/*_test.c becomes a cmocka program of its own,
# linked against TARGET; what follows are further targets. Those that never look at the time take one place.
set(HEARTH_LOOKS_AT_TIME "clock_gettime|usleep|nanosleep|pthread_create|fork\\(|hearth_loop_new")
function(hearth_unit_tests target folder)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${folder}/*_test.c)
  foreach(source IN LISTS sources)
    get_filename_component(stem ${source} NAME_WE)
    string(REPLACE "/" "_" prefix ${folder})
    set(name unit_${prefix}_${stem})
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE hearth_flags ${target} ${ARGN} test_support lib::cmocka)
    file(STRINGS ${source} looks_at_time REGEX "${HEARTH_LOOKS_AT_TIME}" LIMIT_COUNT 1)
    if(looks_at_time)
      hearth_test(${name} COMMAND ${name})
    else()
      hearth_test(${name} COMMAND ${name} PLACES 1)
    endif()
  endforeach()
endfunction()

# hearth_test(NAME COMMAND ... [SECONDS n] [PLACES n] [LABELS ...]): exit 77 means skipped, and the output says why.
# SECONDS ends what hangs [400]; it judges nothing, since machines under load take several times as long. PLACES: a core
# is a place, and a program under real time takes two [2], so that half of the machine is idle while it is judged.
function(hearth_test name)
  cmake_parse_arguments(arg "" "SECONDS;PLACES" "COMMAND;LABELS" ${ARGN})
  if(NOT arg_PLACES)
    set(arg_PLACES 2)
  endif()
  if(NOT arg_SECONDS)
    set(arg_SECONDS 400)
  endif()
  if(HEARTH_SANITIZE) # several times slower, and CI's machines are small
    math(EXPR arg_SECONDS "${arg_SECONDS} * 4")
  endif()
  add_test(NAME ${name} COMMAND ${arg_COMMAND} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${arg_SECONDS} LABELS "${arg_LABELS}"
    PROCESSORS ${arg_PLACES})
endfunction()
