/* GetKeyPackages: one package of each of a contact's clients, taken and answered in one
 * transaction, so that a package goes to one requester only (K1). Unknown owners, wrong and revoked
 * tokens answer alike (P5). */
#include "server/queue/desk.h"
#include "server/queue/job.h"
#include "server/queue/package.h"
#include "server/queue/revoked.h"
#include "server/queue/state.h"

struct fetch {
    struct queue_job job;
    uint8_t owner[QUEUE_ID_BYTES];
    uint8_t token[CONTACT_TOKEN_BYTES]; /* contact id first */
    bool took_today;
    uint64_t told[QUEUE_CLIENTS_MOST]; /* clients that got a notice */
    size_t told_count;
    Hearth__V1__KeyPackageBundle *bundles[QUEUE_CLIENTS_MOST];
    size_t count;
};

/* ---- who asks */

static struct err find_owner(struct store_txn *txn, struct fetch *f, struct queue_user *ret_user)
{
    static const uint8_t nobody[CONTACT_KEY_BYTES];
    struct queue *q = f->job.q;
    struct err err = queue_user_by_id(txn, q, bytes_of(f->owner, sizeof f->owner), ret_user);
    if (err.code == ERR_NOT_FOUND) {
        err = contact_token_verify(nobody, f->token);
        (void)err; /* the same work as for a wrong token */
        return ERR(FRONT_UNAUTHENTICATED);
    }
    TRY(err);
    bool revoked = false;
    if (err_is_ok(contact_token_verify(ret_user->contact_key, f->token)))
        err = queue_is_revoked(txn, q, ret_user->row, f->token, &revoked);
    else
        revoked = true;
    if (err_is_ok(err) && revoked)
        err = ERR(FRONT_UNAUTHENTICATED);
    if (!err_is_ok(err))
        queue_user_clear(ret_user);
    return err;
}

/* DoS7: remembers that this contact took from this owner today. */
static struct err note_taking(struct store_txn *txn, struct fetch *f)
{
    uint8_t id[QUEUE_PRF_BYTES];
    uint8_t who[QUEUE_ID_BYTES + CONTACT_ID_BYTES + 8];
    uint64_t today = f->job.now_s / QUEUE_DAY_S;
    memcpy(who, f->owner, QUEUE_ID_BYTES);
    memcpy(who + QUEUE_ID_BYTES, f->token, CONTACT_ID_BYTES);
    memcpy(who + QUEUE_ID_BYTES + CONTACT_ID_BYTES, &today, 8);
    queue_prf(f->job.q, "taken", bytes_of(who, sizeof who), bytes_of(NULL, 0), id);
    struct stmt *s = stmt_use(txn, SQL_TAKEN_ADD);
    stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
    stmt_bind_u64(s, 2, today);
    uint64_t added = 0;
    TRY(stmt_run(s, &added));
    f->took_today = added == 0;
    return ERR_OK;
}

/* ---- what is handed out */

static struct err tell(struct store_txn *txn, struct fetch *f, uint64_t client, struct bytes ref)
{
    struct queue_state state;
    TRY(queue_state_get(txn, f->job.q, client, &state));
    struct queue_item item = {.kind = QUEUE_ITEM_LAST_RESORT,
                              .hour = (uint32_t)(f->job.now_s / QUEUE_HOUR_S),
                              .body = ref};
    struct err err = ERR_OK;
    if (!state
             .told) { /* once for each upload: a flood of requests must not become one of notices */
        err = queue_append(txn, f->job.q, &state, &item, true, f->job.now_s, NULL);
        state.told = true;
        if (err_is_ok(err))
            err = queue_state_set(txn, f->job.q, &state);
        f->told[f->told_count++] = client;
    }
    queue_state_clear(&state);
    return err;
}

static struct err hand_out(struct fetch *f, const struct package *package)
{
    Hearth__V1__KeyPackageBundle *bundle =
        hearth__v1__key_package_bundle__unpack(NULL, package->bundle.len, package->bundle.data);
    if (bundle == NULL)
        return ERR(NO_MEMORY);
    f->bundles[f->count++] = bundle;
    return ERR_OK;
}

/* The last fifth is for contacts that took none today. */
static struct err is_kept_back(struct store_txn *txn, struct fetch *f, uint64_t client,
                               const struct package *last_resort, bool *ret_kept)
{
    uint64_t left = 0;
    TRY(package_count(txn, client, f->job.now_s, &left));
    *ret_kept = f->took_today && left <= last_resort->published / 5;
    return ERR_OK;
}

