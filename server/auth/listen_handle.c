/* ListenHandle: offers of a handle in order as they come; acknowledged ones are deleted. What is to
 * be sent is asked of the store each time, so nothing can be missed: a wake-up only says "look". An
 * offer that nobody fetched within OFFER_DAYS leaves a gap in the numbers. */
#include <stdlib.h>

#include "server/auth/listener.h"
#include "wire/reader.h"

enum { LOOK_MS = 1000 };

void auth_listener_ref(struct listener *l)
{
    atomic_fetch_add(&l->refs, 1);
}

void auth_listener_unref(struct listener *l)
{
    if (atomic_fetch_sub(&l->refs, 1) != 1)
        return;
    struct auth *auth = l->auth;
    buf_clear(&l->read.plain);
    free(l);
    auth_unref(auth);
}

static void fail(struct listener *l, struct err err)
{
    if (!l->over)
        (void)front_fail(l->call, err);
}

/* ---- acknowledgements: one work at a time, the next takes all that came meanwhile */

static struct err delete_acked(struct store_txn *txn, void *arg)
{
    const struct listener *l = arg;
    struct stmt *s = stmt_use(txn, OFFER_ACK);
    stmt_bind_blob(s, 1, bytes_of(l->handle, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, l->acking_to);
    return stmt_run(s, NULL);
}

static void ack(struct listener *l);

static void acked(void *arg, struct err result)
{
    struct listener *l = arg;
    l->acking = false;
    if (err_is_ok(result)) {
        l->acked = l->acking_to;
        ack(l);
    } else if (!err_retry(result)) {
        fail(l, result);
    } /* else at the next look */
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): counts no references; this one is the work's */
    auth_listener_unref(l);
}

static void ack(struct listener *l)
{
    if (l->acking || l->ack_wanted <= l->acked)
        return;
    l->acking_to = l->ack_wanted;
    const struct store_work work = {
        .principal = l->principal,
        .cost = 2,
        .frees = true,
        .run = delete_acked,
        .done = acked,
        .arg = l,
    };
    auth_listener_ref(l);
    if (err_is_ok(auth_write(l->auth, l->inbox, &work)))
        l->acking = true;
    else
        auth_listener_unref(l);
}

/* ---- offers: one read at a time, of one offer */

static struct err map_offer(struct stmt *row, void *arg)
{
    struct listener *l = arg;
    uint8_t place[HANDLE_PLACE_BYTES];
    struct bytes sealed = stmt_blob(row, 0);
    uint64_t number = stmt_u64(row, 1);
    TRY(stmt_row_check(row));
    handle_place(l->handle, number, place);
    TRY(auth_unseal(l->auth, "offer", bytes_of(place, sizeof place), sealed, &l->read.plain));
    l->read.number = number;
    return ERR_OK;
}

/* Whoever had the key before must not listen on when the handle has got another (RotateHandle). */
static struct err find_handle(struct store_txn *txn, struct listener *l)
{
    struct handle handle = {0};
    struct err err = handle_load(txn, l->auth, l->handle, l->read.now_s, &handle);
    l->read.gone = err.code == ERR_NOT_FOUND;
    if (!err_is_ok(err))
        return l->read.gone ? ERR_OK : err;
    if (!l->has_key)
        memcpy(l->key, handle.key, sizeof l->key);
    l->has_key = true;
    l->read.gone = memcmp(l->key, handle.key, sizeof l->key) != 0;
    handle_clear(&handle);
    return ERR_OK;
}

static struct err read_next(struct store_txn *txn, void *arg)
{
    struct listener *l = arg;
    TRY(find_handle(txn, l));
    if (l->read.gone)
        return ERR_OK;
    struct stmt *s = stmt_use(txn, OFFER_NEXT);
    stmt_bind_blob(s, 1, bytes_of(l->handle, AUTH_ID_BYTES));
    stmt_bind_u64(s, 2, l->read.after);
    struct err err = stmt_first(s, map_offer, l);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static void pump(struct listener *l);

static void send_offer(struct listener *l)
{
    Hearth__V1__ListenHandleResponse out;
    struct wire_reader r = wire_reader_of(buf_view(&l->read.plain));
    hearth__v1__listen_handle_response__init(&out);
    out.sequence = l->read.number;
    out.package_hash = auth_out(wire_read_fixed(&r, 32));
    out.offer = auth_out(wire_read_fixed(&r, wire_reader_left(&r)));
    if (!err_is_ok(wire_reader_end(&r))) {
        fail(l, ERR(STORE_CORRUPT));
        return;
    }
    l->sent = l->read.number;
    l->dirty = true; /* there may be more behind it */
    if (hearth_auth_listen_handle_write(l->call, &out) == 0)
        l->stalled = true;
}

static void read_done(void *arg, struct err result)
{
    struct listener *l = arg;
    l->reading = false;
    if (l->over) {
        auth_listener_unref(l);
        return;
    }
    if (!err_is_ok(result)) {
        l->dirty = true;
        if (!err_retry(result))
            fail(l, result);
    } else if (l->read.gone) {
        fail(l, ERR(NOT_FOUND));
    } else if (l->read.number != 0) {
        send_offer(l);
    } else {
        hearth_call_send_headers(l->call); /* nothing waits: who only looks by need not stay */
    }
    buf_clear(&l->read.plain);
    if (err_is_ok(result))
        pump(l);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): counts no references; this one is the read's */
    auth_listener_unref(l);
}

