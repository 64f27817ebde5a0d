/* Connect: a connection package of a handle, then one sealed offer for it. A single-use package is
 * taken out in the transaction that hands it out, so nobody gets one twice; when they are used up
 * the one of last resort is given. Anyone may call: the limits are the handle's. */
#include "seal/connection_package.h"
#include "server/auth/inside.h"
#include "wire/writer.h"

enum connect_state { WANT_FETCH, WANT_OFFER, STORING };

/* Of the call; in its arena. */
struct connect {
    enum connect_state state;
    uint8_t handle[AUTH_ID_BYTES];
    uint8_t package_hash[32];
};

/* ---- fetch */

struct fetch_job {
    struct auth_job job;
    uint8_t handle[AUTH_ID_BYTES];
    struct connect *connect; /* good while there is a call */
    uint8_t hash[HANDLE_HASH_BYTES];
    bool takes_limit; /* the handle's bucket pays once the tokens have */
    struct buf package, key_set;
};

static void clear_fetch(struct auth_job *job)
{
    struct fetch_job *f = (struct fetch_job *)job;
    buf_clear(&f->package);
    buf_clear(&f->key_set);
}

struct package_row {
    struct fetch_job *job;
    uint64_t number;
};

static struct err map_package(struct stmt *row, void *arg)
{
    struct package_row *to = arg;
    struct bytes sealed = stmt_blob(row, 0);
    uint8_t place[HANDLE_PLACE_BYTES];
    to->number = stmt_u64(row, 1);
    TRY(stmt_row_check(row));
    handle_place(to->job->handle, to->number, place);
    return auth_unseal(to->job->job.auth, "package", bytes_of(place, sizeof place), sealed,
                       &to->job->package);
}

