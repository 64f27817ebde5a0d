/* Invitations to a group that this device is in (receive.h).
 *
 * Who is removed and added again is sent the Welcome to another queue reference than the removal,
 * so either may come first. The Welcome makes its chat at once (STARTING), so that what comes for
 * the new leaf is kept; its task waits until the chat of before is over, or can't be followed any
 * more. Anybody who has a KeyPackage of ours can make a Welcome with any group's id: it ends
 * nothing by coming, and keeps nobody else's from waiting beside it.
 */
#include "client/core/receive.h"
#include "client/core/task.h"

enum { STARTING_MAX = 16 };

struct err join_standing(struct core *c, struct db_txn *t, struct bytes group_id,
                         struct open_chat **ret_chat)
{
    struct hearth_id id, before;
    struct open_chat *chat;
    struct err err = chat_by_group_id(c, t, group_id, &id);
    *ret_chat = NULL;
    while (err_is_ok(err)) {
        TRY(chat_open(c, t, &id, &chat));
        if (chat->chat.state != HEARTH_CHAT_OVER && chat->chat.state != HEARTH_CHAT_STARTING) {
            *ret_chat = chat;
            return ERR_OK;
        }
        before = id;
        err = chat_by_group_id_after(c, t, group_id, &before, &id);
    }
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

bool join_is_stale(const struct open_chat *standing, uint64_t epoch)
{
    return epoch <= standing->chat.joined_epoch ||
           (standing->group != NULL && epoch <= group_epoch(standing->group));
}

struct err join_room(struct core *c, struct db_txn *t, const struct chat *fresh, bool *ret_room)
{
    struct hearth_id id, before;
    struct open_chat *chat;
    size_t waiting = 0;
    bool stale = false;
    struct err err = chat_by_group_id(c, t, chat_group_id(fresh), &id);
    while (err_is_ok(err)) {
        TRY(chat_open(c, t, &id, &chat));
        bool starting = chat->chat.state == HEARTH_CHAT_STARTING;
        waiting += starting;
        if (starting) /* the same once more, where the KeyPackage is of last resort */
            stale |= chat->chat.joined_epoch == fresh->joined_epoch &&
                     memcmp(chat->chat.tag, fresh->tag, sizeof fresh->tag) == 0;
        else if (chat->chat.state != HEARTH_CHAT_OVER)
            stale |= join_is_stale(chat, fresh->joined_epoch);
        before = id;
        err = chat_by_group_id_after(c, t, chat_group_id(fresh), &before, &id);
    }
    if (err.code != ERR_NOT_FOUND)
        return err;
    if (!stale && waiting >= STARTING_MAX)
        return ERR(TOO_LARGE);
    *ret_room = !stale;
    return ERR_OK;
}

struct err join_make_way(struct core *c, struct db_txn *t, const struct open_chat *fresh)
{
    struct hearth_id id, before;
    struct open_chat *chat;
    struct bytes group_id = chat_group_id(&fresh->chat);
    TRY(join_standing(c, t, group_id, &chat));
    if (chat != NULL)
        TRY(group_over(c, t, chat, "you were removed"));
    struct err err = chat_by_group_id(c, t, group_id, &id);
    while (err_is_ok(err)) {
        struct hearth_id next;
        before = id;
        err = chat_by_group_id_after(c, t, group_id, &before, &next);
        TRY(chat_open(c, t, &id, &chat));
        if (chat->chat.state == HEARTH_CHAT_OVER) {
            chat->chat.group_id_len = 0;
            TRY(chat_save(c, t, chat));
        }
        id = next;
    }
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

struct err join_wake(struct core *c, struct db_txn *t, struct bytes group_id)
{
    struct hearth_id id, before;
    struct open_chat *chat;
    uint8_t lane[16];
    struct err err = chat_by_group_id(c, t, group_id, &id);
    while (err_is_ok(err)) {
        TRY(chat_open(c, t, &id, &chat));
        chat_lane(&id, CHAT_LANE, lane);
        if (chat->chat.state == HEARTH_CHAT_STARTING)
            task_wake(c, lane);
        before = id;
        err = chat_by_group_id_after(c, t, group_id, &before, &id);
    }
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}
