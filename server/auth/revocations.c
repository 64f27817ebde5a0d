/* The list of revoked credentials: rows and a number that counts its changes in auth.db, and the
 * signed list in memory, made anew after each change. */
#include <stdlib.h>

#include "server/auth/inside.h"

struct err revoke(struct store_txn *txn, const uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES],
                  uint64_t not_after)
{
    uint64_t changes = 0;
    struct stmt *s = stmt_use(txn, REVOKED_INSERT);
    stmt_bind_blob(s, 1, bytes_of(fingerprint, CREDENTIAL_FINGERPRINT_BYTES));
    stmt_bind_u64(s, 2, auth_day(not_after));
    TRY(stmt_run(s, &changes));
    return changes == 0 ? ERR_OK : stmt_run(stmt_use(txn, REVOKED_COUNT_UP), NULL);
}

/* ---- the signed list */

struct refresh {
    struct auth *auth;
    struct buf list;
    uint64_t number;
};

static struct err map_fingerprint(struct stmt *row, void *arg)
{
    struct refresh *r = arg;
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    stmt_fixed(row, 0, fingerprint, sizeof fingerprint);
    TRY(stmt_row_check(row));
    buf_append(&r->list, fingerprint, sizeof fingerprint);
    return buf_check(&r->list);
}

static struct err collect(struct store_txn *txn, void *arg)
{
    struct refresh *r = arg;
    TRY(stmt_first(stmt_use(txn, REVOKED_NUMBER), auth_map_u64, &r->number));
    return stmt_each(stmt_use(txn, REVOKED_LIST), map_fingerprint, r);
}

static struct err sign(void *self, struct bytes label, struct bytes content,
                       struct signature *ret_signature)
{
    return keeper_sign(self, KEEPER_AS_SIGNING, false, label, content, ret_signature);
}

/* A newer list may have been put there meanwhile; one of the same number has a later signer. */
static struct err publish(struct refresh *r)
{
    struct auth *auth = r->auth;
    struct buf made = BUF_INIT;
    const struct credential_signer signer = {sign, auth->env->keeper};
    const struct revocations fields = {
        .number = r->number,
        .time = auth_hour(auth_now_s(auth)) * 3600,
        .domain = auth->domain,
        .list = buf_view(&r->list),
    };
    struct err err = revocations_make(&made, &fields, &signer);
    if (err_is_ok(err))
        err = buf_check(&made);
    pthread_mutex_lock(&auth->lock);
    if (err_is_ok(err) && r->number >= auth->revoked.number) {
        struct buf old = auth->revoked.list;
        auth->revoked.list = made;
        auth->revoked.number = r->number;
        made = old;
    }
    pthread_mutex_unlock(&auth->lock);
    buf_clear(&made);
    return err;
}

struct err revocations_refresh(struct auth *auth)
{
    struct refresh r = {.auth = auth};
    struct err err = store_call_read(auth->store, collect, &r);
    if (err_is_ok(err))
        err = publish(&r);
    buf_clear(&r.list);
    return err;
}

/* On the store's thread: store_close() waits for it, so it never outlives the service. */
static void collected(void *arg, struct err result)
{
    struct refresh *r = arg;
    if (err_is_ok(result))
        result = publish(r);
    (void)result; /* the old list stays until the next change or run of the expiries */
    buf_clear(&r->list);
    free(r);
}

void revocations_changed(struct auth *auth)
{
    struct refresh *r = calloc(1, sizeof *r);
    if (r == NULL)
        return;
    r->auth = auth;
    const struct store_work work = {.cost = 1, .run = collect, .done = collected, .arg = r};
    if (!err_is_ok(store_read(auth->store, NULL, &work)))
        free(r);
}

struct err auth_revocations(struct auth *auth, struct buf *b)
{
    pthread_mutex_lock(&auth->lock);
    buf_append_bytes(b, buf_view(&auth->revoked.list));
    pthread_mutex_unlock(&auth->lock);
    return buf_check(b);
}
