# libhearth and what `cmake --install build/release --prefix P` puts where: the client library (shared and static)
# with headers and stubs, the programs, the .proto files, a pkg-config file and a CMake package.
include(GNUInstallDirs)

# Everything a client needs, from the bottom up.
set(hearth_parts base wire crypto mls_codec mls_public mls_member seal tlog pass store pb generated_messages rpc generated_core
  rpc_services net generated_hearth client_db client_api client_core)
set(hearth_needs libevent libcares libssl libcrypto libsodium sqlite3 libprotobuf-c libnghttp2 zlib jansson)

set(archives "")
foreach(part IN LISTS hearth_parts)
  get_target_property(type ${part} TYPE)
  if(type STREQUAL "STATIC_LIBRARY")
    list(APPEND archives $<TARGET_FILE:${part}>)
  endif()
endforeach()
set(links "")
foreach(need nghttp2 event cares ssl crypto sodium sqlite protobuf_c zlib jansson)
  get_target_property(files PkgConfig::${need} INTERFACE_LINK_LIBRARIES)
  list(APPEND links ${files})
endforeach()

# One object, in which every name that no public header declares is local, so that it can't meet a user's; both
# libraries are made of it.
set(object ${CMAKE_BINARY_DIR}/package/hearth.o)
set(folder ${CMAKE_BINARY_DIR}/lib)
set(shared libhearth.so.${PROJECT_VERSION})
add_custom_command(OUTPUT ${folder}/libhearth.a ${folder}/${shared}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${folder} ${CMAKE_BINARY_DIR}/package
  COMMAND ${CMAKE_LINKER} -r -o ${object} --whole-archive ${archives}
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden ${object}
  COMMAND ${CMAKE_COMMAND} -E rm -f ${folder}/libhearth.a
  COMMAND ${CMAKE_AR} crs ${folder}/libhearth.a ${object}
  COMMAND ${CMAKE_C_COMPILER} -shared -o ${folder}/${shared} -Wl,-soname,libhearth.so.0 -Wl,--no-undefined
    -Wl,-z,relro,-z,now ${object} ${links} -lpthread
  COMMAND ${CMAKE_COMMAND} -E create_symlink ${shared} ${folder}/libhearth.so.0
  COMMAND ${CMAKE_COMMAND} -E create_symlink libhearth.so.0 ${folder}/libhearth.so
  DEPENDS ${hearth_parts} VERBATIM)
add_custom_target(package DEPENDS ${folder}/libhearth.a ${folder}/${shared})
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo") # what is shipped; sanitizers make no libraries
  add_custom_target(package_with_all ALL)
  add_dependencies(package_with_all package)
endif()

string(REPLACE ";" " " hearth_requires "${hearth_needs}")
# Both find the prefix from where they lie, however deep the libraries' folder is (Debian: lib/x86_64-linux-gnu).
file(RELATIVE_PATH pkgconfig_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
file(RELATIVE_PATH config_to_prefix "/${CMAKE_INSTALL_LIBDIR}/cmake/Hearth" "/")
configure_file(cmake/package/hearth.pc.in ${CMAKE_BINARY_DIR}/package/hearth.pc @ONLY)
configure_file(cmake/package/HearthConfig.cmake.in ${CMAKE_BINARY_DIR}/package/HearthConfig.cmake @ONLY)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/HearthConfigVersion.cmake COMPATIBILITY SameMinorVersion)

install(DIRECTORY include/hearth DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY generated/hearth generated/google DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hearth-stubs
  FILES_MATCHING PATTERN "*.h" PATTERN "compiler" EXCLUDE)
install(DIRECTORY proto/hearth DESTINATION ${CMAKE_INSTALL_DATADIR}/hearth/proto FILES_MATCHING PATTERN "*.proto")
install(DIRECTORY ${folder}/ DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILES_MATCHING PATTERN "libhearth*")
install(FILES ${CMAKE_BINARY_DIR}/package/hearth.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
install(FILES ${CMAKE_BINARY_DIR}/package/HearthConfig.cmake ${CMAKE_BINARY_DIR}/package/HearthConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Hearth)
install(TARGETS hearthd hearth protoc-gen-hearth DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES server/hearthd.service DESTINATION lib/systemd/system)
file(GLOB hearth_protos CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/proto ${CMAKE_SOURCE_DIR}/proto/hearth/v1/*.proto)
string(REPLACE ";" " " hearth_protos "${hearth_protos}")
install(CODE "
  set(prefix \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\")
  file(MAKE_DIRECTORY \"\${prefix}/${CMAKE_INSTALL_MANDIR}/man1\" \"\${prefix}/${CMAKE_INSTALL_DATADIR}/bash-completion/completions\")
  execute_process(COMMAND ${CMAKE_BINARY_DIR}/bin/hearth help --man OUTPUT_FILE \"\${prefix}/${CMAKE_INSTALL_MANDIR}/man1/hearth.1\" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_BINARY_DIR}/bin/hearth completions bash OUTPUT_FILE \"\${prefix}/${CMAKE_INSTALL_DATADIR}/bash-completion/completions/hearth\" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND protoc -I${CMAKE_SOURCE_DIR}/proto --include_imports --include_source_info --descriptor_set_out=\${prefix}/${CMAKE_INSTALL_DATADIR}/hearth/hearth.v1.pb ${hearth_protos} COMMAND_ERROR_IS_FATAL ANY)
")
