/* Two who asked each other. Both requests are accepted, so there are two direct chats and two rows
 * for one person; both sides keep the same one: that of the smaller group id. The other chat stays
 * open, as a second one with that contact, so that what was said there meanwhile is not lost.
 *
 * That it is this, and not somebody who lost everything and asks anew, shows in the chat of
 * before: the client that came now is still in it.
 */
#include "client/core/mutual.h"

#include "client/core/devices.h"
#include "client/core/roster.h"

static bool has_client(const struct roster *r, const struct roster_leaf *leaf)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->leaves[i].client_id_len == leaf->client_id_len &&
            memcmp(r->leaves[i].client_id, leaf->client_id, leaf->client_id_len) == 0)
            return true;
    return false;
}

static struct err open_or_none(struct core *c, struct db_txn *t, const struct hearth_id *id,
                               struct open_chat **ret_chat)
{
    *ret_chat = NULL;
    struct err err = chat_open(c, t, id, ret_chat);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

struct err mutual_is_there(struct core *c, struct db_txn *t, const struct contact *contact,
                           bool *ret_there)
{
    struct open_chat *chat;
    *ret_there = false;
    TRY(open_or_none(c, t, &contact->chat, &chat));
    if (chat == NULL || chat->chat.state != HEARTH_CHAT_OPEN)
        return ERR_OK;
    for (size_t i = 0; i < chat->roster->count; i++)
        *ret_there = *ret_there || bytes_equal(roster_user(&chat->roster->leaves[i]),
                                               buf_view(&contact->user_id));
    return ERR_OK;
}

/* Is one of his clients in both chats? */
static struct err shares_client(struct core *c, struct db_txn *t, const struct hearth_id *one,
                                const struct hearth_id *other, bool *ret_shares)
{
    struct open_chat *a, *b;
    *ret_shares = false;
    TRY(open_or_none(c, t, one, &a));
    TRY(open_or_none(c, t, other, &b));
    if (a == NULL || b == NULL || b->chat.state != HEARTH_CHAT_OPEN)
        return ERR_OK;
    for (size_t i = 0; i < a->roster->count; i++) {
        const struct roster_leaf *leaf = &a->roster->leaves[i];
        *ret_shares = *ret_shares ||
                      (!leaf->own_user && leaf->client_id_len > 0 && has_client(b->roster, leaf));
    }
    return ERR_OK;
}

static struct err supersede(struct core *c, struct db_txn *t, struct contact *other)
{
    other->state = HEARTH_CONTACT_REMOVED;
    TRY(contact_put(c, t, other));
    return devices_tell_contact(c, t, other);
}

struct err mutual_find(struct core *c, struct db_txn *t, const struct contact *contact,
                       struct hearth_id *ret_other, bool *ret_mutual)
{
    struct contact other = {0};
    *ret_mutual = false;
    struct err err = contact_by_user(c, t, buf_view(&contact->user_id), ret_other);
    if (err.code == ERR_NOT_FOUND || (err_is_ok(err) && hearth_id_equal(ret_other, &contact->id)))
        return ERR_OK;
    TRY(err);
    TRY(contact_get(c, t, ret_other, &other));
    if (other.state == HEARTH_CONTACT_ASKS)
        *ret_mutual = true;
    else if (other.state == HEARTH_CONTACT_FRIEND)
        err = shares_client(c, t, &contact->chat, &other.chat, ret_mutual);
    if (err_is_ok(err) && other.state == HEARTH_CONTACT_FRIEND && !*ret_mutual)
        err = supersede(c, t, &other);
    contact_clear(&other);
    return err;
}

/* ---- one row of two */

/* What only the row that goes knew. */
static void take_over(struct contact *stays, const struct contact *goes)
{
    memcpy(stays->contact_id_before, goes->contact_id, sizeof stays->contact_id_before);
    stays->compared = stays->compared || (goes->compared && bytes_equal(buf_view(&goes->key_set),
                                                                        buf_view(&stays->key_set)));
    if (goes->handle_proved && !stays->handle_proved) {
        memcpy(stays->handle, goes->handle, sizeof stays->handle);
        stays->handle_proved = true;
    }
    if (goes->has_package && !stays->has_package) {
        memcpy(stays->queue_user_id, goes->queue_user_id, sizeof stays->queue_user_id);
        memcpy(stays->contact_token, goes->contact_token, sizeof stays->contact_token);
        memcpy(stays->friendship_key, goes->friendship_key, sizeof stays->friendship_key);
        memcpy(stays->profile_key, goes->profile_key, sizeof stays->profile_key);
        stays->has_package = true;
    }
}

static struct err make_one(struct core *c, struct db_txn *t, struct contact *stays,
                           const struct contact *goes)
{
    struct open_chat *chat;
    take_over(stays, goes);
    TRY(chat_open(c, t, &goes->chat, &chat));
    chat->chat.contact = stays->id;
    TRY(chat_save(c, t, chat));
    TRY(contact_drop(c, t, &goes->id));
    TRY(devices_tell(c, t, NEWS_CONTACT_GONE, bytes_of(goes->id.bytes, sizeof goes->id.bytes)));
    TRY(contact_put(c, t, stays));
    TRY(devices_tell_contact(c, t, stays));
    return contacts_changed(c, t);
}

static struct err first_stays(struct core *c, struct db_txn *t, const struct contact *first,
                              const struct contact *second, bool *ret_first)
{
    struct open_chat *a, *b;
    TRY(chat_open(c, t, &first->chat, &a));
    TRY(chat_open(c, t, &second->chat, &b));
    struct bytes one = chat_group_id(&a->chat), two = chat_group_id(&b->chat);
    size_t len = one.len < two.len ? one.len : two.len;
    int order = memcmp(one.data, two.data, len);
    *ret_first = order < 0 || (order == 0 && one.len < two.len);
    return ERR_OK;
}

static struct err settle_friends(struct core *c, struct db_txn *t, struct contact *contact,
                                 struct contact *other)
{
    bool first;
    TRY(first_stays(c, t, contact, other, &first));
    if (!first) { /* what the caller goes on with is the one that stays */
        struct contact swap = *contact;
        *contact = *other;
        *other = swap;
    }
    return make_one(c, t, contact, other);
}

struct err mutual_settle(struct core *c, struct db_txn *t, struct contact *contact,
                         const struct hearth_id *other_id)
{
    static const struct hearth_id nothing;
    struct contact other = {0};
    uint64_t task;
    TRY(contact_get(c, t, other_id, &other));
    struct err err = ERR_OK;
    if (other.state == HEARTH_CONTACT_FRIEND)
        err = settle_friends(c, t, contact, &other);
    else if (hearth_id_equal(&other.chat, &nothing)) /* not being accepted already */
        err = contact_accept(c, t, other_id, &task);
    contact_clear(&other);
    return err;
}