static void pump(struct listener *l)
{
    if (l->over || l->reading || l->stalled || !l->dirty)
        return;
    l->dirty = false;
    l->read.after = l->sent;
    l->read.number = 0;
    l->read.now_s = auth_now_s(l->auth);
    const struct store_work work = {
        .principal = l->principal,
        .cost = 1,
        .run = read_next,
        .done = read_done,
        .arg = l,
    };
    auth_listener_ref(l);
    if (err_is_ok(auth_read(l->auth, l->inbox, &work))) {
        l->reading = true;
    } else {
        l->dirty = true; /* tried again at the next look */
        auth_listener_unref(l);
    }
}

void auth_listener_wake(struct listener *l)
{
    l->dirty = true;
    pump(l);
}

void auth_listener_fence(struct listener *l)
{
    fail(l, ERR(AUTH_LISTENER_REPLACED));
}

static void look(void *arg)
{
    struct listener *l = arg;
    if (l->over)
        return;
    (void)hearth_timer_set(l->timer, LOOK_MS); /* set anew in its own fn: can't fail */
    if (!listeners_has(l->auth->listeners, l)) {
        auth_listener_fence(l);
        return;
    }
    ack(l);
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): counts no references; the call has one */
    auth_listener_wake(l);
}

static void on_writable(struct hearth_call *call, void *arg)
{
    struct listener *l = arg;
    (void)call;
    l->stalled = false;
    pump(l);
}

/* ---- the stream */

/* The call is over, whichever way. */
static void release(void *state)
{
    struct listener *l = state;
    l->over = true;
    listeners_drop(l->auth->listeners, l);
    hearth_timer_free(l->timer);
    l->timer = NULL;
    auth_listener_unref(l);
}

static struct err begin(struct auth *auth, struct hearth_call *call, struct bytes hash)
{
    struct listener *l = calloc(1, sizeof *l);
    if (l == NULL)
        return ERR(NO_MEMORY);
    atomic_init(&l->refs, 1);
    auth_ref(auth);
    l->auth = auth;
    l->call = call;
    l->loop = hearth_call_loop(call);
    l->principal = front_caller(call)->principal;
    struct err err = handle_caller(auth, call, hash, l->handle);
    if (err_is_ok(err))
        err = front_inbox(auth->env->front, l->loop, &l->inbox);
    if (err_is_ok(err)) {
        l->timer = hearth_timer_new(l->loop, look, l);
        if (l->timer == NULL || !hearth_timer_set(l->timer, LOOK_MS))
            err = ERR(NO_MEMORY);
    }
    if (!err_is_ok(err)) {
        hearth_timer_free(l->timer);
        auth_listener_unref(l);
        return err;
    }
    hearth_call_set_state(call, l, release);
    hearth_call_on_writable(call, on_writable, l);
    hearth_call_send_headers(call); /* the listener knows that it listens */
    listeners_put(auth->listeners, l);
    auth_listener_wake(l);
    return ERR_OK;
}

enum hearth_code auth_listen_handle(struct hearth_call *call,
                                    const Hearth__V1__ListenHandleRequest *in, void *self)
{
    struct auth *auth = self;
    struct listener *l = hearth_call_state(call);
    if (in == NULL)
        return HEARTH_OK;
    if (l == NULL && in->step_case == HEARTH__V1__LISTEN_HANDLE_REQUEST__STEP_START) {
        struct err err = begin(auth, call, auth_in(in->start->handle_hash));
        return err_is_ok(err) ? HEARTH_LATER : front_fail(call, err);
    }
    if (l == NULL || in->step_case != HEARTH__V1__LISTEN_HANDLE_REQUEST__STEP_ACK_UP_TO)
        return front_fail(call, ERR(ARGUMENT));
    /* Never beyond what was sent here (Q4). */
    uint64_t up_to = in->ack_up_to < l->sent ? in->ack_up_to : l->sent;
    if (up_to > l->ack_wanted)
        l->ack_wanted = up_to;
    ack(l);
    return HEARTH_LATER;
}
