/* What is wanted of handles, and what comes for them. */
#include <stdio.h>

#include "client/core/handle_inside.h"
#include "client/core/queue.h"
#include "seal/key_set.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static struct err make_row(struct core *c, struct db_txn *t, const char *local,
                           struct handle_row *row)
{
    (void)snprintf(row->local, sizeof row->local, "%s", local);
    TRY(sig_key_generate(&sig_ed25519, c->rng, &row->key));
    return handle_key_set(c, t, row, 0, false, false, &row->key_set);
}

struct err handle_add_begin(struct core *c, struct db_txn *t, const char *local, uint64_t *ret_task)
{
    struct handle_row row = {0}, there = {0};
    if (!c->account.registered)
        return ERR(WRONG_STATE);
    TRY(handle_check(bytes_str(local)));
    TRY(handle_hash(bytes_str(local), bytes_str(c->account.domain), row.hash));
    struct err err = handle_get(t, row.hash, &there);
    if (err_is_ok(err)) {
        handle_row_clear(&there);
        return ERR(CLIENT_HANDLE);
    }
    if (err.code != ERR_NOT_FOUND)
        return err;
    err = make_row(c, t, local, &row);
    if (err_is_ok(err))
        err = handle_put(t, &row);
    if (err_is_ok(err))
        err = handle_task(c, t, TASK_HANDLE_ADD, row.hash, ret_task);
    handle_row_clear(&row);
    return err;
}

struct err handle_remove_begin(struct core *c, struct db_txn *t, const char *local,
                               uint64_t *ret_task)
{
    struct handle_row row;
    if (local[0] == '\0')
        return ERR(NOT_FOUND);
    TRY(handle_find(c, t, bytes_str(local), &row));
    row.state = HANDLE_GOING;
    struct err err = handle_put(t, &row);
    if (err_is_ok(err))
        err = handle_task(c, t, TASK_HANDLE_REMOVE, row.hash, ret_task);
    handle_row_clear(&row);
    queue_handles_changed(c);
    return err;
}

struct err handle_state(struct core *c, struct db_txn *t, struct bytes local, bool *ret_busy,
                        bool *ret_ours)
{
    struct handle_row row;
    uint8_t lane[16];
    *ret_busy = *ret_ours = false;
    struct err err = handle_find(c, t, local, &row);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK;
    TRY(err);
    *ret_ours = row.state == HANDLE_OURS;
    handle_lane(row.hash, lane);
    handle_row_clear(&row);
    return task_in_lane(c, t, lane, TASK_HANDLE_ADD, ret_busy);
}

/* ---- offers */

/* Fewer packages are left, as far as we know. */
static struct err package_used(struct core *c, struct db_txn *t, struct handle_row *row)
{
    uint8_t lane[16];
    bool there = false;
    row->packages_used++;
    if (row->packages_used <= HANDLE_PACKAGES - HANDLE_PACKAGES_LEAST)
        return ERR_OK;
    handle_lane(row->hash, lane);
    TRY(task_in_lane(c, t, lane, TASK_HANDLE_PACKAGES, &there));
    return there ? ERR_OK : handle_task(c, t, TASK_HANDLE_PACKAGES, row->hash, NULL);
}

struct err handle_take_offer(struct core *c, struct db_txn *t, void *arg)
{
    const struct handle_offer *offer = arg;
    struct handle_row row;
    char text[HANDLE_TEXT_MAX_BYTES + 1];
    struct err err = handle_get(t, offer->hash, &row);
    if (err.code == ERR_NOT_FOUND)
        return ERR_OK; /* given up meanwhile */
    TRY(err);
    if (offer->sequence > row.offers) {
        row.offers = offer->sequence;
        handle_text(c, &row, text);
        err = package_used(c, t, &row);
        if (err_is_ok(err))
            err = handle_put(t, &row);
        if (err_is_ok(err) && offer->package_hash.len == 32)
            err = contact_offer(c, t, text, offer->package_hash, offer->sealed);
    }
    handle_row_clear(&row);
    return err;
}

/* ---- upkeep */

struct upkeep {
    struct core *core;
    struct db_txn *t;
};

static struct err look_at(void *arg, const struct handle_row *row)
{
    const struct upkeep *u = arg;
    uint64_t now = core_now_ms(u->core);
    uint8_t lane[16];
    bool there = false;
    if (row->state != HANDLE_OURS ||
        now < row->published_ms + (uint64_t)HANDLE_REFRESH_DAYS * DAY_MS)
        return ERR_OK;
    handle_lane(row->hash, lane);
    TRY(task_in_lane(u->core, u->t, lane, TASK_HANDLE_PACKAGES, &there));
    if (!there)
        TRY(task_in_lane(u->core, u->t, lane, TASK_HANDLE_ADD, &there));
    return there ? ERR_OK : handle_task(u->core, u->t, TASK_HANDLE_PACKAGES, row->hash, NULL);
}

struct err handle_upkeep(struct core *c, struct db_txn *t)
{
    struct upkeep u = {c, t};
    return handle_each(c, t, look_at, &u);
}

struct err handle_version(const struct handle_row *row, uint32_t *ret_version)
{
    struct key_set set;
    TRY(key_set_parse(buf_view(&row->key_set), &set));
    *ret_version = set.version;
    return ERR_OK;
}
