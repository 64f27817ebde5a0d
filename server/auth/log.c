/* Key sets and the log. The last version of each label, which outlives user and handle as it does
 * in the log; and the hop to the log: a version waits in a row of its own, written with it, until
 * the log has it, so that a crash in between loses nothing. */
#include <stdlib.h>

#include "server/auth/inside.h"

struct err label_version(struct store_txn *txn, const struct auth *auth, struct bytes label,
                         uint64_t *ret_version)
{
    uint8_t id[AUTH_ID_BYTES];
    auth_id(auth, "label", label, id);
    struct stmt *s = stmt_use(txn, LABEL_FIND);
    stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
    return stmt_first(s, auth_map_u64, ret_version);
}

struct err label_wait(struct store_txn *txn, const struct auth *auth, const struct key_set *set,
                      struct bytes key_set)
{
    uint8_t id[AUTH_ID_BYTES];
    struct buf sealed = BUF_INIT;
    auth_id(auth, "label", set->label, id);
    struct err err = auth_seal(auth, "waiting", bytes_of(id, sizeof id), key_set, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, WAITING_PUT);
        stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
        stmt_bind_u64(s, 2, set->version);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

struct err label_advance(struct store_txn *txn, const struct auth *auth, const struct key_set *set,
                         struct bytes key_set)
{
    uint8_t id[AUTH_ID_BYTES];
    auth_id(auth, "label", set->label, id);
    struct stmt *s = stmt_use(txn, LABEL_PUT);
    stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
    stmt_bind_u64(s, 2, set->version);
    TRY(stmt_run(s, NULL));
    return auth->options.log == NULL ? ERR_OK : label_wait(txn, auth, set, key_set);
}

/* ---- the log has it */

struct drop {
    struct auth *auth;
    uint8_t id[AUTH_ID_BYTES];
    uint64_t version;
};

static struct err run_drop(struct store_txn *txn, void *arg)
{
    const struct drop *d = arg;
    struct stmt *s = stmt_use(txn, WAITING_DROP);
    stmt_bind_blob(s, 1, bytes_of(d->id, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, d->version);
    return stmt_run(s, NULL);
}

static void dropped(void *arg, struct err result)
{
    struct drop *d = arg;
    (void)result; /* a row that stays is offered to the log again, which has it */
    auth_unref(d->auth);
    free(d);
}

static void drop_waiting(struct auth *auth, struct bytes label, uint64_t version)
{
    struct drop *d = calloc(1, sizeof *d);
    if (d == NULL)
        return;
    d->auth = auth;
    d->version = version;
    auth_id(auth, "label", label, d->id);
    auth_ref(auth);
    const struct store_work work = {
        .cost = 1, .frees = true, .run = run_drop, .done = dropped, .arg = d};
    if (!err_is_ok(auth_write(auth, NULL, &work)))
        dropped(d, ERR(STORE_STOPPED));
}

/* ---- what a job commits */

static void logged(void *arg, struct err result, const struct auth_receipt *receipt)
{
    struct auth_job *job = arg;
    struct key_set set;
    if (!err_is_ok(result)) {
        (void)auth_job_fail(job, result); /* it is committed: a repeat asks the log again */
        return;
    }
    if (job->logs_commit && err_is_ok(key_set_parse(job->logs, &set)))
        drop_waiting(job->auth, set.label, set.version);
    job->receipt = receipt;
    auth_job_reply(job, job->reply);
}

void auth_log_then_reply(struct auth_job *job, struct bytes key_set, bool commit)
{
    static const struct auth_receipt none;
    const struct auth_log *log = job->auth->options.log;
    struct key_set set;
    struct err err = log != NULL ? key_set_parse(key_set, &set) : ERR_OK;
    job->logs = key_set;
    job->logs_commit = commit && log != NULL;
    if (!err_is_ok(err) || log == NULL)
        logged(job, err, &none);
    else
        log->append(log->self, set.label, set.version, key_set, job->loop, logged, job);
}

/* ---- what a job is about to commit */

static void checked(void *arg, struct err result, struct bytes commitment)
{
    struct auth_job *job = arg;
    struct key_set set;
    if (err_is_ok(result))
        result = key_set_parse(job->chains, &set);
    if (err_is_ok(result) && !bytes_equal(set.prev_commitment, commitment))
        result = ERR(KEY_SET);
    if (result.code == ERR_NOT_FOUND)
        result = ERR(AUTH_LABEL_VERSION); /* so it is not the next one */
    if (err_is_ok(result))
        (void)job->checked(job);
    else
        (void)auth_job_fail(job, result);
}

enum hearth_code auth_log_check(struct auth_job *job, enum hearth_code (*go)(struct auth_job *job))
{
    const struct auth_log *log = job->auth->options.log;
    struct key_set set;
    if (job->chains.len == 0 || log == NULL || log->commitment == NULL)
        return go(job);
    struct err err = key_set_parse(job->chains, &set);
    if (!err_is_ok(err))
        return auth_job_fail(job, err);
    if (set.version == 0 || set.reset)
        return go(job); /* nothing before it counts */
    job->checked = go;
    log->commitment(log->self, set.label, set.version - 1, job->loop, checked, job);
    return HEARTH_LATER;
}

void auth_receipt_out(const struct auth_receipt *receipt, Hearth__V1__LogReceipt *ret_receipt)
{
    hearth__v1__log_receipt__init(ret_receipt);
    ret_receipt->checkpoint = auth_out(receipt->checkpoint);
    ret_receipt->proof = auth_out(receipt->proof);
}

/* ---- what a crash left waiting */

enum { RESUME_MOST = 128 }; /* as the statement has it */

struct waiting {
    struct auth *auth;
    struct buf key_set;
};

struct resume {
    struct auth *auth;
    struct hearth_loop *loop;
    struct waiting *rows[RESUME_MOST];
    size_t count;
};

static void waiting_free(struct waiting *row)
{
    struct auth *auth = row->auth;
    buf_clear(&row->key_set);
    free(row);
    auth_unref(auth);
}

static struct err map_waiting(struct stmt *stmt, void *arg)
{
    struct resume *r = arg;
    uint8_t id[AUTH_ID_BYTES];
    stmt_fixed(stmt, 1, id, sizeof id);
    struct bytes sealed = stmt_blob(stmt, 0);
    TRY(stmt_row_check(stmt));
    if (r->count == RESUME_MOST)
        return ERR_OK;
    struct waiting *row = calloc(1, sizeof *row);
    if (row == NULL)
        return ERR(NO_MEMORY);
    auth_ref(r->auth);
    row->auth = r->auth;
    r->rows[r->count++] = row;
    return auth_unseal(r->auth, "waiting", bytes_of(id, sizeof id), sealed, &row->key_set);
}

static struct err find_waiting(struct store_txn *txn, void *arg)
{
    return stmt_each(stmt_use(txn, WAITING_LIST), map_waiting, arg);
}

static void waiting_logged(void *arg, struct err result, const struct auth_receipt *receipt)
{
    struct waiting *row = arg;
    struct key_set set;
    (void)receipt;
    /* What the log has otherwise it will never take: that is known from the log alone, and found by
     * the label's owner. */
    bool over = err_is_ok(result) || result.code == ERR_AUTH_LABEL_VERSION;
    if (result.code == ERR_AUTH_LABEL_VERSION)
        front_log(row->auth->env->front, "level=error event=key_set_not_logged");
    if (over && err_is_ok(key_set_parse(buf_view(&row->key_set), &set)))
        drop_waiting(row->auth, set.label, set.version);
    waiting_free(row);
}

static void found_waiting(void *arg, struct err result)
{
    struct resume *r = arg;
    const struct auth_log *log = r->auth->options.log;
    struct key_set set;
    for (size_t i = 0; i < r->count; i++) {
        struct bytes key_set = buf_view(&r->rows[i]->key_set);
        if (err_is_ok(result) && err_is_ok(key_set_parse(key_set, &set)))
            log->append(log->self, set.label, set.version, key_set, r->loop, waiting_logged,
                        r->rows[i]);
        else
            waiting_free(r->rows[i]);
    }
    auth_unref(r->auth);
    free(r);
}

void auth_log_resume(struct auth *auth, struct hearth_loop *loop)
{
    struct inbox *inbox = NULL;
    if (auth->options.log == NULL || !err_is_ok(front_inbox(auth->env->front, loop, &inbox)))
        return;
    struct resume *r = calloc(1, sizeof *r);
    if (r == NULL)
        return;
    auth_ref(auth);
    *r = (struct resume){.auth = auth, .loop = loop};
    const struct store_work work = {
        .cost = RESUME_MOST, .run = find_waiting, .done = found_waiting, .arg = r};
    if (!err_is_ok(auth_read(auth, inbox, &work)))
        found_waiting(r, ERR(STORE_STOPPED));
}
