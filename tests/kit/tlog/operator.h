/* Whoever runs a log: honest by its functions, dishonest when a test reaches into its fields. All
 * in memory; single-threaded; deterministic.
 */
#ifndef KIT_TLOG_OPERATOR_H
#define KIT_TLOG_OPERATOR_H

#include "kit/tlog/memory_log.h"
#include "tlog/prove.h"

struct operator_version {
    struct buf label, value;
    uint32_t version;
    uint8_t opening[OPENING_BYTES];
    struct kt_pair pair; /* pair.epoch 0: waits for the next epoch */
    bool hidden;         /* a cheat: the operator denies that it exists */
};

struct operator_epoch {
    struct log_entry entry;
    struct hash_value root; /* of the log with this epoch */
    struct buf note;
    struct memory_tree *tree; /* borrowed: where this epoch's prefix tree lies */
};

struct kt_operator {
    struct kt_config config;
    struct buf config_bytes;
    struct sig_key log_key;
    struct vrf_key vrf;
    struct memory_log log;
    struct memory_tree *tree; /* the one written to; one of trees[] */
    struct memory_tree *trees[8];
    size_t tree_count;
    struct operator_version *versions;
    size_t version_count, version_cap;
    struct operator_epoch *epochs; /* epochs[i - 1] is epoch i */
    size_t epoch_count, epoch_cap;
    struct memory_view view; /* behind the tree handed out last */
    size_t shown;            /* epochs that its answers go up to; 0: all */
};

/* Seeds of 32 bytes. The caller clears it. */
CHECKED struct err operator_init(struct kt_operator *op, const char *origin, uint64_t window_ms,
                                 const uint8_t log_seed[32], const uint8_t vrf_seed[32]);
void operator_clear(struct kt_operator *op);
/* The next version of a label, in the next epoch. opening NULL: one that follows from the label. */
CHECKED struct err operator_add(struct kt_operator *op, struct bytes label, struct bytes value,
                                const uint8_t *opening);
/* Closes an epoch: everything added since, and `fill` further leaves of nobody. */
CHECKED struct err operator_close(struct kt_operator *op, uint64_t now_ms, size_t fill);
/* A cheat: from the next epoch on the prefix tree is as it was after an earlier one. */
CHECKED struct err operator_roll_back(struct kt_operator *op, uint64_t epoch);
/* A cheat: the same log, keys and past, from here on its own. Values and openings are copied. */
CHECKED struct err operator_fork(const struct kt_operator *op, struct kt_operator *ret_fork);
struct operator_version *operator_find(struct kt_operator *op, struct bytes label,
                                       uint32_t version);
/* Borrows *op. */
struct kt_source operator_source(struct kt_operator *op);

#endif
