/* ReportAbuse: what the reporter chooses to disclose, sealed for the operator. Who reported is not
 * kept. */
#include "server/auth/inside.h"

struct report_job {
    struct auth_job job;
    struct client_caller caller;
    struct bytes report;
};

static struct err map_count(struct stmt *row, void *arg)
{
    uint64_t *count = arg;
    count[0] = stmt_u64(row, 0);
    count[1] = stmt_u64(row, 1);
    return stmt_row_check(row);
}

/* The row as associated data. */
enum { PLACE_BYTES = 8 };
static struct bytes place_of(uint64_t number, uint8_t room[PLACE_BYTES])
{
    for (int i = 0; i < PLACE_BYTES; i++)
        room[i] = (uint8_t)(number >> (56 - 8 * i));
    return bytes_of(room, PLACE_BYTES);
}

static struct err insert(struct store_txn *txn, const struct auth *auth, struct bytes report,
                         uint64_t number, uint64_t day)
{
    struct buf sealed = BUF_INIT;
    uint8_t room[PLACE_BYTES];
    struct err err = auth_seal(auth, "report", place_of(number, room), report, &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, REPORT_INSERT);
        stmt_bind_u64(s, 1, number);
        stmt_bind_blob(s, 2, buf_view(&sealed));
        stmt_bind_u64(s, 3, day);
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

static struct err keep(struct store_txn *txn, struct auth_job *job)
{
    const struct report_job *r = (struct report_job *)job;
    uint64_t count[2];
    TRY(client_seen(txn, r->caller.id, r->caller.user_id, job->now_s));
    TRY(stmt_first(stmt_use(txn, REPORT_COUNT), map_count, count));
    if (count[0] >= auth_limit(job->auth, LIMIT_REPORTS_KEPT))
        return ERR(LIMIT);
    return insert(txn, job->auth, r->report, count[1] + 1, auth_day(job->now_s));
}

static void reply(struct auth_job *job)
{
    Hearth__V1__ReportAbuseResponse out;
    hearth__v1__report_abuse_response__init(&out);
    hearth_auth_report_abuse_reply(job->call, &out);
}

AUTH_HANDLER(report_abuse, ReportAbuse)
{
    struct auth *auth = self;
    (void)out;
    enum hearth_code code = auth_take_principal(call, LIMIT_REPORTS);
    if (code != HEARTH_OK)
        return code;
    struct report_job *r = auth_job_new(auth, call, sizeof *r, &in->base, in->idempotency);
    if (r == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    in = (const void *)r->job.in;
    r->job.effect = keep;
    r->job.reply = reply;
    r->report = auth_in(in->report);
    struct err err = client_caller(auth, call, &r->caller);
    if (err_is_ok(err))
        auth_charge(&r->job, call, "user credits", bytes_of(r->caller.user_id, AUTH_ID_BYTES),
                    false);
    return err_is_ok(err) ? auth_job_write(&r->job, 2) : auth_job_fail(&r->job, err);
}

/* ---- the operator's */

struct read_report {
    struct auth *auth;
    struct buf *b;
    uint64_t number, day;
};

static struct err map_report(struct stmt *row, void *arg)
{
    struct read_report *r = arg;
    struct bytes sealed = stmt_blob(row, 0);
    uint64_t number = stmt_u64(row, 1);
    uint8_t room[PLACE_BYTES];
    r->day = stmt_u64(row, 2);
    TRY(stmt_row_check(row));
    TRY(auth_unseal(r->auth, "report", place_of(number, room), sealed, r->b));
    r->number = number;
    return ERR_OK;
}

static struct err next_report(struct store_txn *txn, void *arg)
{
    struct read_report *r = arg;
    struct stmt *s = stmt_use(txn, REPORT_NEXT);
    stmt_bind_u64(s, 1, r->number);
    r->number = 0;
    struct err err = stmt_first(s, map_report, r);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

struct err auth_report_read(struct auth *auth, uint64_t after, struct buf *b, uint64_t *ret_number,
                            uint64_t *ret_day)
{
    struct read_report r = {.auth = auth, .b = b, .number = after};
    TRY(store_call_read(auth->store, next_report, &r));
    *ret_number = r.number;
    *ret_day = r.day;
    return ERR_OK;
}

struct listing {
    uint64_t after;
    void (*each)(void *arg, uint64_t number, uint64_t day, uint64_t bytes);
    void *arg;
};

static struct err map_listed(struct stmt *row, void *arg)
{
    const struct listing *l = arg;
    uint64_t number = stmt_u64(row, 0), day = stmt_u64(row, 1), bytes = stmt_u64(row, 2);
    TRY(stmt_row_check(row));
    l->each(l->arg, number, day, bytes - AT_REST_OVERHEAD_BYTES);
    return ERR_OK;
}

static struct err list_reports(struct store_txn *txn, void *arg)
{
    const struct listing *l = arg;
    struct stmt *s = stmt_use(txn, REPORT_LIST);
    stmt_bind_u64(s, 1, l->after);
    stmt_bind_u64(s, 2, AUTH_REPORTS_LISTED);
    return stmt_each(s, map_listed, arg);
}

struct err auth_report_list(struct auth *auth, uint64_t after,
                            void (*each)(void *arg, uint64_t number, uint64_t day, uint64_t bytes),
                            void *arg)
{
    struct listing l = {after, each, arg};
    return store_call_read(auth->store, list_reports, &l);
}

static struct err drop_report(struct store_txn *txn, void *arg)
{
    uint64_t changes = 0;
    struct stmt *s = stmt_use(txn, REPORT_DROP);
    stmt_bind_u64(s, 1, *(const uint64_t *)arg);
    TRY(stmt_run(s, &changes));
    return changes > 0 ? ERR_OK : ERR(NOT_FOUND);
}

struct err auth_report_drop(struct auth *auth, uint64_t number)
{
    return store_call(auth->store, drop_report, &number);
}
