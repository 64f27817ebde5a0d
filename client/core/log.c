/* Asking the log, and what its answers mean for who waits for them. */
#include "client/core/log_inside.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/core/task.h"
#include "seal/key_set.h"
#include "seal/names.h"

enum { UNLOGGED_FRESH_MS = 3600 * 1000 };

void log_lane(const char *domain, uint8_t ret_lane[16])
{
    struct digest d;
    hash_list(&hash_sha256, BYTES_LIST(bytes_str("Hearth 1 log lane"), bytes_str(domain)), &d);
    memcpy(ret_lane, d.data, 16);
}

bool log_label_domain(struct bytes label, char ret_domain[DOMAIN_MAX_BYTES + 1])
{
    struct domain_name user;
    if (label.len < 2 || label.data[0] != LABEL_USER ||
        !err_is_ok(domain_name_parse(bytes_of(label.data + 1, label.len - 1), &user)))
        return false;
    (void)snprintf(ret_domain, DOMAIN_MAX_BYTES + 1, "%.*s", (int)user.domain.len,
                   (const char *)user.domain.data);
    return true;
}

/* ---- searching */

static struct err label_of(struct db_txn *t, const char *domain, struct bytes label,
                           struct log_label **ret_label)
{
    struct err err = log_label_get(t, domain, label, ret_label);
    return err.code == ERR_NOT_FOUND ? log_label_new(domain, label, ret_label) : err;
}

static struct err leave_task(struct core *c, struct db_txn *t, struct log_label *l)
{
    uint8_t lane[16];
    struct buf body = BUF_INIT;
    log_lane(l->domain, lane);
    wire_write_vector(&body, bytes_str(l->domain));
    wire_write_vector(&body, buf_view(&l->label));
    wire_write_vector(&body, bytes_of(NULL, 0));
    wire_write_u32(&body, 0);
    struct err err = buf_check(&body);
    if (err_is_ok(err))
        err = task_add(c, t, TASK_LOG, lane, NULL, buf_view(&body), &l->task);
    buf_clear(&body);
    return err;
}

struct err log_search(struct core *c, struct db_txn *t, const char *domain, struct bytes label,
                      unsigned roles, uint64_t *ret_task)
{
    struct log_label *l;
    TRY(domain_check(bytes_str(domain), true));
    TRY(label_of(t, domain, label, &l));
    struct err err = ERR_OK;
    bool under_way = l->task != 0 && tasks_has(c, l->task);
    bool write = !under_way || (l->roles | roles) != l->roles;
    l->roles |= (uint8_t)roles;
    if (!under_way)
        err = leave_task(c, t, l);
    if (err_is_ok(err) && write)
        err = log_label_put(t, l);
    if (err_is_ok(err) && ret_task != NULL)
        *ret_task = l->task;
    log_label_free(l);
    return err;
}

struct err log_contact(struct core *c, struct db_txn *t, struct bytes user_id, bool changed)
{
    char domain[DOMAIN_MAX_BYTES + 1];
    struct buf label = BUF_INIT;
    buf_append_byte(&label, LABEL_USER);
    buf_append_bytes(&label, user_id);
    struct err err = buf_check(&label);
    if (err_is_ok(err) && changed)
        err = log_troubled(c, t);
    if (err_is_ok(err) && log_label_domain(buf_view(&label), domain))
        err = log_search(c, t, domain, buf_view(&label), LOG_CONTACT, NULL);
    buf_clear(&label);
    return err;
}

/* ---- what it says */

static enum log_says compare(const struct log_label *l, const struct key_set *set,
                             struct bytes key_set)
{
    if (!l->known.exists || l->known.version < set->version)
        return LOG_SAYS_BEHIND;
    if (l->known.version > set->version)
        return LOG_SAYS_NEWER;
    return bytes_equal(buf_view(&l->value), key_set) ? LOG_SAYS_GOOD : LOG_SAYS_OTHER;
}

/* Without asking anew. checked_ms 0: by no search yet. */
static struct err look(struct db_txn *t, const char *domain, const struct key_set *set,
                       struct bytes key_set, uint64_t *ret_checked_ms, bool *ret_under_way,
                       struct core *c, enum log_says *ret_says)
{
    struct log_label *l;
    struct err err = log_label_get(t, domain, set->label, &l);
    *ret_checked_ms = 0;
    *ret_under_way = false;
    *ret_says = LOG_SAYS_LATER;
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    *ret_checked_ms = l->checked_ms;
    *ret_under_way = l->task != 0 && tasks_has(c, l->task);
    if (l->checked_ms != 0)
        *ret_says = compare(l, set, key_set);
    log_label_free(l);
    return ERR_OK;
}

static struct err says_of(struct core *c, struct db_txn *t, const struct log *log,
                          const struct key_set *set, struct bytes key_set, unsigned roles,
                          uint64_t max_age_ms, enum log_says *ret_says)
{
    uint64_t checked_ms, now = core_now_ms(c);
    bool under_way;
    if (log->state == LOG_UNLOGGED) { /* it may have begun one */
        *ret_says = LOG_SAYS_UNLOGGED;
        bool fresh = now >= log->asked_ms && now - log->asked_ms < UNLOGGED_FRESH_MS;
        return fresh ? ERR_OK : log_search(c, t, log->domain, set->label, roles, NULL);
    }
    if (log->state == LOG_HELD && log->distrusted) {
        *ret_says = LOG_SAYS_OTHER;
        return ERR_OK;
    }
    TRY(look(t, log->domain, set, key_set, &checked_ms, &under_way, c, ret_says));
    bool fresh = checked_ms != 0 && now >= checked_ms && now - checked_ms <= max_age_ms;
    if (fresh && !under_way)
        return ERR_OK;
    *ret_says = LOG_SAYS_LATER;
    return log_search(c, t, log->domain, set->label, roles, NULL);
}

struct err log_says_of(struct core *c, struct db_txn *t, const char *domain, struct bytes key_set,
                       unsigned roles, uint64_t max_age_ms, enum log_says *ret_says)
{
    struct log log;
    struct key_set *set = malloc(sizeof *set);
    if (set == NULL)
        return ERR(NO_MEMORY);
    struct err err = key_set_parse(key_set, set);
    if (err_is_ok(err))
        err = log_get(t, domain, &log);
    if (err_is_ok(err)) {
        err = says_of(c, t, &log, set, key_set, roles, max_age_ms, ret_says);
        log_clear(&log);
    }
    free(set);
    return err;
}
