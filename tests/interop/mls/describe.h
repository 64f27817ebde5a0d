/* The service's descriptions of proposals, as encoded Proposals. */
#ifndef TESTS_INTEROP_MLS_DESCRIBE_H
#define TESTS_INTEROP_MLS_DESCRIBE_H

#include "mls/member/group.h"
#include "mls_client/mls_client_rpc.h"

static inline struct bytes describe_view(ProtobufCBinaryData data)
{
    return bytes_of(data.data, data.len);
}

/* Each appends. key_package: MLSMessage. */
CHECKED struct err describe_add(struct bytes key_package, struct buf *b);
CHECKED struct err describe_remove(const struct tree *tree, struct bytes identity, struct buf *b);
CHECKED struct err describe_external_psk(const struct suite *suite, struct bytes psk_id,
                                         struct buf *b);
CHECKED struct err describe_resumption_psk(const struct suite *suite, struct bytes group_id,
                                           uint64_t epoch, struct buf *b);
CHECKED struct err describe_extensions(MlsClient__Extension *const *list, size_t count,
                                       struct buf *ret_list);
CHECKED struct err describe_context_extensions(struct bytes list, struct buf *b);
CHECKED struct err describe_reinit(struct bytes group_id, uint32_t suite, struct bytes list,
                                   struct buf *b);
/* Any of them, by its name. ERR_ARGUMENT. */
CHECKED struct err describe_proposal(const struct public_group *g,
                                     const MlsClient__ProposalDescription *d, struct buf *b);

#endif
