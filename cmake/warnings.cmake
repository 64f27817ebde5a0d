# Warnings are errors in every preset, with gcc and clang. Hardening flags are those of docs/threat-model.md
# ("Secure defaults"); the release preset is the one that is shipped, so it carries FORTIFY and RELRO.
add_library(hearth_flags INTERFACE)
target_compile_features(hearth_flags INTERFACE c_std_11)
set(c_only "$<COMPILE_LANGUAGE:C>")
target_compile_options(hearth_flags INTERFACE
  -Wall -Wextra -Werror -Wpedantic -Wshadow -Wundef -Wvla -Wcast-qual -Wwrite-strings -Wformat=2
  -Wpointer-arith -Wunused-result -Wno-missing-braces # gcc takes a nested {0} for a mistake
  $<${c_only}:-Wstrict-prototypes> $<${c_only}:-Wmissing-prototypes> $<${c_only}:-Wold-style-definition>
  -fno-common -fstack-protector-strong -fcf-protection=full -fno-strict-aliasing)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(hearth_flags INTERFACE -Wlogical-op -Wduplicated-cond -ftrivial-auto-var-init=zero)
endif()
target_compile_definitions(hearth_flags INTERFACE _GNU_SOURCE)
target_include_directories(hearth_flags INTERFACE
  ${CMAKE_SOURCE_DIR}/lib ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR})
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  target_compile_options(hearth_flags INTERFACE -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  target_link_options(hearth_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
# What the public headers declare is visible, and generated code (codegen.cmake); nothing else is.
set(CMAKE_C_VISIBILITY_PRESET hidden)
