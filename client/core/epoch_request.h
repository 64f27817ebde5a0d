/* A request that is good for one epoch of its group: what a task keeps between making it and its
 * answer, as the task's body:
 *
 *     struct { uint32 tries; uint64 epoch; opaque request<V>; }
 */
#ifndef CLIENT_CORE_EPOCH_REQUEST_H
#define CLIENT_CORE_EPOCH_REQUEST_H

#include "client/core/group.h"

struct epoch_request {
    uint32_t tries; /* answered stale in a row, at the same epoch */
    uint64_t epoch;
    struct bytes request; /* packed; a view of the task's body. Empty: to be made */
};

/* A body of nothing made yet. */
CHECKED struct err epoch_request_begin(struct buf *ret_body);
CHECKED struct err epoch_request_read(const struct task *task, struct epoch_request *ret_request);
/* packed was made at the group's epoch; *r is that afterwards. */
CHECKED struct err epoch_request_keep(struct task *task, const struct mls_group *group,
                                      const struct buf *packed, struct epoch_request *r);
/* Answered stale: to be made again, in state `again`. At once when the group has moved on
 * meanwhile, else as group_try_again says. */
CHECKED struct err epoch_request_stale(struct core *c, struct task *task,
                                       const struct open_chat *chat, uint8_t again,
                                       struct epoch_request *r, enum task_next *ret_next);

#endif
