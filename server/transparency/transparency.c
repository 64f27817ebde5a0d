#include "server/transparency/transparency.h"

#include <stdlib.h>

#include "server/transparency/service.h"

enum { EVERY_MS = 1000, HEARTBEAT_MS = 900000 };

static struct err run_start(struct store_txn *txn, void *arg)
{
    const struct transparency *t = arg;
    return kt_log_start(t->options.log, txn);
}

struct err transparency_open(struct front_env *env, const struct transparency_options *options,
                             struct transparency **ret_transparency)
{
    struct transparency *t = calloc(1, sizeof *t);
    if (t == NULL)
        return ERR(NO_MEMORY);
    atomic_init(&t->refs, 1);
    t->env = env;
    t->options = *options;
    if (t->options.every_ms == 0)
        t->options.every_ms = EVERY_MS;
    if (t->options.every_ms == TRANSPARENCY_AT_ONCE)
        t->options.every_ms = 0;
    if (t->options.heartbeat_ms == 0)
        t->options.heartbeat_ms = HEARTBEAT_MS;
    purse_key(options->log->ids_key, t->spent_key);
    struct store_options store = options->store;
    store.schema = &kt_schema;
    if (store.cache_kib == 0) {
        store.cache_kib = KT_CACHE_KIB;
        store.writer_cache_kib = KT_WRITER_CACHE_KIB;
    }
    if (store.checkpoint_bytes == 0)
        store.checkpoint_bytes = KT_CHECKPOINT_BYTES;
    struct err err = store_open(&store, NULL, &t->store);
    if (!err_is_ok(err)) {
        free(t);
        return err;
    }
    (void)pthread_mutex_init(&t->lock, NULL); /* on Linux these do not fail */
    (void)pthread_mutex_init(&t->ticks, NULL);
    sequencer_init(t);
    err = store_call(t->store, run_start, t);
    if (!err_is_ok(err)) {
        transparency_close(t);
        return err;
    }
    *ret_transparency = t;
    return ERR_OK;
}

struct err transparency_add(struct transparency *t, struct hearth_server *server)
{
    return hearth_server_add_transparency(server, &transparency_calls, t) ? ERR_OK : ERR(NO_MEMORY);
}

void transparency_ref(struct transparency *t)
{
    atomic_fetch_add(&t->refs, 1);
}

