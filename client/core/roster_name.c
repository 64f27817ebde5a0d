/* What people are called. */
#include <stdio.h>
#include <string.h>

#include "client/core/contact.h"
#include "client/core/roster.h"

size_t roster_users(const struct roster *r)
{
    size_t users = 0;
    for (size_t i = 0; i < r->count; i++) {
        size_t j = 0;
        while (memcmp(r->leaves[j].user_pseudonym, r->leaves[i].user_pseudonym, PSEUDONYM_BYTES) !=
               0)
            j++;
        users += j == i; /* the first of his leaves */
    }
    return users;
}

static struct err put(struct buf *b, const char *name)
{
    buf_append_bytes(b, bytes_of((const uint8_t *)name, strlen(name) + 1));
    return buf_check(b);
}

static struct err put_pseudonym(struct buf *b, const uint8_t pseudonym[PSEUDONYM_BYTES])
{
    struct hearth_id id;
    char text[HEARTH_ID_TEXT_BYTES];
    memcpy(id.bytes, pseudonym, sizeof id.bytes);
    hearth_id_text(&id, text);
    return put(b, text);
}

struct err roster_name(struct core *c, struct db_txn *t, const struct roster_leaf *leaf,
                       struct buf *b)
{
    static const struct hearth_id nobody;
    struct contact contact = {0};
    char own[HANDLE_TEXT_MAX_BYTES + 1];
    if (leaf->own_user) {
        TRY(handle_own(c, t, own));
        return put(b, own[0] != '\0' ? own : "you");
    }
    if (hearth_id_equal(&leaf->contact, &nobody) ||
        !err_is_ok(contact_get(c, t, &leaf->contact, &contact)))
        return put_pseudonym(b, leaf->user_pseudonym);
    struct err err = contact.handle[0] != '\0' ? put(b, contact.handle)
                     : contact.name[0] != '\0' ? put(b, contact.name)
                                               : put_pseudonym(b, leaf->user_pseudonym);
    contact_clear(&contact);
    return err;
}

struct err roster_name_of(struct core *c, struct db_txn *t, const struct open_chat *chat,
                          const uint8_t user_pseudonym[PSEUDONYM_BYTES], struct buf *b)
{
    struct contact contact = {0};
    for (size_t i = 0; i < chat->roster->count; i++)
        if (memcmp(chat->roster->leaves[i].user_pseudonym, user_pseudonym, PSEUDONYM_BYTES) == 0)
            return roster_name(c, t, &chat->roster->leaves[i], b);
    /* not in any more; of a chat of two it is known who it was */
    if (chat->chat.kind == HEARTH_CHAT_DIRECT &&
        memcmp(chat->chat.user_pseudonym, user_pseudonym, PSEUDONYM_BYTES) != 0 &&
        err_is_ok(contact_get(c, t, &chat->chat.contact, &contact))) {
        struct err err = put(b, contact.handle);
        contact_clear(&contact);
        return err;
    }
    return put_pseudonym(b, user_pseudonym);
}
