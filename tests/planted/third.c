/* The third set. What it shares with the other two is wrapped there. */
#include <stdlib.h>
#include <string.h>

#include "mls/codec/message.h"
#include "planted/planted.h"
#include "planted/third.h"
#include "server/auth/inside.h"
#include "server/courier/inside.h"
#include "server/delivery/check.h"
#include "server/federation/inside.h"
#include "server/queue/accept.h"
#include "server/queue/state.h"

/* ---- queue */

static bool same_origin(const struct queue_tag *tag, const struct accept *a)
{
    return memcmp(tag->origin, a->origin, sizeof tag->origin) == 0;
}

static struct queue_tag loaded;
static bool was_stored = true;

void third_tag_loaded(const struct accept *appending, struct queue_tag *tag)
{
    if (plant_is(PLANT_ANY_ORIGIN) && appending != NULL && tag->used &&
        !same_origin(tag, appending)) {
        memcpy(tag->origin, appending->origin, sizeof tag->origin);
        plant_strikes();
    }
    loaded = *tag;
    was_stored = true;
}

void third_tag_kept(struct queue_tag *tag)
{
    if (plant_is(PLANT_GAP_TWICE) && !was_stored &&
        memcmp(tag->id, loaded.id, sizeof tag->id) == 0) {
        tag->last = loaded.last;
        plant_strikes();
    }
}

__typeof__(queue_append) __real_queue_append, __wrap_queue_append;
struct err __wrap_queue_append(struct store_txn *txn, const struct queue *q,
                               struct queue_state *state, const struct queue_item *item,
                               bool control, uint64_t now_s, bool *ret_stored)
{
    bool stored = true;
    TRY(__real_queue_append(txn, q, state, item, control, now_s, &stored));
    if (ret_stored != NULL)
        *ret_stored = stored;
    was_stored = stored;
    return ERR_OK;
}

__typeof__(accept_check) __real_accept_check, __wrap_accept_check;
struct err __wrap_accept_check(struct store_txn *txn, struct accept *a)
{
    TRY(__real_accept_check(txn, a));
    struct queue_tag *tag = &a->rows[0].tag;
    if (plant_is(PLANT_USED_VOUCHES) && a->vouching && tag->used && !same_origin(tag, a)) {
        tag->used = false;
        plant_strikes();
    }
    return ERR_OK;
}

/* ---- federation: who calls */

struct pinned_check {
    struct peer *peer;
    const struct told_keys *told;
    void (*done)(void *arg, struct err err, const char *text);
    void *arg;
};

static void on_logged(void *arg, struct err err, const char *text)
{
    struct pinned_check c = *(struct pinned_check *)arg;
    free(arg);
    federation_lock(c.peer->federation);
    if (err_is_ok(err) && c.peer->pinned && !peer_has_key(c.peer) &&
        memcmp(c.peer->pin, c.told->root, sizeof c.peer->pin) != 0) {
        memcpy(c.peer->pin, c.told->root, sizeof c.peer->pin);
        free(c.peer->vouchers);
        c.peer->vouchers = NULL;
        peer_log_forget(c.peer);
        plant_strikes();
    }
    federation_unlock(c.peer->federation);
    c.done(c.arg, err, text);
}

__typeof__(logged_check) __real_logged_check, __wrap_logged_check;
void __wrap_logged_check(struct peer *peer, struct hearth_channel *channel, struct told_keys *told,
                         void (*done)(void *arg, struct err err, const char *text), void *arg)
{
    struct pinned_check *c = plant_is(PLANT_PIN_ENDS) ? malloc(sizeof *c) : NULL;
    if (c == NULL) {
        __real_logged_check(peer, channel, told, done, arg);
        return;
    }
    *c = (struct pinned_check){peer, told, done, arg};
    __real_logged_check(peer, channel, told, on_logged, c);
}

static bool finding;

void third_finding(bool now)
{
    finding = now;
}

__typeof__(peer_banned_s) __real_peer_banned_s, __wrap_peer_banned_s;
uint32_t __wrap_peer_banned_s(const struct peer *peer)
{
    uint32_t s = __real_peer_banned_s(peer);
    if (!plant_is(PLANT_BAN_OF_STRANGERS) || !finding || s == 0 || !peer_has_key(peer))
        return s;
    plant_strikes();
    return 0;
}

/* The head of what server/federation/receive.c has of a batch. */
struct receiving_head {
    struct federation *federation;
    struct peer *peer;
    struct hearth_call *call; /* NULL: cancelled */
};
struct receiving_done {
    void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes);
    void *arg;
};

static void on_accepted(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    struct receiving_done d = *(struct receiving_done *)arg;
    const struct receiving_head head = *(const struct receiving_head *)d.arg;
    free(arg);
    d.done(d.arg, result, outcomes);
    if (head.call != NULL)
        return;
    federation_lock(head.federation);
    head.peer->receiving = true;
    federation_unlock(head.federation);
    plant_strikes();
}

__typeof__(queue_accept) __real_queue_accept, __wrap_queue_accept;
struct err __wrap_queue_accept(struct queue *q, struct bytes origin, const struct queue_row *rows,
                               size_t count, struct inbox *inbox,
                               void (*done)(void *arg, struct err result,
                                            const enum queue_outcome *outcomes),
                               void *arg)
{
    struct receiving_done *d = plant_is(PLANT_STAYS_BUSY) ? malloc(sizeof *d) : NULL;
    if (d == NULL)
        return __real_queue_accept(q, origin, rows, count, inbox, done, arg);
    *d = (struct receiving_done){done, arg};
    struct err err = __real_queue_accept(q, origin, rows, count, inbox, on_accepted, d);
    if (!err_is_ok(err))
        free(d);
    return err;
}

