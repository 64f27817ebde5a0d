/* What is over goes (F4), in bounded pieces. */
#include "server/auth/inside.h"

enum { ROWS_MOST = 64, OWNERS_MOST = 4 };

struct run {
    struct auth *auth;
    uint64_t now_s;
    bool more;
    bool revoked; /* the list has changed */
};

static struct err expire_rows(struct store_txn *txn, struct run *run, enum auth_statement statement,
                              uint64_t bound, uint64_t *ret_changes)
{
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_u64(s, 1, bound);
    stmt_bind_u64(s, 2, ROWS_MOST);
    TRY(stmt_run(s, ret_changes));
    run->more |= *ret_changes == ROWS_MOST;
    return ERR_OK;
}

static struct err expire_all_rows(struct store_txn *txn, struct run *run)
{
    const uint64_t hour = auth_hour(run->now_s), day = auth_day(run->now_s);
    const uint64_t report_days = auth_limit(run->auth, LIMIT_REPORT_DAYS);
    const struct {
        enum auth_statement statement;
        uint64_t bound;
    } rows[] = {
        {INVITATION_EXPIRE, hour},
        {PUZZLE_EXPIRE, hour},
        {PACKAGE_EXPIRE, hour},
        {OFFER_EXPIRE, day},
        /* an order that began before midnight may come to its charge after it */
        {TOKEN_GRANT_EXPIRE, day - 1},
        {TOKEN_REQUEST_EXPIRE, day - 1},
        {SIGNING_EXPIRE, day},
        {REPORT_EXPIRE, day > report_days ? day - report_days : 0},
    };
    uint64_t changes = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        TRY(expire_rows(txn, run, rows[i].statement, rows[i].bound, &changes));
    TRY(expire_rows(txn, run, REVOKED_EXPIRE, day, &changes));
    if (changes > 0) {
        run->revoked = true;
        TRY(stmt_run(stmt_use(txn, REVOKED_COUNT_UP), NULL));
    }
    const struct purse purse = auth_purse(run->auth);
    bool more = false;
    TRY(purse_expire(txn, &purse, front_limits(run->auth->env->front), run->now_s, ROWS_MOST,
                     &more));
    run->more |= more;
    const uint64_t week =
        run->now_s / PASS_WEEK_S; /* what is of the week before is good for a day */
    TRY(expire_rows(txn, run, VOUCHER_KEY_EXPIRE, week - 1, &changes));
    TRY(expire_rows(txn, run, VOUCHER_SPENT_EXPIRE, week - 1, &changes));
    TRY(once_expire(txn, AUTH_ONCE, run->now_s, ROWS_MOST, &changes));
    run->more |= changes == ROWS_MOST;
    return ERR_OK;
}

struct owner {
    uint8_t id[AUTH_ID_BYTES];
};

static struct err map_owner(struct stmt *row, void *arg)
{
    struct owner *owner = arg;
    stmt_fixed(row, 0, owner->id, sizeof owner->id);
    return stmt_row_check(row);
}

/* The next owner of other rows that is over. */
static struct err next_owner(struct store_txn *txn, enum auth_statement statement, uint64_t bound,
                             struct owner *ret_owner, bool *ret_found)
{
    struct stmt *s = stmt_use(txn, statement);
    stmt_bind_u64(s, 1, bound);
    struct err err = stmt_first(s, map_owner, ret_owner);
    *ret_found = err_is_ok(err);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct err expire_handles(struct store_txn *txn, struct run *run)
{
    struct owner owner;
    bool found = true;
    for (int i = 0; i < OWNERS_MOST && found; i++) {
        TRY(next_owner(txn, HANDLE_OVER, auth_day(run->now_s), &owner, &found));
        if (found)
            TRY(handle_delete(txn, owner.id));
    }
    run->more |= found;
    return ERR_OK;
}

/* Accounts whose clients never called. */
static struct err expire_users(struct store_txn *txn, struct run *run)
{
    const uint64_t hours = auth_limit(run->auth, LIMIT_UNUSED_ACCOUNT_HOURS);
    const uint64_t hour = auth_hour(run->now_s);
    struct owner owner;
    bool found = hour > hours;
    for (int i = 0; i < OWNERS_MOST && found; i++) {
        TRY(next_owner(txn, USER_UNUSED, hour - hours, &owner, &found));
        if (!found)
            break;
        struct user user = {0};
        TRY(user_load(txn, run->auth, owner.id, &user));
        struct err err = user_delete(txn, run->auth, &user, run->now_s);
        user_clear(&user);
        TRY(err);
        run->revoked = true;
    }
    run->more |= found;
    return ERR_OK;
}

static struct err expire(struct store_txn *txn, void *arg)
{
    struct run *run = arg;
    TRY(expire_all_rows(txn, run));
    TRY(expire_handles(txn, run));
    return expire_users(txn, run);
}

/* The signing credential has less than a quarter of its life left. */
static bool rotation_due(struct auth *auth)
{
    struct buf b = BUF_INIT;
    struct credential c = {0};
    struct err err = keeper_credential(auth->env->keeper, KEEPER_AS_SIGNING, &b);
    if (err_is_ok(err))
        err = credential_parse(buf_view(&b), &c);
    uint64_t now = auth_now_s(auth);
    bool due = err_is_ok(err) &&
               (c.not_after < now || c.not_after - now < (c.not_after - c.not_before) / 4);
    buf_clear(&b);
    return due;
}

bool auth_expire(struct auth *auth)
{
    struct run run = {.auth = auth, .now_s = auth_now_s(auth)};
    if (!err_is_ok(store_call(auth->store, expire, &run)))
        return false; /* nothing has changed; the next run tries again */
    if (rotation_due(auth))
        (void)err_is_ok(signing_rotate(auth));
    else if (run.revoked)
        (void)err_is_ok(revocations_refresh(auth));
    if (auth->options.voucher_key != NULL && voucher_keys_make(auth))
        run.more = true;
    return run.more;
}
