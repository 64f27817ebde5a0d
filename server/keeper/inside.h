/* What both forms of a keeper are. Internal to server/keeper. */
#ifndef SERVER_KEEPER_INSIDE_H
#define SERVER_KEEPER_INSIDE_H

#include "server/keeper/keeper.h"

/* What can be rotated: a signer, or this. */
enum { KEEPER_ROTATE_QUEUE = KEEPER_SIGNERS };

/* Texts as they stand, as other programs verify them: notes and cosignatures. */
static inline bool keeper_signs_plain(enum keeper_signer signer)
{
    return signer == KEEPER_LOG || signer == KEEPER_WITNESS;
}

/* Arguments are checked by keeper.c. rotate: a signer or KEEPER_ROTATE_QUEUE. */
struct keeper_ops {
    struct err (*sign)(struct keeper *keeper, enum keeper_signer signer, bool mls,
                       struct bytes label, struct bytes content, struct signature *ret_signature);
    struct err (*public_of)(struct keeper *keeper, enum keeper_signer signer,
                            struct public_key *ret_key);
    struct err (*credential)(struct keeper *keeper, enum keeper_signer signer, struct buf *b);
    struct err (*rotate)(struct keeper *keeper, unsigned what, bool anyway);
    struct err (*external_keys)(struct keeper *keeper, struct keeper_external *ret_keys,
                                size_t *ret_count);
    struct err (*sign_external)(struct keeper *keeper, struct bytes public_key, struct bytes label,
                                struct bytes content, struct signature *ret_signature);
    struct err (*queue_key)(struct keeper *keeper, struct public_key *ret_key);
    struct err (*open_refs)(struct keeper *keeper, const struct bytes *sealed, size_t count,
                            struct queue_ref *ret_refs, struct err *ret_results);
    struct err (*storage_key)(struct keeper *keeper, enum keeper_purpose purpose, uint8_t *ret_key);
    struct err (*token_key)(struct keeper *keeper, uint8_t class, uint32_t period,
                            bool private_half, uint8_t *ret_key);
    struct err (*voucher_wrap)(struct keeper *keeper, uint8_t class, uint32_t week,
                               struct bytes pkcs8, struct buf *wrapped);
    struct err (*voucher_sign)(struct keeper *keeper, uint8_t class, uint32_t week,
                               struct bytes wrapped, const uint8_t *blinded,
                               uint8_t *ret_signature);
    void (*close)(struct keeper *keeper);
};

/* First member of either form. */
struct keeper {
    const struct keeper_ops *ops;
};

/* Of an in-process keeper: the folder of its file, below 0 without one. For the confinement. */
int keeper_local_folder(const struct keeper *keeper);
/* ... drops what it remembers of references. */
void keeper_local_forget(struct keeper *keeper);

#endif