void transparency_unref(struct transparency *t)
{
    if (atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    sequencer_clear(t);
    (void)pthread_mutex_destroy(&t->lock);
    (void)pthread_mutex_destroy(&t->ticks);
    free(t);
}

/* Who waits is asked for once more, and so told that it is over by way of its inbox. */
void transparency_close(struct transparency *t)
{
    (void)pthread_mutex_lock(&t->lock);
    t->closing = true;
    (void)pthread_mutex_unlock(&t->lock);
    sequencer_stop(t);
    append_wake(t);
    store_close(t->store);
    transparency_unref(t);
}

struct store *transparency_store(struct transparency *t)
{
    return t->store;
}

/* ---- what is over */

enum { EXPIRE_MOST = 256 };

struct expiry {
    const struct transparency *t;
    bool more;
};

static struct err run_expire(struct store_txn *txn, void *arg)
{
    struct expiry *e = arg;
    const struct purse purse = purse_at(KT_PURSE, e->t->spent_key);
    const uint64_t now_ms = clock_unix_ms(e->t->env->clock);
    bool more = false;
    TRY(purse_expire(txn, &purse, front_limits(e->t->env->front), now_ms / 1000, EXPIRE_MOST,
                     &e->more));
    TRY(kt_log_erase(e->t->options.log, txn, now_ms, &more));
    e->more |= more;
    return ERR_OK;
}

bool transparency_expire(struct transparency *t)
{
    struct expiry e = {.t = t};
    return err_is_ok(store_call(t->store, run_expire, &e)) && e.more;
}

struct sweep {
    const struct transparency *t;
    bool more;
};

static struct err run_sweep_due(struct store_txn *txn, void *arg)
{
    struct sweep *s = arg;
    return kt_log_sweep_due(s->t->options.log, txn, KT_KEEP_MS, &s->more);
}

static struct err run_sweep(struct store_txn *txn, void *arg)
{
    struct sweep *s = arg;
    return kt_log_sweep(s->t->options.log, txn, KT_KEEP_MS, &s->more);
}

bool transparency_sweep(struct transparency *t)
{
    struct sweep s = {.t = t};
    return err_is_ok(store_call_read(t->store, run_sweep_due, &s)) && s.more &&
           err_is_ok(store_call(t->store, run_sweep, &s)) && s.more;
}

/* ---- epochs */

struct outside {
    const struct transparency *t;
    struct bytes note;
};

static struct err run_outside(struct store_txn *txn, void *arg)
{
    const struct outside *o = arg;
    return kt_log_check_outside(o->t->options.log, txn, o->note);
}

struct err transparency_check_outside(struct transparency *t, struct bytes note)
{
    struct outside o = {t, note};
    struct err err = store_call_read(t->store, run_outside, &o);
    transparency_judge(t, err);
    return err;
}

/* The first reason stays. */
static void hold(struct transparency *t, enum err_code why)
{
    unsigned none = ERR_NONE;
    (void)atomic_compare_exchange_strong(&t->held, &none, (unsigned)why);
}

void transparency_judge(struct transparency *t, struct err err)
{
    if (err.code == ERR_TLOG_SHRUNK || err.code == ERR_TLOG_FORK)
        hold(t, err.code);
}

void transparency_hold(struct transparency *t)
{
    hold(t, ERR_TLOG_HELD);
}

struct err transparency_held(const struct transparency *t)
{
    return (struct err){(enum err_code)atomic_load(&t->held)};
}

struct tick {
    const struct transparency *t;
    uint64_t now_ms;
    uint64_t epoch;
    bool now; /* whatever waits is taken in, however young the last epoch is */
    bool due;
};

/* Reading is enough to see that there is nothing to do: an idle log writes nothing. */
static struct err run_look(struct store_txn *txn, void *arg)
{
    struct tick *tick = arg;
    const struct transparency_options *options = &tick->t->options;
    bool is_signed;
    TRY(kt_log_due(options->log, txn, tick->now_ms, tick->now ? 0 : options->every_ms,
                   options->heartbeat_ms, &tick->due));
    TRY(kt_log_signed(txn, &is_signed));
    tick->due |= !is_signed;
    return ERR_OK;
}

static struct err run_close(struct store_txn *txn, void *arg)
{
    struct tick *tick = arg;
    const struct transparency_options *options = &tick->t->options;
    bool due;
    TRY(kt_log_due(options->log, txn, tick->now_ms, tick->now ? 0 : options->every_ms,
                   options->heartbeat_ms, &due));
    return due ? kt_log_close(options->log, txn, tick->now_ms, &tick->epoch) : ERR_OK;
}

static struct err run_sign(struct store_txn *txn, void *arg)
{
    const struct tick *tick = arg;
    return kt_log_sign(tick->t->options.log, txn);
}

static struct err tick_once(struct transparency *t, bool now, uint64_t *ret_epoch)
{
    struct tick tick = {.t = t, .now_ms = clock_unix_ms(t->env->clock), .now = now};
    TRY(transparency_held(t));
    TRY(store_call_read(t->store, run_look, &tick));
    if (!tick.due) {
        *ret_epoch = 0;
        return ERR_OK;
    }
    TRY(store_call(t->store, run_close, &tick));
    /* also when nothing was due: what a crash or a keeper that was gone left unsigned */
    struct err err = store_call(t->store, run_sign, &tick);
    transparency_judge(t, err);
    TRY(err);
    append_wake(t);
    *ret_epoch = tick.epoch;
    return ERR_OK;
}

static struct err tick_alone(struct transparency *t, bool now, uint64_t *ret_epoch)
{
    (void)pthread_mutex_lock(&t->ticks);
    struct err err = tick_once(t, now, ret_epoch);
    (void)pthread_mutex_unlock(&t->ticks);
    return err;
}

struct err transparency_tick(struct transparency *t, uint64_t *ret_epoch)
{
    return tick_alone(t, false, ret_epoch);
}

struct err transparency_tick_now(struct transparency *t, uint64_t *ret_epoch)
{
    return tick_alone(t, true, ret_epoch);
}

/* ---- the head */

struct head {
    const struct transparency *t;
    struct buf *note;
    uint64_t size, ms;
};

static struct err run_head(struct store_txn *txn, void *arg)
{
    struct head *h = arg;
    struct kt_log_at at;
    struct kt_source source = kt_log_source(h->t->options.log, txn, &at);
    struct log_entry entry;
    struct buf newest = BUF_INIT;
    struct err err = source.checkpoint(source.self, &newest, &h->size);
    buf_clear(&newest);
    TRY(err);
    TRY(source.entry(source.self, h->size - 1, &entry));
    h->ms = entry.timestamp;
    return kt_note(txn, h->size, h->note);
}

struct err transparency_head(struct transparency *t, struct buf *note, uint64_t *ret_size,
                             uint64_t *ret_ms)
{
    struct head head = {.t = t, .note = note};
    TRY(store_call_read(t->store, run_head, &head));
    *ret_size = head.size;
    *ret_ms = head.ms;
    return ERR_OK;
}
