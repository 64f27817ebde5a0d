/* protoc-gen-hearth: from a CodeGeneratorRequest to a CodeGeneratorResponse, bytes in, bytes out.
 *
 * Stages, one struct each, each trusted further than the one before:
 *     bytes -> struct request (decoded, bounded, every name an identifier)
 *           -> struct model   (policies and rules decoded and found sensible, C names chosen and
 * unique)
 *           -> text           (emit_*.c; can only fail for want of room)
 * What a person wrote wrongly in a .proto is not an error here: it is a refusal in the response,
 * `file:line: text`.
 */
#ifndef PROTO_PLUGIN_PLUGIN_H
#define PROTO_PLUGIN_PLUGIN_H

#include "base/bytes.h"

enum {
    PLUGIN_REQUEST_BYTES = 32 * 1024 * 1024,
    PLUGIN_RESPONSE_BYTES = 64 * 1024 * 1024,
    PLUGIN_MEMORY_BYTES = 1024 * 1024 * 1024, /* of one run, beside the two */
    PLUGIN_DEPTH = 48,                        /* messages within messages, in the request */
    PLUGIN_NAME_BYTES = 200, /* one name; a path of them may be ten times as long */
    PLUGIN_REFUSALS = 100,   /* lines; then it says that there are more */
};

/* Appends the serialised response to *ret_response. A refused .proto is ERR_OK, and the response
 * carries the reasons. ERR_WIRE_VALUE: not a request that protoc sends; ERR_TOO_LARGE,
 * ERR_NO_MEMORY. Nothing is appended on error. */
CHECKED struct err plugin_run(struct bytes request, struct buf *ret_response);

/* Appends the same request without its services to *ret_request. protoc-c, given that, writes the
 * messages alone: its own service stubs would be dead code, and they put the names of rpcs into
 * headers as they are, which C++ does not take from one called Delete. Errors as above. */
CHECKED struct err plugin_strip_services(struct bytes request, struct buf *ret_request);

#endif
