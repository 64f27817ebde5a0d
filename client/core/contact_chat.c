/* A contact's direct chat, as contacts see it. */
#include "client/core/chat.h"
#include "client/core/contact.h"
#include "client/core/devices.h"
#include "client/core/group.h"

bool contact_chat_has_group(struct core *c, struct db_txn *t, const struct contact *contact,
                            struct bytes group_id)
{
    struct open_chat *chat;
    return err_is_ok(chat_open(c, t, &contact->chat, &chat)) &&
           bytes_equal(chat_group_id(&chat->chat), group_id);
}

/* A group that nobody came to goes from the server, too. */
static struct err end_chat(struct core *c, struct db_txn *t, const struct hearth_id *id)
{
    struct open_chat *chat;
    uint64_t task;
    struct err err = chat_open(c, t, id, &chat);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    if (chat->group != NULL && group_is_active(chat->group))
        return group_delete_begin(c, t, id, &task);
    return group_over(c, t, chat, NULL);
}

struct err contact_give_up(struct core *c, struct db_txn *t, const struct hearth_id *id)
{
    struct contact contact = {0};
    struct err err = contact_get(c, t, id, &contact);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    err = contact_forget_offers(t, &contact);
    if (err_is_ok(err) && contact.state == HEARTH_CONTACT_ASKED)
        err = end_chat(c, t, &contact.chat);
    contact_clear(&contact);
    TRY(err);
    TRY(contact_drop(c, t, id));
    return devices_tell(c, t, NEWS_CONTACT_GONE, bytes_of(id->bytes, sizeof id->bytes));
}
