/* The rows of head.h. */
#ifndef CLIENT_CORE_HEAD_ROW_H
#define CLIENT_CORE_HEAD_ROW_H

#include "client/core/head.h"

enum { HEAD_LANES = 2, HEAD_NUMBER_MAX = (1 << 30) - 2 };

struct head_row {
    struct head_own {
        uint64_t number, before, epoch; /* so many sent; so many before that epoch */
        uint8_t hash[HEAD_HASH_BYTES];
    } own[HEAD_LANES];
    bool forgot; /* there were more than HEADS_MAX: of who is not in the list, nothing is known */
    struct head {
        uint8_t pseudonym[PSEUDONYM_BYTES];
        uint8_t lane;
        bool fresh;   /* none of ours has named it yet */
        bool claimed; /* it did not come: others say it was there */
        uint64_t epoch, number;
        uint8_t hash[HEAD_HASH_BYTES];
    } heads[HEADS_MAX]; /* newest first */
    size_t count;
};
/* An empty one where there is none. */
CHECKED struct err head_row_get(struct db_txn *t, const struct hearth_id *chat,
                                struct head_row *ret_row);
CHECKED struct err head_row_put(struct db_txn *t, const struct hearth_id *chat,
                                const struct head_row *row);
/* By the first bytes of a pseudonym; NULL: none. */
struct head *head_find(struct head_row *row, const uint8_t *prefix, size_t len, size_t lane);
/* In the place of the one of its leaf and lane, to the front. */
void head_newest(struct head_row *row, const struct head *head);
/* Of a leaf of the group as it is; false: none. */
bool head_pseudonym(const struct open_chat *chat, const uint8_t prefix[HEAD_PREFIX_BYTES],
                    uint8_t ret_pseudonym[PSEUDONYM_BYTES]);

#endif
