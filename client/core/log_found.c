/* What a verified search means: held against the keys that we go by. */
#include <stdio.h>
#include <stdlib.h>

#include "client/core/contact.h"
#include "client/core/devices.h"
#include "client/core/event.h"
#include "client/core/handle.h"
#include "client/core/homeserver_inside.h"
#include "client/core/log_inside.h"
#include "client/core/log_proof.h"
#include "client/core/task.h"
#include "seal/key_set.h"

/* A KeySet is in the log when its owner's homeserver says that it is accepted; one that is still
 * missing after so long was accepted behind the log's back. */
enum { BEHIND_MS = 10 * 60 * 1000, BEHIND_RETRY_MS = 20 * 1000 };

enum standing { SAME, OTHER, BEHIND, NEXT, GAP };

/* How the log's newest version stands to the KeySet that we hold. held empty: NEXT. */
static struct err stand(const struct log_label *l, struct bytes held, enum standing *ret_standing)
{
    struct key_set *set = calloc(1, sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = held.len > 0 ? key_set_parse(held, set) : ERR_OK;
    bool behind = !l->known.exists || (held.len > 0 && l->known.version < set->version);
    if (behind)
        *ret_standing = BEHIND;
    else if (held.len > 0 && l->known.version == set->version)
        *ret_standing = bytes_equal(buf_view(&l->value), held) ? SAME : OTHER;
    else
        *ret_standing = held.len == 0 || l->known.version == set->version + 1 ? NEXT : GAP;
    free(set);
    return err;
}

static struct err convicted(struct db_txn *t, const char *domain)
{
    struct log log;
    TRY(log_get(t, domain, &log));
    log.distrusted = true;
    struct err err = log_put(t, &log);
    log_clear(&log);
    return err;
}

/* Marks the label until a person decides; says so once. What we hold may convict. */
static struct err mark_bad(struct core *c, struct db_txn *t, const struct log *log,
                           struct log_label *l, const struct hearth_id *contact, const char *who,
                           const char *what)
{
    const struct log_trouble trouble = {.why = ERR(KEY_SET)};
    uint64_t number;
    if (l->bad)
        return ERR_OK;
    l->bad = true;
    TRY(log_label_put(t, l));
    TRY(log_troubled(c, t));
    TRY(log_court(t, log, l, &trouble, &number));
    if (number == 0)
        return log_alarm(c, t, contact, 0, "%s: %s", who, what);
    TRY(convicted(t, l->domain));
    return log_alarm(c, t, contact, number, "%s: %s; evidence %llu convicts its operator", who,
                     what, (unsigned long long)number);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Not there yet. */
static struct err wait_for_it(struct core *c, struct db_txn *t, const struct log *log,
                              struct log_label *l, const struct hearth_id *contact, const char *who)
{
    uint64_t now = core_now_ms(c), window_ms = log->view.config.window_ms;
    if (l->behind_ms != 0 && now >= l->behind_ms &&
        now - l->behind_ms > least(BEHIND_MS, 2 * window_ms))
        return mark_bad(c, t, log, l, contact, who,
                        "keys that are in use are not in the homeserver's log");
    if (l->behind_ms == 0)
        l->behind_ms = now;
    TRY(log_label_put(t, l));
    return log_watch_at(c, t, l->domain, now + least(BEHIND_RETRY_MS, window_ms));
}

static struct err settled(struct db_txn *t, struct log_label *l)
{
    if (l->behind_ms == 0)
        return ERR_OK;
    l->behind_ms = 0;
    return log_label_put(t, l);
}

/* ---- ours */

static struct err chain_with(struct core *c, struct db_txn *t, struct bytes value, struct buf *b)
{
    TRY(own_key_sets_write(c, t, b));
    wire_write_vector(b, value);
    return buf_check(b);
}

static struct err own_next(struct core *c, struct db_txn *t, const struct log *log,
                           struct log_label *l)
{
    struct buf chain = BUF_INIT;
    struct key_set *set = calloc(1, sizeof *set);
    struct err err = set != NULL ? key_set_parse(buf_view(&l->value), set) : ERR(NO_MEMORY);
    bool ours = err_is_ok(err) && !set->reset;
    free(set);
    TRY(err);
    if (ours) { /* another device's change, of which it has not told us yet */
        err = chain_with(c, t, buf_view(&l->value), &chain);
        if (err_is_ok(err))
            err = own_key_sets_take(c, t, buf_view(&chain));
        buf_clear(&chain);
        ours = err_is_ok(err);
        if (!ours && err_class_of(err) != ERR_CLASS_PEER && err_class_of(err) != ERR_CLASS_CALLER)
            return err;
    }
    return ours
               ? settled(t, l)
               : mark_bad(c, t, log, l, NULL, l->domain,
                          "the log shows a set of devices of yours that none of your devices made");
}

static struct err found_own_set(struct core *c, struct db_txn *t, const struct log *log,
                                struct log_label *l)
{
    enum standing standing;
    TRY(stand(l, buf_view(&c->account.key_set), &standing));
    switch (standing) {
    case SAME:
        return settled(t, l);
    case OTHER:
        return mark_bad(c, t, log, l, NULL, l->domain, "the log shows other devices of yours");
    case BEHIND:
        return wait_for_it(c, t, log, l, NULL, "your devices");
    case NEXT:
        return own_next(c, t, log, l);
    case GAP: /* several changes by other devices, who tell us */
    default:
        return wait_for_it(c, t, log, l, NULL, "your devices");
    }
}

static struct err found_own_handle(struct core *c, struct db_txn *t, const struct log *log,
                                   struct log_label *l)
{
    struct buf held = BUF_INIT;
    char text[HANDLE_TEXT_MAX_BYTES + 1];
    enum standing standing = OTHER;
    struct err err = handle_own_set(c, t, l->label.data + 1, &held, text);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK; /* given up meanwhile */
    if (err_is_ok(err))
        err = stand(l, buf_view(&held), &standing);
    buf_clear(&held);
    TRY(err);
    if (standing == SAME)
        return settled(t, l);
    /* another key that the one before allowed: another device of ours, which is about to say so */
    if (standing == NEXT && l->continuity != KT_RESET)
        return wait_for_it(c, t, log, l, NULL, text);
    return standing == BEHIND ? wait_for_it(c, t, log, l, NULL, text)
                              : mark_bad(c, t, log, l, NULL, text,
                                         "the log shows another key of this handle of yours");
}

/* ---- a contact's */

static struct err take_next(struct core *c, struct db_txn *t, struct log_label *l,
                            struct contact *contact)
{
    struct buf one = BUF_INIT;
    wire_write_vector(&one, buf_view(&l->value));
    struct err err = buf_check(&one);
    if (err_is_ok(err))
        err = contact_key_sets(c, t, contact, buf_view(&one));
    buf_clear(&one);
    if (err_is_ok(err))
        err = contact_put(c, t, contact);
    if (err_is_ok(err) && contact->changed)
        err = log_troubled(c, t);
    return err_is_ok(err) ? settled(t, l) : err;
}

static struct err found_contact_set(struct core *c, struct db_txn *t, const struct log *log,
                                    struct log_label *l)
{
    struct hearth_id id;
    struct contact contact = {0};
    enum standing standing;
    struct bytes user = bytes_of(l->label.data + 1, l->label.len - 1);
    struct err err = contact_by_user(c, t, user, &id);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK; /* a member whom we don't know: the roster looks into the row */
    TRY(err);
    TRY(contact_get(c, t, &id, &contact));
    const char *name = contact.handle[0] != '\0' ? contact.handle : "a contact";
    err = stand(l, buf_view(&contact.key_set), &standing);
    if (err_is_ok(err) && standing == SAME)
        err = settled(t, l);
    else if (err_is_ok(err) && standing == OTHER)
        err = mark_bad(c, t, log, l, &id, name,
                       "the log shows other keys than those that we were told");
    else if (err_is_ok(err) && standing == NEXT)
        err = take_next(c, t, l, &contact);
    else if (err_is_ok(err) && standing == BEHIND)
        err = wait_for_it(c, t, log, l, &id, name);
    /* GAP: he made several changes, and will tell us of them; until then the roster knows none of
     * the devices that only the newest set has */
    contact_clear(&contact);
    return err;
}

/* ---- whichever */

struct err log_found(struct core *c, struct db_txn *t, const struct log *log, struct log_label *l,
                     bool news)
{
    if (log->state == LOG_UNLOGGED || l->label.data[0] == LABEL_SYSTEM)
        TRY(log_keys_found(c, t, log));
    if (log->state == LOG_HELD) {
        bool handle = l->label.data[0] == LABEL_HANDLE, user = l->label.data[0] == LABEL_USER;
        if ((l->roles & LOG_OWN) && user) {
            TRY(found_own_set(c, t, log, l));
            if (news)
                TRY(log_proof_due_all(c, t));
        }
        if ((l->roles & LOG_OWN) && handle)
            TRY(found_own_handle(c, t, log, l));
        if (!(l->roles & LOG_OWN) && user)
            TRY(found_contact_set(c, t, log, l));
        TRY(log_watch_begin(c, t, log));
    }
    if (news && (l->roles & LOG_CONTACT))
        return homeserver_news(c, t);
    task_wake(c, NULL);
    return ERR_OK;
}

/* ---- our labels */

struct own {
    struct core *c;
    struct db_txn *t;
};

static struct err search_handle(void *arg, const struct handle_row *row)
{
    const struct own *o = arg;
    uint8_t label[1 + HANDLE_HASH_BYTES] = {LABEL_HANDLE};
    if (row->state != HANDLE_OURS)
        return ERR_OK;
    memcpy(label + 1, row->hash, HANDLE_HASH_BYTES);
    return log_search(o->c, o->t, o->c->account.domain, bytes_of(label, sizeof label), LOG_OWN,
                      NULL);
}

struct err log_own(struct core *c, struct db_txn *t)
{
    struct own own = {c, t};
    struct buf label = BUF_INIT;
    if (!c->account.registered)
        return ERR_OK;
    buf_append_byte(&label, LABEL_USER);
    buf_append_bytes(&label, buf_view(&c->account.user_id));
    struct err err = buf_check(&label);
    if (err_is_ok(err))
        err = log_search(c, t, c->account.domain, buf_view(&label), LOG_OWN, NULL);
    buf_clear(&label);
    TRY(err);
    return handle_each(c, t, search_handle, &own);
}

/* Devices that were taken in by a version of this program that did not watch from the start. */
static struct err is_watched(struct core *c, struct db_txn *t, bool *ret_is)
{
    struct log_label *l = NULL;
    struct buf label = BUF_INIT;
    buf_append_byte(&label, LABEL_USER);
    buf_append_bytes(&label, buf_view(&c->account.user_id));
    struct err err = buf_check(&label);
    if (err_is_ok(err))
        err = log_label_get(t, c->account.domain, buf_view(&label), &l);
    *ret_is = err_is_ok(err) && (l->roles & LOG_OWN) != 0;
    log_label_free(l);
    buf_clear(&label);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

struct err log_upkeep(struct core *c, struct db_txn *t)
{
    struct log log;
    bool watched;
    TRY(log_get(t, c->account.domain, &log));
    bool held = log.state == LOG_HELD;
    log_clear(&log);
    TRY(is_watched(c, t, &watched));
    return held && watched ? ERR_OK : log_own(c, t);
}

struct err log_commitment_before(struct core *c, struct db_txn *t, struct bytes before,
                                 uint8_t ret_commitment[HASH_VALUE_BYTES])
{
    struct log_label *l = NULL;
    struct digest hash;
    enum log_says says = LOG_SAYS_UNLOGGED;
    struct key_set *set = malloc(sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = key_set_parse(before, set);
    if (err_is_ok(err))
        err = log_says_of(c, t, c->account.domain, before, LOG_OWN, UINT64_MAX, &says);
    if (err_is_ok(err) && says == LOG_SAYS_GOOD)
        err = log_label_get(t, c->account.domain, set->label, &l);
    else if (err_is_ok(err) && says != LOG_SAYS_UNLOGGED)
        err = ERR(CLIENT_LOG_LATER); /* soon */
    free(set);
    TRY(err);
    hash_once(&hash_sha256, before, &hash);
    memcpy(ret_commitment, l != NULL ? l->commitment.data : hash.data, HASH_VALUE_BYTES);
    log_label_free(l);
    return ERR_OK;
}
