/* The courier as it runs in hearthd: a loop of its own, a store with threads, writers on other
 * threads; for the thread sanitizer, and to see that it comes to its end. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "net/loop.h"
#include "server/courier/courier.h"
#include "server/courier/outbox_rows.h"
#include "store/store.h"
#include "support/courier/accept_steps.h"
#include "support/store_dir.h"
#include "support/test.h"

enum { WRITERS = 3, MESSAGES = 150, REFS = 6, ALL = WRITERS * MESSAGES * REFS };

static const struct stmt_row statements[] = {OUTBOX_STATEMENTS};
static const struct store_migration migrations[] = {{1, OUTBOX_SQL}};
static const struct store_schema schema = {migrations, 1, statements, OUTBOX_STATEMENT_COUNT};
static const uint8_t key[32] = {1}, ids[32] = {2};
static const struct outbox outbox = {0, key, ids, &rng_system, &clock_system};

static struct hearth_loop *loop;
static struct inbox *inbox;
static struct store *store;
static struct courier *courier;
static atomic_uint taken;
static uint64_t last[2][WRITERS * REFS]; /* on the loop's thread only */
static unsigned later;

struct err front_inbox(struct front *front, struct hearth_loop *of, struct inbox **ret_inbox)
{
    (void)front;
    (void)of;
    *ret_inbox = inbox;
    return ERR_OK;
}

static bool post(void *self, void (*fn)(void *arg), void *arg)
{
    return hearth_loop_post(self, fn, arg);
}

struct answer {
    enum queue_outcome outcomes[BATCH_ROWS];
    void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes);
    void *arg;
};

static void give(void *arg)
{
    struct answer *a = arg;
    a->done(a->arg, ERR_OK, a->outcomes);
    free(a);
}

static enum queue_outcome take(int place, struct bytes ref, uint64_t sequence)
{
    uint32_t index;
    memcpy(&index, ref.data, sizeof index);
    assert_true(index < WRITERS * REFS);
    if (place == 1 && index == 1 && later < 2) {
        later++;
        return QUEUE_LATER;
    }
    assert_true(sequence > last[place][index]);
    last[place][index] = sequence;
    if (atomic_fetch_add(&taken, 1) + 1 == ALL)
        hearth_loop_stop(loop);
    return QUEUE_OK;
}

static struct answer *answer_new(void (*done)(void *, struct err, const enum queue_outcome *),
                                 void *arg)
{
    struct answer *a = calloc(1, sizeof *a);
    assert_non_null(a);
    a->done = done;
    a->arg = arg;
    return a;
}

/* After a "later" all of the reference, as destinations must. */
static void answer_row(struct answer *a, size_t i, int place, struct bytes ref, uint64_t sequence,
                       bool *stuck)
{
    bool first = ref.data[0] == 1 && place == 1;
    a->outcomes[i] = first && *stuck ? QUEUE_LATER : take(place, ref, sequence);
    if (first && a->outcomes[i] == QUEUE_LATER)
        *stuck = true;
}

struct err queue_accept(struct queue *queue, struct bytes origin, const struct queue_row *rows,
                        size_t count, struct inbox *to,
                        void (*done)(void *arg, struct err result,
                                     const enum queue_outcome *outcomes),
                        void *arg)
{
    struct answer *a = answer_new(done, arg);
    bool stuck = false;
    (void)queue;
    (void)origin;
    (void)to;
    for (size_t i = 0; i < count; i++)
        answer_row(a, i, 0, rows[i].sealed_ref, rows[i].sequence, &stuck);
    assert_true(hearth_loop_post(loop, give, a));
    return ERR_OK;
}

static struct hearth_loop *accept_steps_loop(void)
{
    return loop;
}

static struct err deliver(void *self, struct bytes domain, const struct courier_batch_row *rows,
                          size_t count, struct inbox *to,
                          void (*done)(void *arg, struct err result,
                                       const enum queue_outcome *outcomes),
                          void *arg)
{
    struct answer *a = answer_new(done, arg);
    bool stuck = false;
    (void)self;
    (void)to;
    assert_true(bytes_equal(domain, bytes_str("peer.test")));
    for (size_t i = 0; i < count; i++)
        answer_row(a, i, 1, rows[i].sealed_ref, rows[i].sequence, &stuck);
    assert_true(hearth_loop_post(loop, give, a));
    return ERR_OK;
}

struct writing {
    struct outbox_row rows[REFS];
    uint8_t refs[REFS][64];
};

static struct err put(struct store_txn *txn, void *arg)
{
    struct writing *w = arg;
    return outbox_add(txn, &outbox, bytes_str("a body"), w->rows, REFS);
}

static void *write_many(void *arg)
{
    struct writing w = {0};
    uint32_t writer = (uint32_t)(uintptr_t)arg;
    for (uint32_t i = 0; i < REFS; i++) {
        uint32_t index = writer * REFS + i;
        memcpy(w.refs[i], &index, sizeof index);
        w.rows[i] = (struct outbox_row){.domain = bytes_str(i % 2 == 0 ? "home.test" : "peer.test"),
                                        .sealed_ref = bytes_of(w.refs[i], sizeof w.refs[i])};
    }
    for (int i = 0; i < MESSAGES; i++) {
        assert_ok(store_call(store, put, &w));
        courier_wake(courier);
        if (i % 50 == 0)
            courier_contact(courier, bytes_str("peer.test"));
    }
    return NULL;
}

static void rows_of_many_threads_go_once_and_in_order(void **state)
{
    (void)state;
    struct store_dir dir;
    pthread_t writers[WRITERS];
    struct front_env env = {.domain = "home.test", .clock = &clock_system, .rng = &rng_system};
    store_dir_make_fast(&dir);
    loop = hearth_loop_new(NULL);
    assert_non_null(loop);
    assert_ok(inbox_new((struct store_post){post, loop}, &inbox));
    struct store_options options = {.path = dir.path, .schema = &schema};
    assert_ok(store_open(&options, NULL, &store));
    struct courier_options o = {
        .store = store, .outbox = outbox, .peers = {deliver, NULL}, .loop = loop};
    assert_ok(courier_new(&env, &o, &courier));
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_many, (void *)i), 0);
    hearth_loop_run(loop); /* until all were taken */
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_join(writers[i], NULL), 0);
    assert_int_equal(atomic_load(&taken), ALL);
    assert_int_equal(later, 2);
    courier_free(courier);
    store_close(store);
    for (int i = 0; i < 10; i++)
        loop_turn_now(loop); /* what was posted */
    inbox_free(inbox);
    hearth_loop_free(loop);
    store_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_of_many_threads_go_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
