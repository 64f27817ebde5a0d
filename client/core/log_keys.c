/* A homeserver's own keys (Info.GetKeys) against its log: none is used before every one of them was
 * found there (ME6, MitM1).
 *
 *     DB_SETTING "log-keys" || domain:
 *         struct { uint8 state; uint8 flags; SystemKey claims[]; }      (seal/system_keys.h)
 *         flags: 1 refetched, 2 the labels were marked as bad for it
 *
 * What the log shows instead may only be newer: the keys are fetched once more, and then they are
 * there, or the homeserver gives us others than it gives to everybody. That is over, without a word
 * of the user's, when each key that it gives us is found in the log after all: then everybody is
 * shown it. He was told; what was not used meanwhile is used then.
 */
#include "client/core/homeserver_inside.h"
#include "client/core/log_inside.h"
#include "client/core/task.h"
#include "client/core/token_seen.h"
#include "seal/system_keys.h"

enum { REFETCHED = 1, MARKED = 2 };
enum keys_state { KEYS_ASKED = 0, KEYS_GOOD = 1, KEYS_BAD = 2 };
struct claims {
    enum keys_state state;
    bool refetched, marked;
    struct buf keys; /* SystemKey, one after the other */
};

static struct err claims_id(const char *domain, struct buf *b)
{
    buf_append_bytes(b, bytes_str("log-keys"));
    buf_append_bytes(b, bytes_str(domain));
    return buf_check(b);
}