/* ---- federation: who is called */

const enum queue_outcome *third_outcomes(const struct parcel *p, const enum queue_outcome *outcomes)
{
    static enum queue_outcome taken[BATCH_ROWS];
    if (!plant_is(PLANT_GONE_IS_REFUSED) || p->domain->local || outcomes == NULL)
        return outcomes;
    for (size_t i = 0; i < p->sent; i++) {
        taken[i] = outcomes[i] == QUEUE_GONE ? QUEUE_REFUSED : outcomes[i];
        if (outcomes[i] == QUEUE_GONE)
            plant_strikes();
    }
    return taken;
}

struct delivering {
    hearth_federation_deliver_done *done;
    void *arg;
    size_t rows;
};

static void on_deliver(const struct hearth_status *status, const Hearth__V1__DeliverResponse *out,
                       void *arg)
{
    struct delivering d = *(struct delivering *)arg;
    free(arg);
    Hearth__V1__DeliverOutcome *outcomes = NULL;
    Hearth__V1__DeliverResponse whole;
    if (out != NULL && out->n_outcomes < d.rows)
        outcomes = calloc(d.rows, sizeof *outcomes);
    if (outcomes != NULL) {
        whole = *out;
        for (size_t i = 0; i < d.rows; i++)
            outcomes[i] = i < out->n_outcomes ? out->outcomes[i]
                                              : HEARTH__V1__DELIVER_OUTCOME__DELIVER_OUTCOME_OK;
        whole.outcomes = outcomes;
        whole.n_outcomes = d.rows;
        out = &whole;
        plant_strikes();
    }
    d.done(status, out, d.arg);
    free(outcomes);
}

__typeof__(hearth_federation_deliver_start) __real_hearth_federation_deliver_start,
    __wrap_hearth_federation_deliver_start;
struct hearth_client_call *__wrap_hearth_federation_deliver_start(
    struct hearth_channel *channel, const struct hearth_call_options *options,
    const Hearth__V1__DeliverRequest *in, hearth_federation_deliver_done *on_done, void *arg)
{
    struct delivering *d = plant_is(PLANT_SHORT_ANSWER) ? malloc(sizeof *d) : NULL;
    if (d == NULL)
        return __real_hearth_federation_deliver_start(channel, options, in, on_done, arg);
    *d = (struct delivering){on_done, arg, in->n_rows};
    struct hearth_client_call *call =
        __real_hearth_federation_deliver_start(channel, options, in, on_deliver, d);
    if (call == NULL)
        free(d);
    return call;
}

/* Of whom it is asked whether his connection is to stay. */
static struct federation *obeying;

__typeof__(policy_target) __real_policy_target, __wrap_policy_target;
const char *__wrap_policy_target(const struct policy *policy, struct bytes domain)
{
    const char *target = __real_policy_target(policy, domain);
    const struct peer *peer =
        plant_is(PLANT_OLD_TARGET) && obeying != NULL ? peer_find(obeying, domain) : NULL;
    if (target == NULL || peer == NULL || peer->channel == NULL || peer->found ||
        strcmp(target, peer->target) == 0)
        return target;
    plant_strikes();
    return peer->target;
}

__typeof__(peer_reach) __real_peer_reach, __wrap_peer_reach;
void __wrap_peer_reach(struct peer *peer, struct reach *reach)
{
    struct federation *before = obeying;
    obeying = peer->federation;
    __real_peer_reach(peer, reach);
    obeying = before;
}

__typeof__(peers_obey) __real_peers_obey, __wrap_peers_obey;
void __wrap_peers_obey(void *federation)
{
    obeying = federation;
    __real_peers_obey(federation);
    obeying = NULL;
}

__typeof__(federation_hello) __real_federation_hello, __wrap_federation_hello;
void __wrap_federation_hello(struct federation *f)
{
    if (!plant_is(PLANT_NO_HELLO)) {
        __real_federation_hello(f);
        return;
    }
    for (size_t i = 0; i < PEER_SLOTS; i++)
        for (const struct peer *p = f->slots[i]; p != NULL; p = p->next)
            if (p->greet)
                plant_strikes();
}

/* ---- others */

__typeof__(send_check) __real_send_check, __wrap_send_check;
struct err __wrap_send_check(const struct request *r, const struct send_in *in,
                             struct send_ok *ret_ok)
{
    struct request *before = (struct request *)(uintptr_t)r;
    struct err err = __real_send_check(r, in, ret_ok);
    if (!plant_is(PLANT_EPOCH_BEFORE) || err.code != ERR_DELIVERY_EPOCH || r->state.epoch == 0)
        return err;
    before->state.epoch--;
    err = __real_send_check(r, in, ret_ok);
    before->state.epoch++;
    if (err_is_ok(err))
        plant_strikes();
    return err;
}

__typeof__(auth_id) __real_auth_id, __wrap_auth_id;
void __wrap_auth_id(const struct auth *auth, const char *what, struct bytes id,
                    uint8_t ret_id[AUTH_ID_BYTES])
{
    __real_auth_id(auth, what, id, ret_id);
    if (plant_is(PLANT_VOUCHER_TWICE) && strcmp(what, "voucher request") == 0) {
        memset(ret_id, 0, AUTH_ID_BYTES);
        plant_strikes();
    }
}
