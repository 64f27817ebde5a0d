/* What waits for the keys of a domain, and what new keys of it change. */
#include "client/core/client_credential.h"
#include "client/core/contact.h"
#include "client/core/homeserver_inside.h"
#include "client/core/roster.h"
#include "client/core/task.h"
#include "seal/names.h"

struct err homeserver_news(struct core *c, struct db_txn *t)
{
    TRY(contacts_changed(c, t)); /* looks at all rosters, and at whose chats they are */
    task_wake(c, NULL);
    return ERR_OK;
}

static bool is_of(struct bytes name, struct bytes domain)
{
    struct domain_name read;
    return err_is_ok(domain_name_parse(name, &read)) && bytes_equal(read.domain, domain);
}

/* ---- a new revocation list */

struct revoking {
    struct core *core;
    struct db_txn *t;
    struct bytes domain;
    const struct homeserver *h;
};

static struct err look_at(const struct revoking *r, struct open_chat *chat, uint32_t leaf,
                          struct bytes credential)
{
    if (!homeserver_has_revoked(r->h, credential))
        return ERR_OK;
    return roster_refuse(r->core, r->t, chat, leaf, "a device in the chat was removed by its user");
}

static struct err revoke_in(void *arg, struct open_chat *chat)
{
    const struct revoking *r = arg;
    if (chat->group == NULL || chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    for (size_t i = 0; i < chat->roster->count; i++) {
        const struct roster_leaf *l = &chat->roster->leaves[i];
        struct buf scratch = BUF_INIT;
        struct bytes credential;
        if (l->state != ROSTER_VERIFIED || l->leaf == group_own_leaf(chat->group) ||
            !is_of(roster_user(l), r->domain))
            continue;
        /* what can't be opened any more was judged when it could */
        struct err err = ERR_OK;
        if (err_is_ok(roster_credential(chat, l, &scratch, &credential)))
            err = look_at(r, chat, l->leaf, credential);
        buf_clear(&scratch);
        TRY(err);
    }
    return chat_save(r->core, r->t, chat);
}

struct err homeserver_revoked(struct core *c, struct db_txn *t, const char *domain)
{
    struct homeserver h;
    TRY(homeserver_row(t, domain, &h));
    struct revoking r = {c, t, bytes_str(domain), &h};
    struct err err = chat_each(c, t, revoke_in, &r);
    homeserver_clear(&h);
    return err;
}

/* ---- daily */

struct using
{
    struct bytes domain;
    bool is;
};

static struct err used_by_chat(void *arg, struct open_chat *chat)
{
    struct using *u = arg;
    if (chat->chat.state == HEARTH_CHAT_OVER)
        return ERR_OK;
    u->is |= bytes_equal(chat_domain(&chat->chat), u->domain);
    for (size_t i = 0; i < chat->roster->count && !u->is; i++)
        u->is = is_of(roster_user(&chat->roster->leaves[i]), u->domain);
    return u->is ? ERR(CANCELLED) : ERR_OK;
}

static struct err used_by_contact(void *arg, const struct contact *contact)
{
    struct using *u = arg;
    u->is |=
        contact->state == HEARTH_CONTACT_FRIEND && is_of(buf_view(&contact->user_id), u->domain);
    return ERR_OK;
}

struct walking {
    struct core *core;
    struct db_txn *t;
};

/* Whoever only asked once, and his homeserver, do not hear from us each day. */
static struct err want_again(void *arg, struct bytes id, struct bytes value)
{
    const struct walking *w = arg;
    char domain[DOMAIN_MAX_BYTES + 1];
    struct using u = {.domain = id};
    struct homeserver h;
    (void)value;
    if (id.len == 0 || id.len > DOMAIN_MAX_BYTES)
        return ERR_OK;
    memcpy(domain, id.data, id.len);
    domain[id.len] = '\0';
    TRY(homeserver_row(w->t, domain, &h));
    bool due = homeserver_is_stale(w->core, &h);
    homeserver_clear(&h);
    if (!due)
        return ERR_OK;
    TRY(contact_each(w->core, w->t, used_by_contact, &u));
    struct err err = u.is ? ERR_OK : chat_each(w->core, w->t, used_by_chat, &u);
    if (err.code != ERR_CANCELLED)
        TRY(err);
    return u.is ? homeserver_want(w->core, w->t, domain) : ERR_OK;
}

struct err homeservers_upkeep(struct core *c, struct db_txn *t)
{
    struct walking w = {c, t};
    TRY(homeserver_want(c, t, c->account.domain));
    return db_each(t, DB_HOMESERVER, want_again, &w);
}
