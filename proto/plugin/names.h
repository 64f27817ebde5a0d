/* C names from protobuf names, exactly as protoc-c 1.4 chooses them. */
#ifndef PROTO_PLUGIN_NAMES_H
#define PROTO_PLUGIN_NAMES_H

#include <stdbool.h>

#include "base/arena.h"

/* "package.v1.GetURL" -> "Package__V1__GetURL". These and the following live in the arena; NULL
 * when it is full. */
char *name_type(struct arena *arena, const char *full_name);
/* "package.v1.GetURL" -> "package__v1__get_url". */
char *name_symbol(struct arena *arena, const char *full_name);
/* "GetURL" -> "get_url"; runs of capitals stay together ("URLGet" -> "urlget"). */
char *name_snake(struct arena *arena, const char *name);
/* A struct member for a field: lower case, "_" behind a keyword. */
char *name_field(struct arena *arena, const char *name);
/* A vtable member for an rpc: snake case, "_" behind a keyword of C or C++. */
char *name_member(struct arena *arena, const char *name);
/* What stub functions of a service begin with, without the last "_": "hearth.v1.Queue" ->
 * "hearth_queue", "bench.Echo" -> "bench_echo". Parts of the package after "hearth" are left out:
 * there is one Hearth. */
char *name_prefix(struct arena *arena, const char *package, const char *service);
/* Upper case, what is not a letter or digit becomes "_". */
char *name_guard(struct arena *arena, const char *file);

/* [A-Za-z_][A-Za-z0-9_]*, at most PLUGIN_NAME_BYTES. */
bool name_is_identifier(const char *name);
/* Identifiers joined by dots; "" too. */
bool name_is_package(const char *name);
/* A relative path of letters, digits, "_-+." and "/", without "..". */
bool name_is_file(const char *name);
/* Is a prefix taken by include/hearth/rpc.h? */
bool name_is_reserved(const char *prefix);

#endif
