/* What the files behind include/hearth/client.h share (door_*.c). Nothing else includes it. */
#ifndef CLIENT_CORE_DOOR_H
#define CLIENT_CORE_DOOR_H

#include "client/core/core.h"
#include "client/core/op.h"

struct hearth_account {
    struct core *core;
    struct hearth_loop
        *loop; /* made here on the caller's event_base; NULL: the core's own or the caller's */
    /* views handed out: each is kept until the next call of its kind */
    struct buf event_text, chat_text, contact_text, info_text;
    bool waiting, woken; /* in a waiting function */
};

/* What a verb's step fills in: the task that carries it out, and what it made. */
struct verb {
    uint64_t task;
    struct hearth_id id;
    const void *arg;
};
/* Runs the step; an operation on its task, or NULL with the account's error. */
struct hearth_op *verb_begin(struct hearth_account *a,
                             struct err (*step)(struct core *c, struct db_txn *t, void *verb),
                             struct verb *verb);
/* The account's error, and NULL. */
struct hearth_op *verb_refuse(struct hearth_account *a, struct err err);
struct hearth_op *verb_usage(struct hearth_account *a, const char *text, const char *hint);

/* A look: a step that only reads. False, and the account's error, when it fails. */
bool door_look(struct hearth_account *a,
               struct err (*look)(struct core *c, struct db_txn *t, void *arg), void *arg);
/* Copies a text into b with its NUL, and returns where. */
const char *door_text(struct buf *b, struct bytes text);

#endif
