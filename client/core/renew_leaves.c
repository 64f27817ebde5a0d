/* What carries our credential, or grows old. */
#include "client/core/group.h"
#include "client/core/key_package_inside.h"
#include "client/core/renew.h"

struct renewing {
    struct core *core;
    struct db_txn *t;
};

static struct err renew_one(void *arg, struct open_chat *chat)
{
    const struct renewing *r = arg;
    const struct commit_wish wish = {.update = true};
    const struct hearth_id id = chat->chat.id;
    uint64_t task;
    if (chat->chat.state != HEARTH_CHAT_OPEN)
        return ERR_OK;
    return group_wish(r->core, r->t, &id, &wish, &task);
}

struct err renew_leaves(struct core *c, struct db_txn *t)
{
    struct renewing r = {c, t};
    TRY(key_package_publish(c, t));
    return chat_each(c, t, renew_one, &r);
}

struct err renew_key_packages(struct core *c, struct db_txn *t)
{
    uint64_t made_ms = 0;
    TRY(key_package_newest(c, t, &made_ms));
    if (made_ms + (uint64_t)KEY_PACKAGE_FRESH_S * 1000 > core_now_ms(c))
        return ERR_OK;
    return key_package_publish(c, t);
}
