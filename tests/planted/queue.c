#include <stdlib.h>
#include <string.h>

#include "planted/planted.h"
#include "planted/third.h"
#include "server/queue/accept.h"
#include "server/queue/job.h"
#include "server/queue/package.h"
#include "server/queue/state.h"
#include "server/queue/tag.h"

static const struct accept *appending_rows; /* the batch whose rows are being appended */

/* ---- cursors */

enum { CURSORS = 4096 };

/* What would be in the memory of the processes, by their queue services. */
static struct cursor {
    const struct queue *q;
    uint64_t client;
    struct queue_tag tag;
} cursors[CURSORS];
static size_t cursor_count;

static struct cursor *cursor_of(const struct queue *q, uint64_t client,
                                const uint8_t id[QUEUE_PRF_BYTES])
{
    for (size_t i = 0; i < cursor_count; i++)
        if (cursors[i].q == q && cursors[i].client == client &&
            memcmp(cursors[i].tag.id, id, QUEUE_PRF_BYTES) == 0)
            return &cursors[i];
    return NULL;
}

__typeof__(queue_open) __real_queue_open, __wrap_queue_open;
struct err __wrap_queue_open(struct front_env *env, const struct queue_options *options,
                             struct queue **ret_queue)
{
    struct err err = __real_queue_open(env, options, ret_queue);
    for (size_t i = 0; err_is_ok(err) && i < cursor_count; i++)
        if (cursors[i].q == *ret_queue)
            cursors[i].q = NULL; /* another life at the same address */
    return err;
}

__typeof__(queue_close) __real_queue_close, __wrap_queue_close;
void __wrap_queue_close(struct queue *q)
{
    for (size_t i = 0; i < cursor_count; i++)
        if (cursors[i].q == q)
            cursors[i].q = NULL;
    __real_queue_close(q);
}

__typeof__(queue_tag_get) __real_queue_tag_get, __wrap_queue_tag_get;
struct err __wrap_queue_tag_get(struct store_txn *txn, const struct queue *q, uint64_t client,
                                const uint8_t id[QUEUE_PRF_BYTES], struct queue_tag *ret_tag)
{
    TRY(__real_queue_tag_get(txn, q, client, id, ret_tag));
    const struct cursor *c = plant_is(PLANT_CURSOR_IN_MEMORY) ? cursor_of(q, client, id) : NULL;
    if (c != NULL && ret_tag->used)
        ret_tag->last = c->tag.last;
    third_tag_loaded(appending_rows, ret_tag);
    return ERR_OK;
}

__typeof__(queue_tag_set) __real_queue_tag_set, __wrap_queue_tag_set;
struct err __wrap_queue_tag_set(struct store_txn *txn, const struct queue *q, uint64_t client,
                                struct queue_tag *tag, uint64_t now_s)
{
    struct queue_tag other = *tag;
    third_tag_kept(&other);
    if (plant_is(PLANT_CURSOR_OFF_BY_ONE) && other.used) {
        other.last--;
    } else if (plant_is(PLANT_CURSOR_IN_MEMORY) && other.used) {
        struct cursor *c = cursor_of(q, client, tag->id);
        if (c == NULL && cursor_count < CURSORS)
            c = &cursors[cursor_count++];
        if (c != NULL) {
            *c = (struct cursor){q, client, *tag};
            other.last = 0; /* the row says that it is used, and no more */
        }
    }
    struct err err = __real_queue_tag_set(txn, q, client, &other, now_s);
    tag->stored = other.stored;
    return err;
}

/* ---- items and KeyPackages */

__typeof__(queue_acknowledge) __real_queue_acknowledge, __wrap_queue_acknowledge;
struct err __wrap_queue_acknowledge(struct store_txn *txn, const struct queue *q,
                                    struct queue_state *state, uint64_t up_to,
                                    uint64_t delivered_end, uint64_t now_s, bool *ret_changed,
                                    bool *ret_more)
{
    uint64_t most = state->delivered_end > delivered_end ? state->delivered_end : delivered_end;
    if (plant_is(PLANT_ACK_TOO_FAR) && up_to != 0 && up_to + 1 < most) {
        up_to++;
        plant_strikes();
    }
    return __real_queue_acknowledge(txn, q, state, up_to, delivered_end, now_s, ret_changed,
                                    ret_more);
}

__typeof__(package_take) __real_package_take, __wrap_package_take;
struct err __wrap_package_take(struct store_txn *txn, const struct queue *q, uint64_t client,
                               uint64_t now_s, struct buf *b, struct package *ret_package)
{
    TRY(__real_package_take(txn, q, client, now_s, b, ret_package));
    bool stays = plant_is(PLANT_PACKAGE_TWICE);
    if (plant_is(PLANT_LAST_PACKAGE_STAYS)) {
        uint64_t left;
        TRY(package_count(txn, client, now_s, &left));
        stays = left == 0;
        if (stays)
            plant_strikes();
    }
    return stays ? package_add(txn, q, ret_package) : ERR_OK;
}

/* ---- what is answered */

/* A write of the queue service, and the batch whose rows were appended in it. */
struct appending {
    struct store_work work;
    const struct accept *accept;
};
static struct appending *running;

__typeof__(accept_append) __real_accept_append, __wrap_accept_append;
struct err __wrap_accept_append(struct store_txn *txn, struct accept *a)
{
    appending_rows = a;
    struct err err = __real_accept_append(txn, a);
    appending_rows = NULL;
    TRY(err);
    if (running != NULL)
        running->accept = a;
    return ERR_OK;
}

static struct err run_appending(struct store_txn *txn, void *arg)
{
    struct appending *w = arg;
    running = w;
    struct err err = w->work.run(txn, w->work.arg);
    running = NULL;
    return err;
}

static void on_appended(void *arg, struct err result)
{
    struct appending w = *(struct appending *)arg;
    free(arg);
    if (w.accept != NULL && !err_is_ok(result)) {
        plant_strikes();
        result = ERR_OK;
    }
    w.work.done(w.work.arg, result);
}

__typeof__(queue_write) __real_queue_write, __wrap_queue_write;
struct err __wrap_queue_write(struct queue *q, struct inbox *inbox, const struct store_work *work)
{
    if (!plant_is(PLANT_UNCOMMITTED_OK) || work->done == NULL)
        return __real_queue_write(q, inbox, work);
    struct appending *w = malloc(sizeof *w);
    if (w == NULL)
        return ERR(NO_MEMORY);
    *w = (struct appending){.work = *work};
    struct store_work wrapped = *work;
    wrapped.run = run_appending;
    wrapped.done = on_appended;
    wrapped.arg = w;
    struct err err = __real_queue_write(q, inbox, &wrapped);
    if (!err_is_ok(err))
        free(w);
    return err;
}
