/* Leaving all chats. */
#include "client/core/group.h"
#include "client/core/unregister.h"

struct leaving {
    struct core *core;
    struct db_txn *t;
};

static struct err leave_one(void *arg, struct open_chat *chat)
{
    struct leaving *l = arg;
    const struct hearth_id id = chat->chat.id;
    uint64_t task;
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    struct err err = group_leave_begin(l->core, l->t, &id, &task);
    /* one that can't be left now (starting, alone in it) ends with the queue */
    return err_class_of(err) == ERR_CLASS_CALLER ? ERR_OK : err;
}

struct err unregister_leave(struct core *c, struct db_txn *t)
{
    struct leaving l = {.core = c, .t = t};
    return chat_each(c, t, leave_one, &l);
}
