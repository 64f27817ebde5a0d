/* Groups of before a resync: late messages of their epochs, and state keys to their leaf, still
 * open with them.
 *
 *     DB_BEFORE, id chat id || u8 n: group_write
 */
#include "client/core/receive.h"

struct before_id {
    uint8_t bytes[17];
};

static struct before_id before_id(const struct hearth_id *chat, size_t n)
{
    struct before_id id;
    memcpy(id.bytes, chat->bytes, 16);
    id.bytes[16] = (uint8_t)n;
    return id;
}

struct err before_put(struct core *c, struct db_txn *t, const struct hearth_id *chat, size_t n,
                      const struct mls_group *group)
{
    struct before_id id = before_id(chat, n);
    struct buf b = BUF_INIT;
    (void)c;
    struct err err = group_write(group, &b);
    if (err_is_ok(err))
        err = db_put(t, DB_BEFORE, bytes_of(id.bytes, sizeof id.bytes), buf_view(&b));
    buf_clear(&b);
    return err;
}

struct err before_get(struct core *c, struct db_txn *t, const struct open_chat *chat, size_t n,
                      struct mls_group **ret_group)
{
    struct before_id id = before_id(&chat->chat.id, n);
    struct buf b = BUF_INIT;
    (void)c;
    if (n >= BEFORE_MAX)
        return ERR(NOT_FOUND);
    struct err err = db_get(t, DB_BEFORE, bytes_of(id.bytes, sizeof id.bytes), &b);
    if (err_is_ok(err))
        err = group_read(&chat->client, buf_view(&b), ret_group);
    buf_clear(&b);
    return err;
}

/* The others move back by one; the oldest goes. */
struct err before_push(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    struct buf b = BUF_INIT;
    for (size_t n = BEFORE_MAX - 1; n > 0; n--) {
        struct before_id from = before_id(&chat->chat.id, n - 1), to = before_id(&chat->chat.id, n);
        struct err err = db_get(t, DB_BEFORE, bytes_of(from.bytes, sizeof from.bytes), &b);
        if (err_is_ok(err))
            err = db_put(t, DB_BEFORE, bytes_of(to.bytes, sizeof to.bytes), buf_view(&b));
        buf_clear(&b);
        if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
            return err;
    }
    return chat->group != NULL ? before_put(c, t, &chat->chat.id, 0, chat->group) : ERR_OK;
}

struct err before_drop(struct core *c, struct db_txn *t, const struct hearth_id *chat)
{
    (void)c;
    for (size_t n = 0; n < BEFORE_MAX; n++) {
        struct before_id id = before_id(chat, n);
        struct err err = db_drop(t, DB_BEFORE, bytes_of(id.bytes, sizeof id.bytes));
        if (!err_is_ok(err) && err.code != ERR_NOT_FOUND)
            return err;
    }
    return ERR_OK;
}
