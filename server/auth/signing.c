/* The signing credentials there have been: whoever checks a ClientCredential signed by an earlier
 * one needs that one, until it ends. The keeper forgets what it has replaced, so each is a row
 * before it signs nothing any more: the current one is put down when the service opens and before
 * every rotation. */
#include "server/auth/inside.h"
#include "wire/writer.h"

struct current {
    struct buf bytes;
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    uint64_t not_after;
};

static struct err ask_current(const struct auth *auth, struct current *ret_current)
{
    struct credential c;
    struct current now = {.bytes = BUF_INIT};
    struct err err = keeper_credential(auth->env->keeper, KEEPER_AS_SIGNING, &now.bytes);
    if (err_is_ok(err))
        err = credential_parse(buf_view(&now.bytes), &c);
    if (!err_is_ok(err)) {
        buf_clear(&now.bytes);
        return err;
    }
    credential_fingerprint(buf_view(&now.bytes), now.fingerprint);
    now.not_after = c.not_after;
    *ret_current = now;
    return ERR_OK;
}

static struct err find(struct store_txn *txn, void *arg)
{
    const struct current *current = arg;
    uint64_t number;
    struct stmt *s = stmt_use(txn, SIGNING_FIND);
    stmt_bind_blob(s, 1, bytes_of(current->fingerprint, sizeof current->fingerprint));
    return stmt_first(s, auth_map_u64, &number);
}

static struct err put(struct store_txn *txn, void *arg)
{
    const struct current *current = arg;
    struct stmt *s = stmt_use(txn, SIGNING_PUT);
    stmt_bind_blob(s, 1, bytes_of(current->fingerprint, sizeof current->fingerprint));
    stmt_bind_blob(s, 2, buf_view(&current->bytes));
    stmt_bind_u64(s, 3, current->not_after);
    return stmt_run(s, NULL);
}

struct err signing_put_down(struct auth *auth)
{
    struct current current;
    TRY(ask_current(auth, &current));
    struct err err = store_call_read(auth->store, find, &current);
    if (err.code == ERR_NOT_FOUND)
        err = store_call(auth->store, put, &current);
    buf_clear(&current.bytes);
    return err;
}

/* ---- for GetKeys */

struct previous {
    struct buf *b;
    uint64_t now_s;
    uint8_t current[CREDENTIAL_FINGERPRINT_BYTES];
    unsigned count; /* that have not ended, the current one among them */
};

static struct err map_previous(struct stmt *row, void *arg)
{
    struct previous *p = arg;
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    struct bytes credential = stmt_blob(row, 0);
    stmt_fixed(row, 1, fingerprint, sizeof fingerprint);
    TRY(stmt_row_check(row));
    p->count++;
    if (p->b == NULL || memcmp(fingerprint, p->current, sizeof fingerprint) == 0)
        return ERR_OK;
    wire_write_vector(p->b, credential);
    return buf_check(p->b);
}

static struct err list(struct store_txn *txn, void *arg)
{
    const struct previous *p = arg;
    struct stmt *s = stmt_use(txn, SIGNING_LIST);
    stmt_bind_u64(s, 1, p->now_s);
    stmt_bind_u64(s, 2, AUTH_SIGNING_MOST);
    return stmt_each(s, map_previous, arg);
}

struct err auth_previous_signing(struct auth *auth, struct buf *b)
{
    struct previous p = {.b = b, .now_s = auth_now_s(auth)};
    struct current current;
    TRY(ask_current(auth, &current));
    memcpy(p.current, current.fingerprint, sizeof p.current);
    buf_clear(&current.bytes);
    return store_call_read(auth->store, list, &p);
}

/* ---- the next one */

struct err signing_rotate(struct auth *auth)
{
    TRY(signing_put_down(auth));
    TRY(keeper_rotate(auth->env->keeper, KEEPER_AS_SIGNING));
    (void)err_is_ok(signing_put_down(auth)); /* else the next start or rotation does it */
    return revocations_refresh(auth);
}

struct err auth_rotate(struct auth *auth)
{
    struct previous p = {.now_s = auth_now_s(auth)};
    TRY(store_call_read(auth->store, list, &p));
    return p.count >= AUTH_SIGNING_MOST ? ERR(QUOTA) : signing_rotate(auth);
}
