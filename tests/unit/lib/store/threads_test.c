/* Several threads with a store and its threads: what TSan looks at, and what a loop relies on. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/rng.h"
#include "kit/store/store_kit.h"
#include "support/store_dir.h"
#include "support/test.h"

enum { LOOPS = 3, EACH = 400, SLOTS = 4096 };

/* A loop as small as can be: a list of functions to call, run by its thread. */
struct loop {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct {
        void (*fn)(void *arg);
        void *arg;
    } posted[SLOTS];
    unsigned first, last;
    unsigned refusals; /* the next so many posts fail, as without memory */
    unsigned posts;
    pthread_t thread;
    struct store *store;
    struct inbox *inbox;
    unsigned done, ok, read_ok, wrong_thread;
    uint64_t seed;
    struct kit_job jobs[EACH];
};

static bool loop_post(void *self, void (*fn)(void *arg), void *arg)
{
    struct loop *l = self;
    (void)pthread_mutex_lock(&l->lock);
    bool takes = l->refusals == 0;
    l->refusals -= !takes;
    if (takes) {
        l->posted[l->last % SLOTS].fn = fn;
        l->posted[l->last++ % SLOTS].arg = arg;
        l->posts++;
        (void)pthread_cond_signal(&l->wake);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return takes;
}

struct ticket {
    struct loop *loop;
    struct kit_job *job; /* NULL: a read */
    uint64_t items;
};

static void write_done(void *arg, struct err result);

static void read_done(void *arg, struct err result)
{
    struct ticket *t = arg;
    struct loop *l = t->loop;
    l->wrong_thread += !pthread_equal(pthread_self(), l->thread);
    l->done++;
    l->read_ok += err_is_ok(result);
    free(t);
}

static struct err run_write(struct store_txn *txn, void *arg)
{
    return kit_run(txn, ((struct ticket *)arg)->job);
}

static struct err run_read(struct store_txn *txn, void *arg)
{
    struct ticket *t = arg;
    TRY(kit_check(txn, &t->items)); /* one snapshot: never half a transaction */
    return t->job == NULL ? ERR_OK : kit_find(txn, t->job);
}

/* What was acknowledged is seen by the read that follows. */
static void write_done(void *arg, struct err result)
{
    struct ticket *t = arg;
    struct loop *l = t->loop;
    l->wrong_thread += !pthread_equal(pthread_self(), l->thread);
    l->done++;
    kit_done(t->job, result);
    l->ok += err_is_ok(result);
    if (!err_is_ok(result)) {
        free(t);
        return;
    }
    struct store_work work = {
        .principal = l->seed, .cost = 3, .run = run_read, .done = read_done, .arg = t};
    if (!err_is_ok(store_read(l->store, l->inbox, &work)))
        free(t);
}

static void ask(struct loop *l, unsigned i, struct rng_seeded *rng)
{
    struct ticket *t = calloc(1, sizeof *t);
    assert_non_null(t);
    l->jobs[i] = (struct kit_job){.number = l->seed * 100000 + i};
    l->jobs[i].fails = rng_seeded_next(rng) % 10 == 0;
    *t = (struct ticket){.loop = l, .job = &l->jobs[i]};
    struct store_work work = {
        .principal = l->seed, .cost = 2, .run = run_write, .done = write_done, .arg = t};
    if (!err_is_ok(store_submit(l->store, l->inbox, &work))) {
        free(t);
        l->done++;
    }
}

static bool run_posted(struct loop *l)
{
    (void)pthread_mutex_lock(&l->lock);
    bool some = l->first != l->last;
    void (*fn)(void *) = NULL;
    void *arg = NULL;
    if (some) {
        fn = l->posted[l->first % SLOTS].fn;
        arg = l->posted[l->first++ % SLOTS].arg;
    }
    (void)pthread_mutex_unlock(&l->lock);
    if (some)
        fn(arg);
    return some;
}

static void *loop_main(void *arg)
{
    struct loop *l = arg;
    struct rng_seeded rng;
    rng_seeded_init(&rng, l->seed);
    unsigned asked = 0;
    while (l->done < asked + l->ok || asked < EACH) {
        for (unsigned n = rng_seeded_next(&rng) % 30; n > 0 && asked < EACH; n--)
            ask(l, asked++, &rng);
        (void)pthread_mutex_lock(&l->lock);
        if (rng_seeded_next(&rng) % 20 == 0)
            l->refusals += 3;
        while (l->first == l->last && asked == EACH && l->done < asked + l->ok)
            (void)pthread_cond_wait(&l->wake, &l->lock);
        (void)pthread_mutex_unlock(&l->lock);
        while (run_posted(l))
            ;
    }
    return NULL;
}

static void loops_share_a_store(void **state)
{
    (void)state;
    struct store_dir dir;
    store_dir_make(&dir);
    struct store_options o = {.path = dir.path,
                              .schema = &kit_schema,
                              .readers = 2,
                              .checkpoint_bytes = 128 * 1024,
                              .log_keep_ms = 5000,
                              .log_idle_ms = 2};
    struct store *s;
    assert_ok(store_open(&o, NULL, &s));
    static struct loop loops[LOOPS];
    memset(loops, 0, sizeof loops);
    for (unsigned i = 0; i < LOOPS; i++) {
        struct loop *l = &loops[i];
        *l = (struct loop){.lock = PTHREAD_MUTEX_INITIALIZER,
                           .wake = PTHREAD_COND_INITIALIZER,
                           .store = s,
                           .seed = i + 1};
        assert_ok(inbox_new((struct store_post){loop_post, l}, &l->inbox));
        (void)pthread_mutex_lock(&l->lock);
        assert_int_equal(pthread_create(&l->thread, NULL, loop_main, l), 0);
        (void)pthread_mutex_unlock(&l->lock);
    }
    unsigned ok = 0, posts = 0, done = 0;
    for (unsigned i = 0; i < LOOPS; i++) {
        struct loop *l = &loops[i];
        (void)pthread_join(l->thread, NULL);
        assert_int_equal(l->wrong_thread, 0);
        assert_int_equal(l->done, EACH + l->ok);
        assert_int_equal(l->read_ok, l->ok);
        ok += l->ok;
        done += l->done;
        posts += l->posts;
    }
    struct store_stats stats = store_stats(s);
    assert_int_equal(stats.transactions, ok);
    assert_int_equal(stats.reads, ok);
    assert_true(stats.groups < ok); /* they share commits */
    assert_true(posts < done);      /* and wake-ups */
    uint64_t items;
    assert_ok(store_call_read(s, kit_check, &items));
    assert_int_equal(items, ok);
    store_close(s);
    for (unsigned i = 0; i < LOOPS; i++)
        inbox_free(loops[i].inbox);
    store_dir_remove(&dir);
}

/* ---- closing in the middle: everybody is told, once */

static atomic_uint told, told_ok;

static void count_told(void *arg, struct err result)
{
    kit_done(arg, result);
    told++;
    told_ok += err_is_ok(result);
}

static void closing_tells_everybody(void **state)
{
    (void)state;
    struct store_dir dir;
    store_dir_make(&dir);
    struct store_options o = {.path = dir.path, .schema = &kit_schema, .group_rows = 10};
    struct store *s;
    assert_ok(store_open(&o, NULL, &s));
    static struct kit_job jobs[EACH];
    memset(jobs, 0, sizeof jobs);
    told = told_ok = 0;
    unsigned accepted = 0;
    for (unsigned i = 0; i < EACH; i++) {
        jobs[i].number = i + 1;
        struct store_work work = {
            .principal = i, .cost = 2, .run = kit_run, .done = count_told, .arg = &jobs[i]};
        accepted += err_is_ok(store_submit(s, NULL, &work));
    }
    store_close(s);
    assert_int_equal(told, accepted);
    assert_ok(store_open(&o, NULL, &s));
    uint64_t items;
    assert_ok(store_call_read(s, kit_check, &items));
    assert_int_equal(items, told_ok);
    for (unsigned i = 0; i < EACH; i++)
        if (jobs[i].done && err_is_ok(jobs[i].result))
            assert_ok(store_call_read(s, kit_find, &jobs[i]));
    store_close(s);
    store_dir_remove(&dir);
}

/* ---- a loop that can't be woken: everybody is told all the same, when its inbox goes */

static bool never_posts(void *self, void (*fn)(void *arg), void *arg)
{
    (void)self;
    (void)fn;
    (void)arg;
    return false;
}

static void a_deaf_loop_loses_nothing(void **state)
{
    (void)state;
    struct store_dir dir;
    store_dir_make(&dir);
    struct store_options o = {.path = dir.path, .schema = &kit_schema};
    struct store *s;
    struct inbox *inbox;
    assert_ok(store_open(&o, NULL, &s));
    assert_ok(inbox_new((struct store_post){never_posts, NULL}, &inbox));
    static struct kit_job jobs[20];
    memset(jobs, 0, sizeof jobs);
    told = told_ok = 0;
    for (unsigned i = 0; i < 20; i++) {
        jobs[i].number = i + 1;
        struct store_work work = {
            .principal = i, .cost = 2, .run = kit_run, .done = count_told, .arg = &jobs[i]};
        assert_ok(store_submit(s, inbox, &work));
    }
    uint64_t items = 0;
    while (items < 20) {
        assert_ok(store_call_read(s, kit_check, &items));
        (void)usleep(10000); /* long enough for some tries to wake */
    }
    assert_int_equal(told, 0);
    store_close(s);
    inbox_free(inbox);
    inbox_free(NULL);
    assert_int_equal(told, 20);
    assert_int_equal(told_ok, 20);
    store_dir_remove(&dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_share_a_store),
        cmocka_unit_test(closing_tells_everybody),
        cmocka_unit_test(a_deaf_loop_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
