/* Inside of request.c: the sorted lists behind request_type, file_line and the imports. */
#ifndef PROTO_PLUGIN_REQUEST_INDEX_H
#define PROTO_PLUGIN_REQUEST_INDEX_H

#include "proto/plugin/request.h"

/* Fills types. Names must have been checked. ERR_NO_MEMORY. */
CHECKED struct err index_types(struct request *request);
/* Fills imports, generate, knows_hearth and locations. Refusals: files that are named but not
 * there. */
CHECKED struct err index_files(struct request *request,
                               const Google__Protobuf__Compiler__CodeGeneratorRequest *decoded,
                               struct report *report);

#endif
