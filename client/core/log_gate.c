/* What the log's word allows: sending, and taking a member for who he says he is. */
#include <stdlib.h>

#include "client/core/contact.h"
#include "client/core/log_gate.h"
#include "client/core/log_proof.h"
#include "client/core/roster.h"
#include "seal/key_set.h"

enum { MEMBER_AGAIN_MS = 5000, MEMBER_AGE_MS = 24 * 3600 * 1000 };

/* ---- sending */

static struct err is_troubled(struct db_txn *t, bool *ret_is)
{
    struct buf value = BUF_INIT;
    struct err err = db_get(t, DB_SETTING, bytes_str("log-trouble"), &value);
    buf_clear(&value);
    *ret_is = err_is_ok(err);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err may_send_to(struct core *c, struct db_txn *t, struct bytes user)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct buf label = BUF_INIT;
    struct log log;
    struct log_label *l = NULL;
    struct hearth_id id;
    struct contact contact = {0};
    buf_append_byte(&label, LABEL_USER);
    buf_append_bytes(&label, user);
    struct err err = buf_check(&label);
    if (err_is_ok(err) && log_label_domain(buf_view(&label), domain)) {
        err = log_get(t, domain, &log);
        if (err_is_ok(err) && log.distrusted)
            err = ERR(CLIENT_LOG);
        log_clear(&log);
        if (err_is_ok(err))
            err = log_label_get(t, domain, buf_view(&label), &l);
        if (err_is_ok(err) && l->bad)
            err = ERR(CLIENT_LOG);
        log_label_free(l);
        if (err.code == ERR_NOT_FOUND)
            err = ERR_OK;
    }
    buf_clear(&label);
    TRY(err);
    err = contact_by_user(c, t, user, &id);
    if (err_is_ok(err))
        err = contact_get(c, t, &id, &contact);
    if (err_is_ok(err) && contact.changed)
        err = ERR(CLIENT_LOG);
    contact_clear(&contact);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

struct err log_may_send(struct core *c, struct db_txn *t, const struct open_chat *chat)
{
    bool troubled;
    TRY(is_troubled(t, &troubled));
    if (!troubled || chat->roster == NULL)
        return ERR_OK;
    for (size_t i = 0; i < chat->roster->count; i++) {
        const struct roster_leaf *l = &chat->roster->leaves[i];
        if (!l->own_user && roster_user(l).len > 0)
            TRY(may_send_to(c, t, roster_user(l)));
    }
    return ERR_OK;
}

/* ---- members whom we don't know */

static struct err in_set(struct bytes key_set, struct bytes uuid, struct bytes key)
{
    struct key_set *set = malloc(sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = key_set_parse(key_set, set);
    if (err_is_ok(err)) {
        const struct client_key *found = key_set_find(set, uuid);
        err = found != NULL && bytes_equal(found->public_key, key) ? ERR_OK : ERR(KEY_SET);
    }
    free(set);
    return err;
}

static struct err look_for(struct core *c, struct db_txn *t, const char *domain, struct bytes label,
                           enum log_role role, bool proves_himself)
{
    TRY(proves_himself ? log_proof_await(c, t, domain, label)
                       : log_search(c, t, domain, label, role, NULL));
    return ERR(NOT_FOUND);
}

static struct err check_label(struct core *c, struct db_txn *t, const struct log *log,
                              struct bytes label, struct bytes uuid, struct bytes key,
                              enum log_role role, bool proves_himself)
{
    struct log_label *l;
    struct err err = log_label_get(t, log->domain, label, &l);
    uint64_t now = core_now_ms(c);
    if (err.code == ERR_NOT_FOUND)
        return look_for(c, t, log->domain, label, role, proves_himself);
    TRY(err);
    uint64_t age_ms = now >= l->checked_ms ? now - l->checked_ms : UINT64_MAX;
    bool shown = !log->distrusted && !l->bad && l->known.exists;
    err = shown ? in_set(buf_view(&l->value), uuid, key) : ERR(KEY_SET);
    bool again = err_is_ok(err) ? age_ms > MEMBER_AGE_MS
                                : err.code == ERR_KEY_SET && age_ms > MEMBER_AGAIN_MS;
    bool unknown = l->checked_ms == 0;
    log_label_free(l);
    if (!unknown && !again)
        return err;
    return look_for(c, t, log->domain, label, role, proves_himself);
}

/* In the log's set. That one is held against ours (log_found.c) whenever it comes. */
static struct err look_again(struct core *c, struct db_txn *t, const char *domain,
                             struct bytes label, enum log_role role)
{
    struct log_label *l;
    TRY(log_label_get(t, domain, label, &l));
    bool due = core_now_ms(c) > l->checked_ms + MEMBER_AGAIN_MS;
    log_label_free(l);
    if (due)
        TRY(log_search(c, t, domain, label, role, NULL));
    return ERR(CLIENT_MEMBER_LATER);
}

static struct err user_label(struct bytes user_id, struct buf *label,
                             char ret_domain[DOMAIN_MAX_BYTES + 1])
{
    buf_append_byte(label, LABEL_USER);
    buf_append_bytes(label, user_id);
    TRY(buf_check(label));
    return log_label_domain(buf_view(label), ret_domain) ? ERR_OK : ERR(CREDENTIAL);
}

struct err log_check_member(struct core *c, struct db_txn *t, struct bytes user_id,
                            struct bytes uuid, struct bytes key, bool proves_himself)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct buf label = BUF_INIT;
    struct log log;
    struct err err = user_label(user_id, &label, domain);
    if (err_is_ok(err))
        err = log_get(t, domain, &log);
    if (err_is_ok(err)) {
        if (log.state != LOG_UNLOGGED)
            err = check_label(c, t, &log, buf_view(&label), uuid, key, LOG_CONTACT, proves_himself);
        log_clear(&log);
    }
    buf_clear(&label);
    return err;
}

struct err log_check_device(struct core *c, struct db_txn *t, struct bytes user_id,
                            struct bytes uuid, struct bytes key, enum log_role role)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct buf label = BUF_INIT;
    struct log log = {.state = LOG_UNKNOWN};
    struct err err = user_label(user_id, &label, domain);
    if (err_is_ok(err))
        err = log_get(t, domain, &log);
    if (err_is_ok(err)) {
        err = log.state == LOG_UNLOGGED
                  ? ERR(KEY_SET)
                  : check_label(c, t, &log, buf_view(&label), uuid, key, role, false);
        log_clear(&log);
    }
    if (err_is_ok(err))
        err = look_again(c, t, domain, buf_view(&label), role);
    buf_clear(&label);
    return err;
}
