/* Key sets from before there was a log, or from before this one: each waits for it once, as if it
 * had just come. That all do is written down as the label of the log's own origin, which is in no
 * log. A crash in between begins again, and what waits already stays as it is. */
#include "server/auth/inside.h"

enum { CHUNK = 64 };

struct enter {
    const struct auth *auth;
    uint64_t now_s;
    bool handles; /* or users */
    uint8_t after[AUTH_ID_BYTES];
    uint8_t ids[CHUNK][AUTH_ID_BYTES];
    size_t count;
    bool done;
};

static struct err enter_set(struct store_txn *txn, const struct auth *auth, struct bytes key_set)
{
    struct key_set set;
    TRY(key_set_parse(key_set, &set));
    return label_wait(txn, auth, &set, key_set);
}

static struct err enter_user(struct store_txn *txn, const struct enter *e, const uint8_t *id)
{
    struct user user = {0};
    TRY(user_load(txn, e->auth, id, &user));
    struct err err = enter_set(txn, e->auth, buf_view(&user.key_set));
    user_clear(&user);
    return err;
}

static struct err enter_handle(struct store_txn *txn, const struct enter *e, const uint8_t *id)
{
    struct handle handle = {0};
    struct err err = handle_load(txn, e->auth, id, e->now_s, &handle);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK; /* it is over */
    TRY(err);
    err = enter_set(txn, e->auth, buf_view(&handle.key_set));
    handle_clear(&handle);
    return err;
}

static struct err map_id(struct stmt *row, void *arg)
{
    struct enter *e = arg;
    stmt_fixed(row, 0, e->ids[e->count], AUTH_ID_BYTES);
    TRY(stmt_row_check(row));
    e->count++;
    return ERR_OK;
}

static struct err run_chunk(struct store_txn *txn, void *arg)
{
    struct enter *e = arg;
    e->count = 0;
    struct stmt *s = stmt_use(txn, e->handles ? HANDLES_FROM : USERS_FROM);
    stmt_bind_blob(s, 1, bytes_of(e->after, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, CHUNK);
    TRY(stmt_each(s, map_id, e));
    for (size_t i = 0; i < e->count; i++)
        TRY(e->handles ? enter_handle(txn, e, e->ids[i]) : enter_user(txn, e, e->ids[i]));
    return ERR_OK;
}

static void origin_id(const struct auth *auth, uint8_t ret_id[AUTH_ID_BYTES])
{
    auth_id(auth, "log", auth->options.log->origin, ret_id);
}

static struct err run_ask(struct store_txn *txn, void *arg)
{
    struct enter *e = arg;
    uint8_t id[AUTH_ID_BYTES];
    uint64_t version;
    origin_id(e->auth, id);
    struct stmt *s = stmt_use(txn, LABEL_FIND);
    stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
    struct err err = stmt_first(s, auth_map_u64, &version);
    e->done = err_is_ok(err);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err run_done(struct store_txn *txn, void *arg)
{
    const struct enter *e = arg;
    uint8_t id[AUTH_ID_BYTES];
    origin_id(e->auth, id);
    struct stmt *s = stmt_use(txn, LABEL_PUT);
    stmt_bind_blob(s, 1, bytes_of(id, sizeof id));
    stmt_bind_u64(s, 2, 0);
    return stmt_run(s, NULL);
}

struct err auth_enter_log(struct auth *auth)
{
    struct enter e = {.auth = auth, .now_s = auth_now_s(auth)};
    if (auth->options.log == NULL || auth->options.log->origin.len == 0)
        return ERR_OK;
    TRY(store_call_read(auth->store, run_ask, &e));
    if (e.done)
        return ERR_OK;
    for (int handles = 0; handles < 2; handles++) {
        e.handles = handles != 0;
        memset(e.after, 0, sizeof e.after);
        do {
            TRY(store_call(auth->store, run_chunk, &e));
            if (e.count > 0)
                memcpy(e.after, e.ids[e.count - 1], AUTH_ID_BYTES);
        } while (e.count == CHUNK);
    }
    return store_call(auth->store, run_done, &e);
}
