/* What is over goes (F4), a bounded piece at a time: answers of repeated requests, deleted clients'
 * rows, silent clients, items nobody fetched, tags nobody uses, KeyPackages past their end.
 *
 * An item that is too old keeps its row, empty: numbers stay dense (Q2), the client moves its
 * ratchet one step on for it. Refreshes keep their contents, because what follows needs them.
 */
#include "server/front/limit.h"
#include "server/queue/desk.h"
#include "server/queue/job.h"
#include "server/queue/package.h"
#include "server/queue/state.h"
#include "server/queue/sweep.h"
#include "server/queue/tag.h"

enum { CLIENTS_A_RUN = 16, ROWS_A_RUN = 256, ITEMS_A_CLIENT = 64, TAGS_A_CLIENT = 32 };

struct expiry {
    struct queue *q;
    uint64_t now_s, today;
    uint64_t at; /* client */
    bool end, more;
    uint64_t gone[CLIENTS_A_RUN];
    size_t gone_count;
};

static uint64_t days_ago(const struct expiry *e, enum limit limit)
{
    uint64_t days = limit_value(e->q->limits, limit);
    return e->today > days ? e->today - days : 0;
}

/* ---- a client that is still used */

struct old_items {
    uint64_t keys[ITEMS_A_CLIENT], bytes;
    size_t count;
};

static struct err map_old_item(struct stmt *row, void *arg)
{
    struct old_items *old = arg;
    old->keys[old->count++] = stmt_u64(row, 0);
    old->bytes += stmt_u64(row, 1);
    return stmt_row_check(row);
}

static struct err expire_items(struct store_txn *txn, struct expiry *e, struct queue_state *state,
                               bool *ret_changed)
{
    static const uint8_t refresh_form[] = {1};
    struct old_items old = {0};
    struct stmt *s = stmt_use(txn, SQL_ITEM_OLD);
    stmt_bind_u64(s, 1, queue_row_key(state->client, state->first));
    stmt_bind_u64(s, 2, queue_row_key(state->client, QUEUE_SEQUENCE_MOST));
    stmt_bind_u64(s, 3, days_ago(e, LIMIT_QUEUE_DAYS));
    stmt_bind_blob(s, 4, bytes_of(refresh_form, sizeof refresh_form));
    stmt_bind_u64(s, 5, ITEMS_A_CLIENT);
    TRY(stmt_each(s, map_old_item, &old));
    for (size_t i = 0; i < old.count; i++) {
        s = stmt_use(txn, SQL_ITEM_EMPTY);
        stmt_bind_blob(s, 1, bytes_of("", 0));
        stmt_bind_u64(s, 2, old.keys[i]);
        TRY(stmt_run(s, NULL));
    }
    state->bytes -= old.bytes < state->bytes ? old.bytes : state->bytes;
    *ret_changed = *ret_changed || old.count != 0;
    e->more = e->more || old.count == ITEMS_A_CLIENT;
    return ERR_OK;
}

struct old_tags {
    struct expiry *e;
    uint64_t client;
    uint8_t ids[TAGS_A_CLIENT][QUEUE_PRF_BYTES];
    size_t count;
};

static struct err map_old_tag(struct stmt *row, void *arg)
{
    struct old_tags *old = arg;
    struct queue_tag tag = {0};
    stmt_fixed(row, 0, tag.id, sizeof tag.id);
    struct bytes cursor = stmt_blob(row, 1);
    TRY(stmt_row_check(row));
    TRY(queue_tag_read(old->e->q, old->client, cursor, &tag));
    if (!tag.blocked)
        memcpy(old->ids[old->count++], tag.id, sizeof tag.id);
    return ERR_OK;
}

/* Tags that no origin has used for as long as a client may be silent: no outbox keeps rows for so
 * long, so their cursors guard nothing any more. */
static struct err expire_tags(struct store_txn *txn, struct expiry *e, struct queue_state *state,
                              bool *ret_changed)
{
    struct old_tags old = {.e = e, .client = state->client};
    struct stmt *s = stmt_use(txn, SQL_TAG_OLD);
    stmt_bind_u64(s, 1, state->client);
    stmt_bind_u64(s, 2, days_ago(e, LIMIT_QUEUE_CLIENT_DAYS));
    stmt_bind_u64(s, 3, TAGS_A_CLIENT);
    TRY(stmt_each(s, map_old_tag, &old));
    for (size_t i = 0; i < old.count; i++) {
        s = stmt_use(txn, SQL_TAG_DELETE);
        stmt_bind_u64(s, 1, state->client);
        stmt_bind_blob(s, 2, bytes_of(old.ids[i], sizeof old.ids[i]));
        TRY(stmt_run(s, NULL));
    }
    state->tags -= (uint32_t)(old.count < state->tags ? old.count : state->tags);
    *ret_changed = *ret_changed || old.count != 0;
    return ERR_OK;
}

