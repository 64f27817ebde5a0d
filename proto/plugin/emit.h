/* Writing the output files. All take a finished model; what fails is room (sticky in the buffer) or
 * memory. */
#ifndef PROTO_PLUGIN_EMIT_H
#define PROTO_PLUGIN_EMIT_H

#include "proto/plugin/model.h"
#include "proto/plugin/text.h"

/* The names that templates use for an rpc: $fn$ $member$ $prefix$ $In$ $Out$ (types) $in$ $out$
 * (symbols) $path$ $row$ (expression of the endpoint) $vtable$. */
enum { EMIT_VARS = 12 };
struct emit_rpc {
    const struct model_service *service;
    const struct model_rpc *rpc;
    char row[512];
    char path[1024];
    struct text_var vars[EMIT_VARS];
};
/* at: number of the rpc in its service. The result points into itself: don't copy it. */
void emit_rpc_init(struct emit_rpc *ret_emit, const struct model_service *service, size_t at);

/* X_rpc.h and X_rpc.c. */
void emit_header(const struct model *model, const struct model_file *file, struct buf *out);
CHECKED struct err emit_source(const struct model *model, const struct model_file *file,
                               struct buf *out);

/* Parts of X_rpc.c. */
void emit_server(const struct model_file *file, struct buf *out);
void emit_client(const struct model_file *file, struct buf *out);
void emit_checks(const struct model *model, const struct model_file *file, struct buf *out);
/* The array `file_descriptors`. */
CHECKED struct err emit_descriptors(const struct model *model, const struct model_file *file,
                                    struct buf *out);

/* The page of one package: all its files in this run. */
void emit_docs(const struct model *model, const char *package, struct buf *out);

/* The n-th message of the request if it stands in this file and has a check; NULL otherwise. */
const struct model_message *emit_checked(const struct model *model, const struct model_file *file,
                                         size_t n);

#endif
