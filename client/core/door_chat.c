/* Chats and their members, as they are shown; the verbs of groups. */
#include <stdio.h>
#include <string.h>

#include "client/core/contact.h"
#include "client/core/door.h"
#include "client/core/group.h"
#include "client/core/roster.h"

/* ---- showing */

/* Fills all but the name's place: texts go into b. */
static struct err show_chat(struct core *c, struct db_txn *t, struct open_chat *o, struct buf *b,
                            struct hearth_chat *ret)
{
    const struct chat *chat = &o->chat;
    struct contact contact = {0};
    char name[HANDLE_TEXT_MAX_BYTES + 1];
    uint64_t messages;
    (void)snprintf(name, sizeof name, "%s", chat->name);
    TRY(db_list_last(t, DB_MESSAGE, bytes_of(chat->id.bytes, sizeof chat->id.bytes), &messages));
    if (chat->kind == HEARTH_CHAT_DIRECT &&
        err_is_ok(contact_get(c, t, &chat->contact, &contact))) {
        (void)snprintf(name, sizeof name, "%s", contact.handle);
        contact_clear(&contact);
    }
    *ret = (struct hearth_chat){
        .id = chat->id,
        .kind = (enum hearth_chat_kind)chat->kind,
        .state = chat->state,
        .admin = group_is_admin(o, chat->user_pseudonym),
        .leaves = (uint32_t)o->roster->count,
        .members = (uint32_t)roster_users(o->roster),
        .unverified = (uint32_t)(roster_unverified(o->roster) + roster_late(c, o->roster)),
        .epoch = o->group != NULL ? group_epoch(o->group) : 0,
        .messages = messages,
        .seen = chat->seen,
        .notify = chat->notify,
    };
    ret->name = door_text(b, bytes_str(name));
    return buf_check(b);
}

struct chat_listing {
    struct core *core;
    struct db_txn *txn;
    struct buf text;
    bool (*fn)(const struct hearth_chat *chat, void *arg);
    void *arg;
    bool over;
    /* find and get */
    const char *name;
    const struct hearth_id *id;
    struct hearth_id found;
    struct hearth_chat *ret_chat;
    struct buf *keep;
};

static struct err list_one(void *arg, struct open_chat *o)
{
    struct chat_listing *l = arg;
    struct hearth_chat shown;
    if (l->over || o->chat.kind == CHAT_KIND_DEVICES)
        return ERR_OK;
    buf_clear(&l->text);
    TRY(show_chat(l->core, l->txn, o, &l->text, &shown));
    l->over = !l->fn(&shown, l->arg);
    return ERR_OK;
}

static struct err list_all(struct core *c, struct db_txn *t, void *arg)
{
    struct chat_listing *l = arg;
    l->core = c;
    l->txn = t;
    return chat_each(c, t, list_one, l);
}

bool hearth_chat_each(struct hearth_account *a,
                      bool (*fn)(const struct hearth_chat *chat, void *arg), void *arg)
{
    struct chat_listing l = {.fn = fn, .arg = arg};
    bool good = door_look(a, list_all, &l);
    buf_clear(&l.text);
    return good;
}

static struct err get_one(struct core *c, struct db_txn *t, void *arg)
{
    struct chat_listing *l = arg;
    struct open_chat *o;
    TRY(chat_open(c, t, l->id, &o));
    return show_chat(c, t, o, l->keep, l->ret_chat);
}

bool hearth_chat_get(struct hearth_account *a, const struct hearth_id *chat,
                     struct hearth_chat *ret_chat)
{
    struct chat_listing l = {.id = chat, .ret_chat = ret_chat, .keep = &a->chat_text};
    buf_clear(&a->chat_text);
    return door_look(a, get_one, &l);
}

static bool match_name(const struct hearth_chat *chat, void *arg)
{
    struct chat_listing *l = arg;
    char id[HEARTH_ID_TEXT_BYTES];
    hearth_id_text(&chat->id, id);
    bool same = strcmp(chat->name, l->name) == 0;
    /* of two with one name the one that is still open */
    if ((same && (!l->over || chat->state != HEARTH_CHAT_OVER)) || strcmp(id, l->name) == 0) {
        l->found = chat->id;
        l->over = true;
    }
    return true;
}

bool hearth_chat_find(struct hearth_account *a, const char *name, struct hearth_id *ret_chat)
{
    struct chat_listing l = {.name = name};
    if (!hearth_chat_each(a, match_name, &l) || !l.over)
        return false;
    *ret_chat = l.found;
    return true;
}

/* ---- members */

struct member_listing {
    const struct hearth_id *chat;
    bool (*fn)(const struct hearth_member *member, void *arg);
    void *arg;
};

static bool seen_before(const struct roster *r, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (memcmp(r->leaves[i].user_pseudonym, r->leaves[index].user_pseudonym, 16) == 0)
            return true;
    return false;
}

static struct err show_member(struct core *c, struct db_txn *t, const struct open_chat *o,
                              size_t index, const struct member_listing *l, bool *ret_over)
{
    const struct roster_leaf *leaf = &o->roster->leaves[index];
    struct buf text = BUF_INIT;
    struct hearth_member m = {.self = leaf->own_user,
                              .admin = group_is_admin(o, leaf->user_pseudonym),
                              .contact = leaf->contact,
                              .joined_s = leaf->since_s,
                              .verified = true};
    memcpy(m.pseudonym, leaf->user_pseudonym, 16);
    for (size_t i = index; i < o->roster->count; i++)
        if (memcmp(o->roster->leaves[i].user_pseudonym, leaf->user_pseudonym, 16) == 0) {
            m.devices++;
            m.verified = m.verified && o->roster->leaves[i].state == ROSTER_VERIFIED;
        }
    struct err err = roster_name(c, t, leaf, &text);
    if (err_is_ok(err)) {
        m.name = (const char *)text.data;
        *ret_over = !l->fn(&m, l->arg);
    }
    buf_clear(&text);
    return err;
}

