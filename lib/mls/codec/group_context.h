/* GroupContext (RFC 9420 8.1): what all members agree on in an epoch.
 *
 *     struct {
 *         ProtocolVersion version = mls10;  CipherSuite cipher_suite;  opaque group_id<V>;  uint64
 * epoch; opaque tree_hash<V>;  opaque confirmed_transcript_hash<V>;  Extension extensions<V>; }
 * GroupContext;
 */
#ifndef MLS_CODEC_GROUP_CONTEXT_H
#define MLS_CODEC_GROUP_CONTEXT_H

#include "mls/codec/extension.h"

struct group_context {
    uint16_t cipher_suite;
    struct bytes group_id;
    uint64_t epoch;
    struct bytes tree_hash;
    struct bytes confirmed_transcript_hash; /* empty in epoch 0 */
    struct extensions extensions;
    struct bytes raw; /* as read; empty in one that was made */
};

/* ERR_MLS_VERSION for a version other than mls10. */
void group_context_read(struct wire_reader *r, struct group_context *gc);
CHECKED struct err group_context_parse(struct bytes in, struct group_context *ret_gc);
void group_context_write(struct buf *b, const struct group_context *gc);

#endif