static struct err find_package(struct store_txn *txn, struct fetch_job *f,
                               enum auth_statement which, uint64_t *ret_number)
{
    struct package_row row = {.job = f};
    struct stmt *s = stmt_use(txn, which);
    stmt_bind_blob(s, 1, bytes_of(f->handle, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, auth_hour(f->job.now_s));
    TRY(stmt_first(s, map_package, &row));
    *ret_number = row.number;
    return ERR_OK;
}

static struct err take_package(struct store_txn *txn, struct fetch_job *f)
{
    uint64_t number = 0, changes = 0;
    struct err err = find_package(txn, f, PACKAGE_TAKE, &number);
    if (err.code == ERR_NOT_FOUND)
        return find_package(txn, f, PACKAGE_LAST, &number);
    TRY(err);
    struct stmt *s = stmt_use(txn, PACKAGE_DELETE);
    stmt_bind_blob(s, 1, bytes_of(f->handle, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, number);
    TRY(stmt_run(s, &changes));
    return changes == 1 ? ERR_OK : ERR(STORE_CORRUPT);
}

static struct err fetch(struct store_txn *txn, struct auth_job *job)
{
    struct fetch_job *f = (struct fetch_job *)job;
    struct handle handle = {0};
    if (f->takes_limit)
        TRY(limit_take(front_limits(job->auth->env->front), LIMIT_CONNECT_HANDLE,
                       bytes_of(f->hash, sizeof f->hash), 1, NULL));
    TRY(handle_load(txn, job->auth, f->handle, job->now_s, &handle));
    buf_append_bytes(&f->key_set, buf_view(&handle.key_set));
    handle_clear(&handle);
    TRY(buf_check(&f->key_set));
    return take_package(txn, f);
}

static void reply_fetch(struct auth_job *job)
{
    struct fetch_job *f = (struct fetch_job *)job;
    Hearth__V1__ConnectResponse out;
    Hearth__V1__ConnectionPackage package;
    Hearth__V1__LogReceipt log;
    hearth__v1__connect_response__init(&out);
    hearth__v1__connection_package__init(&package);
    auth_receipt_out(job->receipt, &log);
    package.package = auth_out(buf_view(&f->package));
    package.receipt = &log;
    package.key_set = auth_out(buf_view(&f->key_set));
    out.step_case = HEARTH__V1__CONNECT_RESPONSE__STEP_PACKAGE;
    out.package = &package;
    connection_package_hash(buf_view(&f->package), f->connect->package_hash);
    f->connect->state = WANT_OFFER;
    if (hearth_auth_connect_write(job->call, &out) >= 0)
        hearth_call_resume(job->call);
}

static void then_fetch(struct auth_job *job)
{
    struct fetch_job *f = (struct fetch_job *)job;
    auth_log_then_reply(job, buf_view(&f->key_set), false);
}

static enum hearth_code begin_fetch(struct auth *auth, struct hearth_call *call,
                                    struct connect *connect,
                                    const Hearth__V1__FetchConnectionPackage *in)
{
    struct bytes hash = auth_in(in->handle_hash);
    struct bytes source = front_caller(call)->source;
    uint8_t both[HANDLE_HASH_BYTES + 64];
    if (hash.len != HANDLE_HASH_BYTES || source.len > sizeof both - HANDLE_HASH_BYTES)
        return front_fail(call, ERR(ARGUMENT));
    memcpy(both, hash.data, HANDLE_HASH_BYTES);
    if (source.len > 0)
        memcpy(both + HANDLE_HASH_BYTES, source.data, source.len);
    /* the source's share first: what it may not take any more must not come out of the handle's */
    enum hearth_code code =
        front_limit(call, LIMIT_CONNECT_PREFIX, bytes_of(both, HANDLE_HASH_BYTES + source.len), 1);
    if (code != HEARTH_OK)
        return code;
    struct fetch_job *f = auth_job_new(auth, call, sizeof *f, NULL, NULL);
    if (f == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    handle_id(auth, hash, connect->handle);
    memcpy(f->handle, connect->handle, AUTH_ID_BYTES);
    memcpy(f->hash, hash.data, HANDLE_HASH_BYTES);
    f->connect = connect;
    f->job.effect = fetch;
    f->job.then = then_fetch;
    f->job.reply = reply_fetch;
    f->job.clear = clear_fetch;
    charge_begin(auth->env->front, call, PASS_AUTH, &f->job.charge);
    /* who brings no good tokens uses up nobody's bucket but its own */
    f->takes_limit = charge_owes(&f->job.charge);
    if (!f->takes_limit) {
        uint32_t seconds = 1;
        struct err err =
            limit_take(front_limits(auth->env->front), LIMIT_CONNECT_HANDLE, hash, 1, &seconds);
        if (!err_is_ok(err)) {
            auth_job_end(&f->job);
            return front_fail_later(call, err, seconds);
        }
    }
    hearth_call_pause(call);
    return auth_job_write(&f->job, 2);
}

/* ---- offer */

struct offer_job {
    struct auth_job job;
    uint8_t handle[AUTH_ID_BYTES];
    struct buf plain; /* struct { opaque package_hash[32]; opaque offer[]; } */
};

static void clear_offer(struct auth_job *job)
{
    buf_clear(&((struct offer_job *)job)->plain);
}

static struct err count_offers(struct store_txn *txn, const struct offer_job *o)
{
    uint64_t count = 0;
    struct stmt *s = stmt_use(txn, OFFER_COUNT);
    stmt_bind_blob(s, 1, bytes_of(o->handle, AUTH_ID_BYTES));
    TRY(stmt_first(s, auth_map_u64, &count));
    return count < auth_limit(o->job.auth, LIMIT_OFFERS_PER_HANDLE) ? ERR_OK : ERR(QUOTA);
}

static struct err insert_offer(struct store_txn *txn, const struct offer_job *o, uint64_t number)
{
    const struct auth *auth = o->job.auth;
    struct buf sealed = BUF_INIT;
    uint8_t place[HANDLE_PLACE_BYTES];
    handle_place(o->handle, number, place);
    struct err err =
        auth_seal(auth, "offer", bytes_of(place, sizeof place), buf_view(&o->plain), &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, OFFER_INSERT);
        stmt_bind_blob(s, 1, bytes_of(o->handle, AUTH_ID_BYTES));
        stmt_bind_u64(s, 2, number);
        stmt_bind_blob(s, 3, buf_view(&sealed));
        stmt_bind_u64(s, 4, auth_day(o->job.now_s) + auth_limit(auth, LIMIT_OFFER_DAYS));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
}

static struct err store_offer(struct store_txn *txn, struct auth_job *job)
{
    const struct offer_job *o = (struct offer_job *)job;
    uint64_t number = 0;
    TRY(count_offers(txn, o));
    struct stmt *s = stmt_use(txn, HANDLE_NEXT_OFFER);
    stmt_bind_blob(s, 1, bytes_of(o->handle, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, auth_day(job->now_s));
    TRY(stmt_first(s, auth_map_u64, &number)); /* NOT_FOUND: given up meanwhile */
    return insert_offer(txn, o, number);
}

static void reply_offer(struct auth_job *job)
{
    Hearth__V1__ConnectResponse out;
    Hearth__V1__ConnectionOfferStored stored;
    hearth__v1__connect_response__init(&out);
    hearth__v1__connection_offer_stored__init(&stored);
    out.step_case = HEARTH__V1__CONNECT_RESPONSE__STEP_STORED;
    out.stored = &stored;
    if (hearth_auth_connect_write(job->call, &out) >= 0)
        hearth_call_finish(job->call, HEARTH_OK);
}

static void then_offer(struct auth_job *job)
{
    const struct offer_job *o = (struct offer_job *)job;
    listeners_wake(job->auth->listeners, o->handle);
    auth_job_reply(job, job->reply);
}

static enum hearth_code begin_offer(struct auth *auth, struct hearth_call *call,
                                    struct connect *connect, const Hearth__V1__ConnectionOffer *in)
{
    struct offer_job *o = auth_job_new(auth, call, sizeof *o, NULL, NULL);
    if (o == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    memcpy(o->handle, connect->handle, AUTH_ID_BYTES);
    o->job.effect = store_offer;
    o->job.then = then_offer;
    o->job.reply = reply_offer;
    o->job.clear = clear_offer;
    wire_write_fixed(&o->plain, bytes_of(connect->package_hash, sizeof connect->package_hash));
    wire_write_fixed(&o->plain, auth_in(in->sealed));
    struct err err = buf_check(&o->plain);
    if (!err_is_ok(err))
        return auth_job_fail(&o->job, err);
    connect->state = STORING;
    hearth_call_pause(call);
    return auth_job_write(&o->job, 3);
}

/* ---- the stream */

static struct connect *connect_of(struct hearth_call *call)
{
    struct connect *connect = hearth_call_state(call);
    if (connect == NULL) {
        connect = hearth_call_alloc(call, sizeof *connect);
        if (connect != NULL)
            hearth_call_set_state(call, connect, NULL);
    }
    return connect;
}

enum hearth_code auth_connect(struct hearth_call *call, const Hearth__V1__ConnectRequest *in,
                              void *self)
{
    struct auth *auth = self;
    struct connect *connect = connect_of(call);
    if (connect == NULL)
        return front_fail(call, ERR(NO_MEMORY));
    if (in == NULL) /* who has seen the package may leave without an offer */
        return connect->state == WANT_OFFER ? HEARTH_OK : front_fail(call, ERR(ARGUMENT));
    if (connect->state == WANT_FETCH && in->step_case == HEARTH__V1__CONNECT_REQUEST__STEP_FETCH)
        return begin_fetch(auth, call, connect, in->fetch);
    if (connect->state == WANT_OFFER && in->step_case == HEARTH__V1__CONNECT_REQUEST__STEP_OFFER)
        return begin_offer(auth, call, connect, in->offer);
    return front_fail(call, ERR(ARGUMENT));
}
