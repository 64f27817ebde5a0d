/* Proposal (RFC 9420 12.1).
 *
 *     struct {
 *         ProposalType proposal_type;
 *         select (proposal_type) {
 *             case add: KeyPackage;  case update: LeafNode;  case remove: uint32 removed;
 *             case psk: PreSharedKeyID;  case reinit: ReInit;  case external_init: opaque
 * kem_output<V>; case group_context_extensions: Extension extensions<V>;
 *         };
 *     } Proposal;
 *
 * A type we do not know is taken as one opaque<V> (the usual form of custom proposals): a body of
 * another shape could not be told from what follows it. Key packages and leaf nodes lie in the
 * arena, the rest in the struct.
 */
#ifndef MLS_CODEC_PROPOSAL_H
#define MLS_CODEC_PROPOSAL_H

#include "mls/codec/key_package.h"
#include "mls/codec/psk_id.h"

/* ReInit (RFC 9420 12.1.5) */
struct reinit {
    struct bytes group_id;
    uint16_t version;
    uint16_t cipher_suite;
    struct extensions extensions;
};

struct proposal {
    uint16_t type; /* PROPOSAL_... or unknown */
    union {
        const struct key_package *add;
        const struct leaf_node *update;
        uint32_t remove; /* leaf index */
        struct psk_id psk;
        struct reinit reinit;
        struct bytes external_init; /* kem_output */
        struct extensions group_context_extensions;
        struct bytes unknown; /* contents of the vector */
    };
    struct bytes raw; /* as read; empty in one that was made */
};

void proposal_read(struct wire_reader *r, struct arena *a, struct proposal *p);
CHECKED struct err proposal_parse(struct bytes in, struct arena *a, struct proposal *ret_p);
void proposal_write(struct buf *b, const struct proposal *p);

void reinit_read(struct wire_reader *r, struct reinit *reinit);
void reinit_write(struct buf *b, const struct reinit *reinit);

#endif