static struct err take_from(struct store_txn *txn, struct fetch *f, uint64_t client, struct buf *b,
                            struct buf *last)
{
    struct queue *q = f->job.q;
    struct package package, last_resort;
    bool kept = false;
    struct err err = package_last_resort(txn, q, client, f->job.now_s, last, &last_resort);
    bool has_last = err_is_ok(err);
    if (!has_last && err.code != ERR_NOT_FOUND)
        return err;
    if (has_last)
        TRY(is_kept_back(txn, f, client, &last_resort, &kept));
    err = kept ? ERR(NOT_FOUND) : package_take(txn, q, client, f->job.now_s, b, &package);
    if (err_is_ok(err))
        return hand_out(f, &package);
    if (err.code != ERR_NOT_FOUND || !has_last)
        return err.code == ERR_NOT_FOUND ? ERR_OK : err;
    TRY(hand_out(f, &last_resort));
    return tell(txn, f, client, last_resort.ref);
}

static struct err take_all(struct store_txn *txn, struct fetch *f, const struct queue_user *user)
{
    struct err err = note_taking(txn, f);
    for (size_t i = 0; i < user->client_count && err_is_ok(err); i++) {
        struct buf b = BUF_INIT, last = BUF_INIT;
        err = take_from(txn, f, user->clients[i], &b, &last);
        buf_clear(&b);
        buf_clear(&last);
    }
    return err;
}

static void forget_bundles(struct fetch *f)
{
    while (f->count != 0)
        hearth__v1__key_package_bundle__free_unpacked(f->bundles[--f->count], NULL);
}

static struct err effect(struct store_txn *txn, struct queue_job *job)
{
    struct fetch *f = (struct fetch *)job;
    struct queue_user user;
    TRY(find_owner(txn, f, &user));
    struct err err = take_all(txn, f, &user);
    queue_user_clear(&user);
    if (err_is_ok(err)) {
        Hearth__V1__GetKeyPackagesResponse out = HEARTH__V1__GET_KEY_PACKAGES_RESPONSE__INIT;
        out.n_bundles = f->count;
        out.bundles = f->bundles;
        err = queue_job_answer(job, &out.base);
    }
    forget_bundles(f);
    return err;
}

static void after(struct queue_job *job)
{
    struct fetch *f = (struct fetch *)job;
    for (size_t i = 0; i < f->told_count; i++)
        (void)desks_wake(job->q->desks, f->told[i]);
}

static void clear(struct queue_job *job)
{
    struct fetch *f = (struct fetch *)job;
    bytes_wipe(f->token, sizeof f->token);
}

enum hearth_code queue_get_packages(struct hearth_call *call,
                                    const Hearth__V1__GetKeyPackagesRequest *in,
                                    Hearth__V1__GetKeyPackagesResponse *out, void *self)
{
    struct queue *q = self;
    enum hearth_code code;
    (void)out;
    /* By the whole token, not the contact id in it: who makes up tokens uses up nobody's credit. */
    uint8_t who[QUEUE_ID_BYTES + CONTACT_TOKEN_BYTES];
    memcpy(who, in->queue_user_id.data, QUEUE_ID_BYTES);
    memcpy(who + QUEUE_ID_BYTES, in->contact_token.data, CONTACT_TOKEN_BYTES);
    /* contacts have no name here, and any number of tokens when they work together */
    if (queue_limited(q, call, LIMIT_KEY_PACKAGES_PREFIX, front_caller(call)->source, &code))
        return code;
    if (queue_limited(q, call, LIMIT_KEY_PACKAGES_CONTACT, bytes_of(who, sizeof who), &code))
        return code;
    struct fetch *f = queue_job_new(q, call, sizeof *f, &code);
    if (f == NULL)
        return code;
    uint8_t account[QUEUE_PRF_BYTES]; /* of this contact with this owner */
    queue_prf(q, "contact credits", bytes_of(who, sizeof who), bytes_of(NULL, 0), account);
    charge_account(&f->job.charge, account, false);
    memcpy(f->owner, in->queue_user_id.data, sizeof f->owner);
    memcpy(f->token, in->contact_token.data, sizeof f->token);
    f->job.id = in->idempotency;
    f->job.cost = 8;
    f->job.effect = effect;
    f->job.after = after;
    f->job.clear = clear;
    return queue_job_run(&f->job);
}
