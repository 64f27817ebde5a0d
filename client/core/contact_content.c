/* What contacts say to the library: their keys. */
#include "client/core/devices.h"
#include "client/core/group.h"
#include "client/core/profile.h"
#include "client/core/roster.h"
#include "seal/friendship.h"

enum { KEPT_KEY_SETS_MAX_BYTES = 65536 };

static bool is_direct(struct open_chat *chat)
{
    char name[CHAT_NAME_MAX_BYTES + 1];
    int kind = 0;
    return chat->chat.kind == HEARTH_CHAT_DIRECT ||
           (err_is_ok(group_read_data(chat, name, &kind)) && kind == HEARTH_CHAT_DIRECT);
}

/* A direct chat that another device of ours brought us into before we knew whom it is with, or
 * whose row there became one with another. */
static struct err whose_chat(struct core *c, struct db_txn *t, struct open_chat *chat)
{
    static const struct hearth_id nobody;
    struct contact contact = {0};
    if ((chat->chat.kind != HEARTH_CHAT_GROUP && chat->chat.kind != HEARTH_CHAT_DIRECT) ||
        chat->chat.state != HEARTH_CHAT_OPEN || !is_direct(chat))
        return ERR_OK;
    struct hearth_id who = nobody;
    for (size_t i = 0; i < chat->roster->count; i++)
        if (!hearth_id_equal(&chat->roster->leaves[i].contact, &nobody))
            who = chat->roster->leaves[i].contact;
    if (hearth_id_equal(&who, &nobody) || hearth_id_equal(&who, &chat->chat.contact))
        return ERR_OK;
    chat->chat.contact = who;
    chat->chat.kind = HEARTH_CHAT_DIRECT;
    TRY(contact_get(c, t, &chat->chat.contact, &contact));
    struct err err = ERR_OK;
    if (hearth_id_equal(&contact.chat, &nobody)) {
        contact.chat = chat->chat.id;
        err = contact_put(c, t, &contact);
    }
    contact_clear(&contact);
    return err;
}

static struct err retry_one(void *arg, struct open_chat *chat)
{
    struct {
        struct core *c;
        struct db_txn *t;
    } *step = arg;
    if (chat->group == NULL)
        return ERR_OK;
    TRY(roster_retry(step->c, step->t, chat));
    TRY(whose_chat(step->c, step->t, chat));
    return chat_save(step->c, step->t, chat);
}

struct err contacts_changed(struct core *c, struct db_txn *t)
{
    struct {
        struct core *c;
        struct db_txn *t;
    } step = {c, t};
    return chat_each(c, t, retry_one, &step);
}

static struct err take_friendship(struct core *c, struct db_txn *t, struct contact *contact,
                                  struct bytes body)
{
    struct friendship f = {0};
    struct err err = friendship_parse(body, &f);
    if (!err_is_ok(err))
        return contact_event(c, t, HEARTH_EVENT_UNVERIFIED, contact, "keys that can't be read");
    if (contact->has_package &&
        memcmp(contact->friendship_key, f.friendship_key, sizeof f.friendship_key) != 0)
        memcpy(contact->friendship_before, contact->friendship_key, sizeof f.friendship_key);
    bool profile = memcmp(contact->profile_key, f.profile_base_key, PROFILE_KEY_BYTES) != 0;
    memcpy(contact->queue_user_id, f.queue_user_id, sizeof contact->queue_user_id);
    memcpy(contact->contact_token, f.contact_token, sizeof contact->contact_token);
    memcpy(contact->friendship_key, f.friendship_key, sizeof contact->friendship_key);
    memcpy(contact->profile_key, f.profile_base_key, sizeof contact->profile_key);
    contact->has_package = true;
    bytes_wipe(&f, sizeof f);
    TRY(contact_put(c, t, contact));
    return profile ? profile_fetch(c, t, &contact->id) : ERR_OK;
}

static struct err take_key_sets(struct core *c, struct db_txn *t, struct contact *contact,
                                struct bytes body)
{
    if (contact->user_id.len == 0) { /* nobody's yet: the newest that was said is kept */
        if (body.len > KEPT_KEY_SETS_MAX_BYTES)
            return ERR_OK;
        buf_clear(&contact->key_sets);
        buf_append_bytes(&contact->key_sets, body);
        TRY(buf_check(&contact->key_sets));
        return contact_put(c, t, contact);
    }
    TRY(contact_key_sets(c, t, contact, body));
    TRY(contact_put(c, t, contact));
    return contacts_changed(c, t);
}

static struct err take_profile(struct core *c, struct db_txn *t, struct contact *contact,
                               struct bytes body)
{
    if (body.len != PROFILE_KEY_BYTES)
        return ERR_OK;
    memcpy(contact->profile_key, body.data, PROFILE_KEY_BYTES);
    TRY(contact_put(c, t, contact));
    return profile_fetch(c, t, &contact->id);
}

struct err contact_content(struct core *c, struct db_txn *t, const struct hearth_id *id,
                           uint16_t kind, struct bytes body)
{
    struct contact contact = {0};
    struct err err = contact_get(c, t, id, &contact);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    bool listens = contact.state == HEARTH_CONTACT_ASKED || contact.state == HEARTH_CONTACT_FRIEND;
    if (listens && kind == CONTENT_FRIENDSHIP)
        err = take_friendship(c, t, &contact, body);
    else if (listens && kind == CONTENT_KEY_SET)
        err = take_key_sets(c, t, &contact, body);
    else if (listens && kind == CONTENT_PROFILE)
        err = take_profile(c, t, &contact, body);
    contact_clear(&contact);
    return err;
}