static struct err list_members(struct core *c, struct db_txn *t, void *arg)
{
    struct member_listing *l = arg;
    struct open_chat *o;
    bool over = false;
    TRY(chat_open(c, t, l->chat, &o));
    for (size_t i = 0; i < o->roster->count && !over; i++)
        if (!seen_before(o->roster, i))
            TRY(show_member(c, t, o, i, l, &over));
    return ERR_OK;
}

bool hearth_member_each(struct hearth_account *a, const struct hearth_id *chat,
                        bool (*fn)(const struct hearth_member *member, void *arg), void *arg)
{
    struct member_listing l = {chat, fn, arg};
    return door_look(a, list_members, &l);
}

/* ---- verbs */

struct wishing {
    struct verb verb;
    struct hearth_id chat;
    struct commit_wish wish;
};

static struct err step_wish(struct core *c, struct db_txn *t, void *arg)
{
    struct wishing *w = arg; /* verb is its first member */
    w->verb.id = w->chat;
    return group_wish(c, t, &w->chat, &w->wish, &w->verb.task);
}

static struct hearth_op *begin_wish(struct hearth_account *a, const struct hearth_id *chat,
                                    const struct commit_wish *wish)
{
    struct wishing w = {.chat = *chat, .wish = *wish};
    return verb_begin(a, step_wish, &w.verb);
}

static struct err step_create(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    static const struct hearth_id nobody;
    return group_create_begin(c, t, HEARTH_CHAT_GROUP, v->arg, &nobody, &v->id, &v->task);
}

struct hearth_op *hearth_group_create(struct hearth_account *a, const char *name)
{
    struct verb verb = {.arg = name};
    if (name == NULL || name[0] == '\0' || strlen(name) > CHAT_NAME_MAX_BYTES)
        return verb_usage(a, "a group's name has 1 to 128 bytes", NULL);
    return verb_begin(a, step_create, &verb);
}

struct hearth_op *hearth_group_add(struct hearth_account *a, const struct hearth_id *chat,
                                   const struct hearth_id *contacts, size_t count)
{
    return begin_wish(a, chat, &(struct commit_wish){.add = contacts, .add_count = count});
}

struct hearth_op *hearth_group_remove(struct hearth_account *a, const struct hearth_id *chat,
                                      const uint8_t pseudonym[16])
{
    uint8_t one[1][16];
    memcpy(one[0], pseudonym, 16);
    return begin_wish(
        a, chat, &(struct commit_wish){.remove = (const uint8_t(*)[16])one, .remove_count = 1});
}

struct hearth_op *hearth_group_set_admin(struct hearth_account *a, const struct hearth_id *chat,
                                         const uint8_t pseudonym[16], bool admin)
{
    return begin_wish(a, chat,
                      &(struct commit_wish){.promote = admin ? pseudonym : NULL,
                                            .demote = admin ? NULL : pseudonym});
}

struct hearth_op *hearth_group_rename(struct hearth_account *a, const struct hearth_id *chat,
                                      const char *name)
{
    if (name == NULL || name[0] == '\0' || strlen(name) > CHAT_NAME_MAX_BYTES)
        return verb_usage(a, "a group's name has 1 to 128 bytes", NULL);
    return begin_wish(a, chat, &(struct commit_wish){.rename = name});
}

struct hearth_op *hearth_group_update(struct hearth_account *a, const struct hearth_id *chat)
{
    return begin_wish(a, chat, &(struct commit_wish){.update = true});
}

static struct err step_leave(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return group_leave_begin(c, t, &v->id, &v->task);
}

static struct err step_delete(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return group_delete_begin(c, t, &v->id, &v->task);
}

static struct err step_resync(struct core *c, struct db_txn *t, void *arg)
{
    struct verb *v = arg;
    return group_resync_begin(c, t, &v->id, &v->task);
}

struct hearth_op *hearth_group_leave(struct hearth_account *a, const struct hearth_id *chat)
{
    struct verb verb = {.id = *chat};
    return verb_begin(a, step_leave, &verb);
}

struct hearth_op *hearth_group_delete(struct hearth_account *a, const struct hearth_id *chat)
{
    struct verb verb = {.id = *chat};
    return verb_begin(a, step_delete, &verb);
}

struct hearth_op *hearth_group_resync(struct hearth_account *a, const struct hearth_id *chat)
{
    struct verb verb = {.id = *chat};
    return verb_begin(a, step_resync, &verb);
}

struct notify_args {
    struct verb verb;
    enum hearth_notify notify;
};

static struct err step_notify(struct core *c, struct db_txn *t, void *arg)
{
    struct notify_args *n = arg;
    return group_notify_begin(c, t, &n->verb.id, n->notify, &n->verb.task);
}

struct hearth_op *hearth_group_set_notify(struct hearth_account *a, const struct hearth_id *chat,
                                          enum hearth_notify notify)
{
    struct notify_args n = {{.id = *chat}, notify};
    return verb_begin(a, step_notify, &n.verb);
}
