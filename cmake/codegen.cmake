# Generated code: one target per group of folders under generated/, which is also their include root. The files
# are committed; `./dev generate` writes them anew, and the test golden_generated_fresh holds them against that.

# hearth_generated(TARGET ROOT root [ONLY .pb-c|_rpc] FOLDERS folders below root... USES targets... LIBS external...)
#   ONLY takes the messages (.pb-c) or the stubs (_rpc) alone: messages need no runtime, and the runtime needs some.
function(hearth_generated target)
  cmake_parse_arguments(arg "" "ROOT;ONLY" "FOLDERS;USES;LIBS" ${ARGN})
  set(patterns "")
  foreach(folder IN LISTS arg_FOLDERS)
    list(APPEND patterns ${CMAKE_SOURCE_DIR}/${arg_ROOT}/${folder}/*${arg_ONLY}.c)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  if(NOT sources) # new .proto files: ./dev generate builds the plugin first
    message(STATUS "${target}: nothing generated yet, run ./dev generate")
    add_library(${target} INTERFACE)
    set_target_properties(${target} PROPERTIES HEARTH_FOLDER ${arg_ROOT})
    return()
  endif()
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR}/${arg_ROOT})
  target_link_libraries(${target} PUBLIC hearth_flags lib::protobuf_c ${arg_USES} ${arg_LIBS})
  # protoc-c casts const away (proto3's empty string); the stubs keep all warnings. Per file, because a target's own
  # options come before those of what it links.
  set(messages ${sources})
  list(FILTER messages INCLUDE REGEX "\\.pb-c\\.c$")
  set_source_files_properties(${messages} PROPERTIES COMPILE_OPTIONS "-Wno-cast-qual")
  set_target_properties(${target} PROPERTIES HEARTH_FOLDER ${arg_ROOT} C_VISIBILITY_PRESET default)
endfunction()
