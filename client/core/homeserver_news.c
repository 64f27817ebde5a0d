/* What waits for the keys of a domain. */
#include "client/core/homeserver_inside.h"
#include "client/core/roster.h"
#include "client/core/task.h"

struct retrying {
    struct core *core;
    struct db_txn *t;
};

static struct err retry_one(void *arg, struct open_chat *chat)
{
    struct retrying *r = arg;
    if (chat->roster == NULL)
        return ERR_OK;
    TRY(roster_retry(r->core, r->t, chat));
    return chat_save(r->core, r->t, chat);
}

struct err homeserver_news(struct core *c, struct db_txn *t)
{
    struct retrying r = {c, t};
    TRY(chat_each(c, t, retry_one, &r));
    task_wake(c, NULL);
    return ERR_OK;
}