static struct err expire_packages(struct store_txn *txn, const struct expiry *e, uint64_t client)
{
    struct stmt *s = stmt_use(txn, SQL_PACKAGE_OLD);
    stmt_bind_u64(s, 1, queue_row_key(client, 0));
    stmt_bind_u64(s, 2, queue_row_key(client, QUEUE_SEQUENCE_MOST));
    stmt_bind_u64(s, 3, e->today);
    return stmt_run(s, NULL);
}

static struct err tidy(struct store_txn *txn, struct expiry *e, uint64_t client)
{
    struct queue_state state;
    bool changed = false, acked = false, more = false;
    struct err err = queue_state_get(txn, e->q, client, &state);
    if (err_is_ok(err)) /* what an acknowledgement left to be deleted */
        err = queue_acknowledge(txn, e->q, &state, 0, 0, e->now_s, &acked, &more);
    if (err_is_ok(err))
        err = expire_items(txn, e, &state, &changed);
    if (err_is_ok(err))
        err = expire_tags(txn, e, &state, &changed);
    if (err_is_ok(err) && (changed || acked))
        err = queue_state_set(txn, e->q, &state);
    queue_state_clear(&state);
    TRY(err);
    return expire_packages(txn, e, client);
}

/* ---- a client that is not */

static struct err expire_client(struct store_txn *txn, struct expiry *e, uint64_t row)
{
    struct queue_client client;
    struct queue_user user;
    TRY(queue_client_by_row(txn, e->q, row, &client));
    uint64_t owner = client.user;
    queue_client_clear(&client);
    TRY(queue_client_delete(txn, row));
    e->gone[e->gone_count++] = row;
    TRY(queue_user_by_row(txn, e->q, owner, &user));
    queue_user_forget(&user, row);
    struct err err = user.client_count != 0 ? queue_user_set(txn, e->q, &user)
                                            : queue_user_delete(txn, user.row);
    queue_user_clear(&user);
    return err;
}

/* ---- the walk */

struct next {
    uint64_t client, active_day;
};

static struct err map_next(struct stmt *row, void *arg)
{
    struct next *next = arg;
    next->client = stmt_u64(row, 0);
    next->active_day = stmt_u64(row, 1);
    return stmt_row_check(row);
}

static struct err step(struct store_txn *txn, struct expiry *e)
{
    struct next next;
    struct stmt *s = stmt_use(txn, SQL_STATE_NEXT);
    stmt_bind_u64(s, 1, e->at);
    struct err err = stmt_first(s, map_next, &next);
    if (err.code == ERR_NOT_FOUND) {
        e->end = true;
        return ERR_OK;
    }
    TRY(err);
    if (next.active_day < days_ago(e, LIMIT_QUEUE_CLIENT_DAYS))
        TRY(expire_client(txn, e, next.client));
    else
        TRY(tidy(txn, e, next.client));
    if (!e->more) /* else the same client again */
        e->at = next.client;
    return ERR_OK;
}

static struct err run(struct store_txn *txn, void *arg)
{
    struct expiry *e = arg;
    uint64_t once = 0, taken = 0;
    TRY(once_expire(txn, SQL_ONCE, e->now_s, ROWS_A_RUN, &once));
    const struct purse purse = queue_purse(e->q);
    bool more = false;
    TRY(purse_expire(txn, &purse, e->q->limits, e->now_s, ROWS_A_RUN, &more));
    e->more |= more;
    struct stmt *s = stmt_use(txn, SQL_TAKEN_OLD);
    stmt_bind_u64(s, 1, e->today);
    stmt_bind_u64(s, 2, ROWS_A_RUN);
    TRY(stmt_run(s, &taken));
    bool swept = false;
    TRY(sweep_piece(txn, &swept));
    for (int i = 0; i < CLIENTS_A_RUN && !e->end && !e->more; i++)
        TRY(step(txn, e));
    e->more = e->more || once == ROWS_A_RUN || taken == ROWS_A_RUN || swept || !e->end;
    return ERR_OK;
}

uint64_t queue_expiry_now_s(const struct queue *q)
{
    uint64_t now = queue_now_s(q);
    uint64_t ran = (clock_monotonic_us(q->env->clock) - q->opened_us) / 1000000;
    uint64_t most = q->opened_s + ran + QUEUE_HOUR_S;
    return now < most ? now : most;
}

bool queue_expire(struct queue *q)
{
    struct expiry e = {.q = q, .now_s = queue_expiry_now_s(q), .at = q->expire_at};
    e.today = e.now_s / QUEUE_DAY_S;
    if (!err_is_ok(store_call(q->store, run, &e)))
        return false; /* the next round tries again */
    q->expire_at = e.end ? 0 : e.at;
    for (size_t i = 0; i < e.gone_count; i++)
        desks_end(q->desks, e.gone[i], ERR(FRONT_UNAUTHENTICATED));
    return e.more;
}