static struct err claims_get(struct db_txn *t, const char *domain, struct claims *ret_claims)
{
    struct buf id = BUF_INIT, value = BUF_INIT;
    *ret_claims = (struct claims){.state = KEYS_GOOD};
    struct err err = claims_id(domain, &id);
    if (err_is_ok(err))
        err = db_get(t, DB_SETTING, buf_view(&id), &value);
    if (err_is_ok(err) && value.len >= 2) {
        ret_claims->state = (enum keys_state)value.data[0];
        ret_claims->refetched = (value.data[1] & REFETCHED) != 0;
        /* without the flag: rows from before there was one */
        ret_claims->marked = (value.data[1] & MARKED) != 0 || ret_claims->state == KEYS_BAD;
        buf_append(&ret_claims->keys, value.data + 2, value.len - 2);
        err = buf_check(&ret_claims->keys);
    }
    buf_clear(&id);
    buf_clear(&value);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err claims_put(struct db_txn *t, const char *domain, const struct claims *claims)
{
    struct buf id = BUF_INIT, value = BUF_INIT;
    wire_write_u8(&value, (uint8_t)claims->state);
    wire_write_u8(&value,
                  (uint8_t)((claims->refetched ? REFETCHED : 0) | (claims->marked ? MARKED : 0)));
    buf_append_bytes(&value, buf_view(&claims->keys));
    struct err err = claims_id(domain, &id);
    if (err_is_ok(err))
        err = buf_check(&value);
    if (err_is_ok(err))
        err = db_put(t, DB_SETTING, buf_view(&id), buf_view(&value));
    buf_clear(&id);
    buf_clear(&value);
    return err;
}

/* ---- asking */

static bool has_label(const struct system_key *keys, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (system_label_of(keys[i].use) == name)
            return true;
    return false;
}

static struct err search_all(struct core *c, struct db_txn *t, const char *domain,
                             const struct claims *claims)
{
    struct system_key keys[SYSTEM_KEYS_MOST];
    size_t count;
    struct err err = system_keys_parse(buf_view(&claims->keys), keys, &count);
    for (size_t i = 0; system_labels[i] != NULL && err_is_ok(err); i++) {
        struct buf label = BUF_INIT;
        if (!has_label(keys, count, system_labels[i]))
            continue;
        system_label_write(&label, system_labels[i]);
        err = buf_check(&label);
        if (err_is_ok(err))
            err = log_search(c, t, domain, buf_view(&label), LOG_SYSTEM, NULL);
        buf_clear(&label);
    }
    return err;
}

struct err log_keys_claim(struct core *c, struct db_txn *t, const char *domain, struct bytes keys)
{
    struct claims claims;
    TRY(claims_get(t, domain, &claims));
    bool same = bytes_equal(buf_view(&claims.keys), keys);
    struct err err = ERR_OK;
    if (!same || claims.state != KEYS_GOOD) {
        claims.state = claims.state == KEYS_BAD && same ? KEYS_BAD : KEYS_ASKED;
        buf_clear(&claims.keys);
        buf_append_bytes(&claims.keys, keys);
        err = buf_check(&claims.keys);
        if (err_is_ok(err))
            err = claims_put(t, domain, &claims);
        if (err_is_ok(err))
            err = search_all(c, t, domain, &claims);
    }
    buf_clear(&claims.keys);
    return err;
}

struct err log_keys_gate(struct db_txn *t, const char *domain)
{
    struct claims claims;
    TRY(claims_get(t, domain, &claims));
    enum keys_state state = claims.state;
    buf_clear(&claims.keys);
    return state == KEYS_GOOD  ? ERR_OK
           : state == KEYS_BAD ? ERR(CLIENT_LOG)
                               : ERR(CLIENT_LOG_LATER);
}

struct err log_keys_accept(struct db_txn *t, const char *domain)
{
    struct claims claims;
    TRY(claims_get(t, domain, &claims));
    claims.state = KEYS_GOOD;
    claims.refetched = claims.marked = false;
    struct err err = claims_put(t, domain, &claims);
    buf_clear(&claims.keys);
    return err;
}

/* ---- answers */

/* What becomes of the labels: nothing, those without a claim are marked as bad, or no one is. */
enum verdict { VERDICT_NONE, VERDICT_MARK, VERDICT_LIFT };

/* missing: a claim that the label's newest value does not have; asked: one whose label is still
 * being asked for. */
static struct err judge(struct core *c, struct db_txn *t, const char *domain,
                        const struct claims *claims, enum verdict verdict, bool *ret_missing,
                        bool *ret_asked)
{
    struct system_key keys[SYSTEM_KEYS_MOST];
    size_t count;
    *ret_missing = *ret_asked = false;
    TRY(system_keys_parse(buf_view(&claims->keys), keys, &count));
    for (size_t i = 0; i < count; i++) {
        struct log_label *l = NULL;
        struct buf label = BUF_INIT;
        const char *name = system_label_of(keys[i].use);
        if (name == NULL)
            continue;
        system_label_write(&label, name);
        struct err err = buf_check(&label);
        if (err_is_ok(err))
            err = log_label_get(t, domain, buf_view(&label), &l);
        buf_clear(&label);
        if (err.code != ERR_NOT_FOUND)
            TRY(err);
        if (l == NULL || l->checked_ms == 0 || (l->task != 0 && tasks_has(c, l->task)))
            *ret_asked = true;
        else if (!l->known.exists || !err_is_ok(system_keys_find(buf_view(&l->value), &keys[i])))
            *ret_missing = l->bad = true;
        if (l != NULL && verdict == VERDICT_LIFT)
            l->bad = false;
        bool put = l != NULL && (verdict == VERDICT_LIFT || (verdict == VERDICT_MARK && l->bad));
        err = put ? log_label_put(t, l) : ERR_OK;
        log_label_free(l);
        TRY(err);
    }
    return ERR_OK;
}

static struct err fetch_again(struct core *c, struct db_txn *t, const char *domain)
{
    uint8_t lane[16];
    bool there = false;
    homeserver_lane(domain, lane);
    TRY(task_in_lane(c, t, lane, TASK_HOMESERVER, &there));
    return there ? ERR_OK : task_add(c, t, TASK_HOMESERVER, lane, NULL, bytes_str(domain), NULL);
}

static struct err found_missing(struct core *c, struct db_txn *t, const struct log *log,
                                struct claims *claims)
{
    bool missing, asked;
    claims->state = KEYS_BAD;
    claims->refetched = false;
    claims->marked = true;
    TRY(claims_put(t, log->domain, claims));
    TRY(judge(c, t, log->domain, claims, VERDICT_MARK, &missing, &asked));
    TRY(log_troubled(c, t));
    TRY(log_alarm(c, t, NULL, 0,
                  "%s gives us other keys of its own than its log shows to everybody",
                  log->domain));
    return homeserver_news(c, t);
}

static struct err found_all(struct core *c, struct db_txn *t, const struct log *log,
                            struct claims *claims)
{
    bool missing, asked, was = claims->state == KEYS_GOOD,
                         lift = claims->marked && !log->distrusted;
    claims->state = KEYS_GOOD;
    claims->refetched = claims->marked = false;
    TRY(claims_put(t, log->domain, claims));
    if (lift) /* or they would not be monitored any more */
        TRY(judge(c, t, log->domain, claims, VERDICT_LIFT, &missing, &asked));
    TRY(token_seen_found(c, t, log));
    return was ? ERR_OK : homeserver_news(c, t);
}

static struct err found(struct core *c, struct db_txn *t, const struct log *log,
                        struct claims *claims)
{
    bool missing = false, asked = false;
    if (log->state == LOG_HELD)
        TRY(judge(c, t, log->domain, claims, VERDICT_NONE, &missing, &asked));
    if (asked || (claims->state == KEYS_BAD && (missing || log->state != LOG_HELD)))
        return ERR_OK;
    if (!missing)
        return found_all(c, t, log, claims);
    if (claims->refetched)
        return found_missing(c, t, log, claims);
    claims->refetched = true;
    claims->state = KEYS_ASKED;
    TRY(claims_put(t, log->domain, claims));
    return fetch_again(c, t, log->domain);
}

struct err log_keys_found(struct core *c, struct db_txn *t, const struct log *log)
{
    struct claims claims;
    TRY(claims_get(t, log->domain, &claims));
    struct err err = claims.keys.len > 0 ? found(c, t, log, &claims) : ERR_OK;
    buf_clear(&claims.keys);
    return err;
}
