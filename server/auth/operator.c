/* What the operator may know of a user and do to it: how many clients, whether and when they called
 * last; that it is suspended, and that it goes. Nothing that ties it to a handle, a queue, a group
 * or another user is known here (P4). */
#include "server/auth/inside.h"

struct user_work {
    struct auth *auth;
    uint8_t id[AUTH_ID_BYTES];
    bool suspend;
    struct auth_user_facts facts;
};

static struct err work_for(struct auth *auth, const uint8_t uuid[UUID_BYTES],
                           struct user_work *ret_work)
{
    struct buf name = BUF_INIT;
    const struct domain_name parts = {.uuid = uuid, .domain = auth->domain};
    *ret_work = (struct user_work){.auth = auth};
    domain_name_write(&name, &parts);
    struct err err = buf_check(&name);
    if (err_is_ok(err))
        user_id(auth, buf_view(&name), ret_work->id);
    buf_clear(&name);
    return err;
}

static struct err map_user(struct stmt *row, void *arg)
{
    struct auth_user_facts *facts = arg;
    facts->used = stmt_u64(row, 0) == 0;
    facts->suspended = stmt_u64(row, 1) != 0;
    facts->clients = (uint32_t)stmt_u64(row, 2);
    facts->seen_month = (uint32_t)stmt_u64(row, 3);
    return stmt_row_check(row);
}

static struct err show(struct store_txn *txn, void *arg)
{
    struct user_work *w = arg;
    struct stmt *s = stmt_use(txn, USER_SHOW);
    stmt_bind_blob(s, 1, bytes_of(w->id, AUTH_ID_BYTES));
    return stmt_first(s, map_user, &w->facts);
}

struct err auth_user_show(struct auth *auth, const uint8_t uuid[UUID_BYTES],
                          struct auth_user_facts *ret_facts)
{
    struct user_work w;
    TRY(work_for(auth, uuid, &w));
    TRY(store_call_read(auth->store, show, &w));
    *ret_facts = w.facts;
    return ERR_OK;
}

static struct err suspend(struct store_txn *txn, void *arg)
{
    struct user_work *w = arg;
    TRY(show(txn, w)); /* NOT_FOUND */
    return auth_run_by_id(txn, w->suspend ? SUSPENDED_PUT : SUSPENDED_DROP, w->id);
}

struct err auth_user_suspend(struct auth *auth, const uint8_t uuid[UUID_BYTES], bool suspended)
{
    struct user_work w;
    TRY(work_for(auth, uuid, &w));
    w.suspend = suspended;
    return store_call(auth->store, suspend, &w);
}

static struct err delete_it(struct store_txn *txn, void *arg)
{
    const struct user_work *w = arg;
    struct user user = {0};
    TRY(user_load(txn, w->auth, w->id, &user));
    struct err err = user_delete(txn, w->auth, &user, auth_now_s(w->auth));
    user_clear(&user);
    return err;
}

struct err auth_user_remove(struct auth *auth, const uint8_t uuid[UUID_BYTES])
{
    struct user_work w;
    TRY(work_for(auth, uuid, &w));
    TRY(store_call(auth->store, delete_it, &w));
    return revocations_refresh(auth);
}
