/* Our devices and our chats. */
#include "client/core/device_add.h"
#include "client/core/group.h"
#include "client/core/roster.h"

struct walk {
    struct core *c;
    struct db_txn *t;
    const uint8_t *uuid; /* NULL: all in */
    bool is_in;
};

static struct err wish_one(void *arg, struct open_chat *chat)
{
    struct walk *w = arg;
    struct commit_wish wish = {.add_devices = w->uuid == NULL};
    uint8_t uuid[1][16];
    uint64_t task;
    struct hearth_id id = chat->chat.id;
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    if (w->uuid != NULL) {
        memcpy(uuid[0], w->uuid, sizeof uuid[0]);
        wish.remove_clients = (const uint8_t(*)[16])uuid;
        wish.remove_client_count = 1;
    }
    struct err err = group_wish(w->c, w->t, &id, &wish, &task);
    /* it is not in, or the chat is not one that a commit can be made in */
    bool nothing = err.code == ERR_CLIENT_CHAT_STATE || err.code == ERR_NOT_FOUND;
    return nothing ? ERR_OK : err;
}

struct err devices_into_chats(struct core *c, struct db_txn *t)
{
    struct walk w = {.c = c, .t = t};
    return chat_each(c, t, wish_one, &w);
}

struct err device_out_of_chats(struct core *c, struct db_txn *t, const uint8_t uuid[UUID_BYTES])
{
    struct walk w = {.c = c, .t = t, .uuid = uuid};
    return chat_each(c, t, wish_one, &w);
}

static struct err look(void *arg, struct open_chat *chat)
{
    struct walk *w = arg;
    if (chat->chat.state == HEARTH_CHAT_OVER || chat->chat.kind == HEARTH_CHAT_GROUP)
        return ERR_OK;
    for (size_t i = 0; i < chat->roster->count; i++) {
        const struct roster_leaf *l = &chat->roster->leaves[i];
        w->is_in |= l->own_user && l->client_id_len > UUID_BYTES &&
                    memcmp(l->client_id + l->client_id_len - UUID_BYTES, w->uuid, UUID_BYTES) == 0;
    }
    return ERR_OK;
}

struct err device_is_in_chats(struct core *c, struct db_txn *t, const uint8_t uuid[UUID_BYTES],
                              bool *ret_is)
{
    struct walk w = {.c = c, .t = t, .uuid = uuid};
    TRY(chat_each(c, t, look, &w));
    *ret_is = w.is_in;
    return ERR_OK;
}

/* The devices' own, from the second device on. */
struct err devices_chat_begin(struct core *c, struct db_txn *t)
{
    static const struct hearth_id none;
    uint64_t task;
    if (!hearth_id_equal(&c->account.devices_chat, &none))
        return ERR_OK;
    TRY(group_create_begin(c, t, CHAT_KIND_DEVICES, NULL, NULL, &c->account.devices_chat, &task));
    return account_write(&c->account, t);
}
