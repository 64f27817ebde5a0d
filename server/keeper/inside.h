/* What both forms of a keeper are. Internal to server/keeper. */
#ifndef SERVER_KEEPER_INSIDE_H
#define SERVER_KEEPER_INSIDE_H

#include "server/keeper/keeper.h"

/* What can be rotated: a signer, or this. */
enum { KEEPER_ROTATE_QUEUE = KEEPER_SIGNERS };

/* Arguments are checked by keeper.c. rotate: a signer or KEEPER_ROTATE_QUEUE. */
struct keeper_ops {
    struct err (*sign)(struct keeper *keeper, enum keeper_signer signer, bool mls,
                       struct bytes label, struct bytes content, struct signature *ret_signature);
    struct err (*public_of)(struct keeper *keeper, enum keeper_signer signer,
                            struct public_key *ret_key);
    struct err (*credential)(struct keeper *keeper, enum keeper_signer signer, struct buf *b);
    struct err (*rotate)(struct keeper *keeper, unsigned what);
    struct err (*queue_key)(struct keeper *keeper, struct public_key *ret_key);
    struct err (*open_refs)(struct keeper *keeper, const struct bytes *sealed, size_t count,
                            struct queue_ref *ret_refs, struct err *ret_results);
    struct err (*storage_key)(struct keeper *keeper, enum keeper_purpose purpose, uint8_t *ret_key);
    void (*close)(struct keeper *keeper);
};

/* First member of either form. */
struct keeper {
    const struct keeper_ops *ops;
};

/* A rotation in steps, for the process form, whose file is written through a descriptor that comes
 * from outside and is renamed there. In-process keepers only; from stage to adopt or drop no other
 * caller may rotate. */

/* Makes the new key beside the old ones, and writes all to fd (synced); fd below 0: nowhere. */
CHECKED struct err keeper_local_stage(struct keeper *keeper, unsigned what, int fd);
/* Uses what was staged. ERR_WRONG_STATE when nothing was. */
CHECKED struct err keeper_local_adopt(struct keeper *keeper);
void keeper_local_drop(struct keeper *keeper);

#endif
