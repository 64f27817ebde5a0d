/* The signing credentials there have been: whoever checks a ClientCredential signed by an earlier
 * one needs that one, until it ends. The keeper forgets what it has replaced, so each is a row
 * before it signs nothing any more: the current one is put down when the service opens and before
 * every rotation. */
#include "server/auth/inside.h"
#include "wire/writer.h"

struct current {
    const struct auth *auth;
    struct buf bytes;
    uint8_t id[AUTH_ID_BYTES]; /* of its fingerprint, at rest */
    uint64_t not_after;
};

static struct err ask_current(const struct auth *auth, struct current *ret_current)
{
    struct credential c;
    struct current now = {.auth = auth};
    uint8_t fingerprint[CREDENTIAL_FINGERPRINT_BYTES];
    struct err err = keeper_credential(auth->env->keeper, KEEPER_AS_SIGNING, &now.bytes);
    if (err_is_ok(err))
        err = credential_parse(buf_view(&now.bytes), &c);
    if (!err_is_ok(err)) {
        buf_clear(&now.bytes);
        return err;
    }
    credential_fingerprint(buf_view(&now.bytes), fingerprint);
    auth_id(auth, "signing", bytes_of(fingerprint, sizeof fingerprint), now.id);
    now.not_after = c.not_after;
    *ret_current = now;
    return ERR_OK;
}

static struct err find(struct store_txn *txn, void *arg)
{
    const struct current *current = arg;
    uint64_t number;
    struct stmt *s = stmt_use(txn, SIGNING_FIND);
    stmt_bind_blob(s, 1, bytes_of(current->id, sizeof current->id));
    return stmt_first(s, auth_map_u64, &number);
}

static struct err put(struct store_txn *txn, void *arg)
{
    const struct current *current = arg;
    struct bytes id = bytes_of(current->id, sizeof current->id);
    struct buf sealed = BUF_INIT;
    struct err err = auth_seal(current->auth, "signing", id, buf_view(&current->bytes), &sealed);
    if (err_is_ok(err)) {
        struct stmt *s = stmt_use(txn, SIGNING_PUT);
        stmt_bind_blob(s, 1, id);
        stmt_bind_blob(s, 2, buf_view(&sealed));
        stmt_bind_u64(s, 3, auth_day(current->not_after));
        err = stmt_run(s, NULL);
    }
    buf_clear(&sealed);
    return err;
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
    const struct auth *auth;
    struct buf *b; /* NULL: they are counted */
    uint8_t current[AUTH_ID_BYTES];
    unsigned count; /* that have not ended, the current one among them */
};

static struct err map_previous(struct stmt *row, void *arg)
{
    struct previous *p = arg;
    uint8_t id[AUTH_ID_BYTES];
    struct buf plain = BUF_INIT;
    struct bytes sealed = stmt_blob(row, 0);
    stmt_fixed(row, 1, id, sizeof id);
    TRY(stmt_row_check(row));
    p->count++;
    if (p->b == NULL || memcmp(id, p->current, sizeof id) == 0)
        return ERR_OK;
    struct err err = auth_unseal(p->auth, "signing", bytes_of(id, sizeof id), sealed, &plain);
    if (err_is_ok(err))
        wire_write_vector(p->b, buf_view(&plain));
    buf_clear(&plain);
    return err_is_ok(err) ? buf_check(p->b) : err;
}

static struct err list(struct store_txn *txn, void *arg)
{
    const struct previous *p = arg;
    struct stmt *s = stmt_use(txn, SIGNING_LIST);
    stmt_bind_u64(s, 1, auth_day(auth_now_s(p->auth)));
    stmt_bind_u64(s, 2, AUTH_SIGNING_MOST);
    return stmt_each(s, map_previous, arg);
}

struct err auth_previous_signing(struct auth *auth, struct buf *b)
{
    struct previous p = {.auth = auth, .b = b};
    struct current current;
    TRY(ask_current(auth, &current));
    memcpy(p.current, current.id, sizeof p.current);
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
    struct previous p = {.auth = auth};
    TRY(store_call_read(auth->store, list, &p));
    return p.count >= AUTH_SIGNING_MOST ? ERR(QUOTA) : signing_rotate(auth);
}
