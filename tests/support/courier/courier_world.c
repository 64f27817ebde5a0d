#include "support/courier/courier_world.h"

#include <stdio.h>

#include "support/courier/accept_steps.h"
#include "support/failing.h"

static const struct stmt_row world_statements[] = {
    {"report", "INSERT INTO report (notice, why) VALUES ($1, $2)"},
    {"reports", "SELECT notice, why FROM report ORDER BY id"},
    {"rows", "SELECT (SELECT COUNT(*) FROM outbox_row), (SELECT COUNT(*) FROM outbox_payload), "
             "(SELECT COUNT(*) FROM outbox_body), (SELECT COUNT(*) FROM outbox_domain)"},
    {"rewind", "UPDATE outbox_number SET next = next - $1"},
    {"damage", "UPDATE outbox_row SET sealed = $1 WHERE id = (SELECT MIN(id) FROM outbox_row)"},
    OUTBOX_STATEMENTS,
};
static const struct store_migration world_migrations[] = {
    {1, "CREATE TABLE report (id INTEGER PRIMARY KEY, notice BLOB, why BIGINT);" OUTBOX_SQL},
};
static const struct store_schema world_schema = {
    world_migrations, 1, world_statements, sizeof world_statements / sizeof *world_statements};

static struct cworld *the_world; /* for what has no self: queue_accept, front_inbox */

static bool world_post(void *self, void (*fn)(void *arg), void *arg)
{
    return hearth_loop_post(self, fn, arg);
}

struct err front_inbox(struct front *front, struct hearth_loop *loop, struct inbox **ret_inbox)
{
    (void)front;
    (void)loop;
    *ret_inbox = the_world->inbox;
    return ERR_OK;
}

static void give_answer(void *arg)
{
    struct answer *a = arg;
    a->done(a->arg, a->result, a->outcomes);
    free(a);
}

static enum queue_outcome take(struct place *p, struct bytes ref, struct bytes payload,
                               uint64_t sequence)
{
    uint32_t index;
    assert_true(ref.len >= 64);
    memcpy(&index, ref.data, sizeof index);
    if (p->mood == SAYS_LATER || (p->later_ref != 0 && p->later_ref == index))
        return QUEUE_LATER;
    if (p->mood == SAYS_GONE)
        return QUEUE_GONE;
    if (p->mood == SAYS_REFUSED || (p->refused_ref != 0 && p->refused_ref == index))
        return QUEUE_REFUSED;
    if (sequence <= p->last[index]) {
        p->repeats++;
        return QUEUE_OK;
    }
    p->last[index] = sequence;
    assert_true(p->taken_count < TAKEN_MAX);
    struct taken *t = &p->taken[p->taken_count++];
    t->sequence = sequence;
    t->ref = index;
    memcpy(&t->message, payload.data, sizeof t->message);
    return QUEUE_OK;
}

static struct answer *answer_new(struct cworld *w, struct place *p, size_t count,
                                 void (*done)(void *, struct err, const enum queue_outcome *),
                                 void *arg)
{
    test_pause_failing();
    struct answer *a = calloc(1, sizeof *a);
    test_resume_failing();
    assert_non_null(a);
    *a = (struct answer){.w = w, .place = p, .count = count, .done = done, .arg = arg};
    assert_true(count >= 1 && count <= BATCH_ROWS);
    if (p->batches < 64)
        p->tried_us[p->batches] = w->fake.now_us;
    p->batches++;
    if (p->mood == FAILS)
        a->result = ERR(TIMEOUT);
    return a;
}

static struct err send_answer(struct answer *a)
{
    if (a->place->mood == HANGS) {
        a->next = a->w->hanging;
        a->w->hanging = a;
    } else if (a->place->at_once) {
        give_answer(a);
    } else {
        test_pause_failing();
        assert_true(hearth_loop_post(a->w->loop, give_answer, a));
        test_resume_failing();
    }
    return ERR_OK;
}

struct err queue_accept(struct queue *queue, struct bytes origin, const struct queue_row *rows,
                        size_t count, struct inbox *inbox,
                        void (*done)(void *arg, struct err result,
                                     const enum queue_outcome *outcomes),
                        void *arg)
{
    struct place *p = &the_world->places[0];
    (void)queue;
    (void)inbox;
    assert_true(bytes_equal(origin, bytes_str(p->name)));
    if (p->mood == WONT_START)
        return ERR(STORE_QUEUE_FULL);
    struct answer *a = answer_new(the_world, p, count, done, arg);
    for (size_t i = 0; i < count && p->mood != FAILS; i++)
        a->outcomes[i] = take(p, rows[i].sealed_ref, rows[i].payload, rows[i].sequence);
    return send_answer(a);
}

static struct hearth_loop *accept_steps_loop(void)
{
    return the_world->loop;
}

static struct err peer_deliver(
    void *self, struct bytes domain, const struct courier_batch_row *rows, size_t count,
    struct inbox *inbox,
    void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes), void *arg)
{
    struct cworld *w = self;
    (void)inbox;
    for (size_t p = 1; p < w->place_count; p++) {
        struct place *place = &w->places[p];
        if (!bytes_equal(domain, bytes_str(place->name)))
            continue;
        if (place->mood == WONT_START)
            return ERR(NO_MEMORY);
        struct answer *a = answer_new(w, place, count, done, arg);
        for (size_t i = 0; i < count && place->mood != FAILS; i++)
            a->outcomes[i] = take(place, rows[i].sealed_ref, rows[i].payload, rows[i].sequence);
        return send_answer(a);
    }
    fail_msg("delivery to a domain nobody wrote to");
    return ERR_OK;
}

void release_hanging(struct cworld *w, struct err result)
{
    while (w->hanging != NULL) {
        struct answer *a = w->hanging;
        w->hanging = a->next;
        a->result = result;
        give_answer(a);
    }
}

static struct err on_refused(struct store_txn *txn, void *self, const uint8_t notice[16],
                             enum queue_outcome why)
{
    struct cworld *w = self;
    if (w->refuse_reports)
        return ERR(CANCELLED);
    struct stmt *s = stmt_use(txn, S_REPORT);
    stmt_bind_blob(s, 1, bytes_of(notice, 16));
    stmt_bind_u64(s, 2, why);
    return stmt_run(s, NULL);
}

void world_open(struct cworld *w)
{
    struct store_options o = {.path = "delivery.db",
                              .files = "courier-world",
                              .schema = &world_schema,
                              .clock = &w->clock,
                              .mode = STORE_INLINE,
                              .no_check = true};
    const char *bad = NULL;
    assert_ok(inbox_new((struct store_post){world_post, w->loop}, &w->inbox));
    assert_ok(store_open(&o, &bad, &w->store));
    struct courier_options options = {.store = w->store,
                                      .outbox = w->outbox,
                                      .peers = {w->no_peers ? NULL : peer_deliver, w},
                                      .loop = w->loop,
                                      .refused = on_refused,
                                      .refused_self = w,
                                      .backlog_rows = w->backlog_rows};
    assert_ok(courier_new(&w->env, &options, &w->courier));
}

void world_new(struct cworld *w, uint64_t seed)
{
    *w = (struct cworld){.fake = {.now_us = 1000000, .unix_base_ms = 1800000000000}};
    the_world = w;
    w->clock = clock_of_fake(&w->fake);
    rng_seeded_init(&w->seeded, seed);
    w->rng = rng_of_seeded(&w->seeded);
    w->loop = loop_new_stepped(&w->fake, &w->rng);
    w->vfs = vfs_fault_new("courier-world");
    w->places = calloc(PLACES, sizeof *w->places);
    assert_non_null(w->places);
    w->place_count = 1;
    (void)snprintf(w->places[0].name, sizeof w->places[0].name, "home.test");
    w->env = (struct front_env){.domain = "home.test", .clock = &w->clock, .rng = &w->rng};
    memset(w->key, 1, sizeof w->key);
    memset(w->ids, 2, sizeof w->ids);
    w->outbox = (struct outbox){S_OUTBOX, w->key, w->ids, &w->rng, &w->clock};
}

size_t world_peer(struct cworld *w, const char *name)
{
    assert_true(w->place_count < PLACES);
    (void)snprintf(w->places[w->place_count].name, sizeof w->places[0].name, "%s", name);
    return w->place_count++;
}

void world_settle(struct cworld *w)
{
    while (loop_step(w->loop) | (int)store_turn(w->store))
        ;
}

void world_run_ms(struct cworld *w, uint64_t ms)
{
    uint64_t until_us = w->fake.now_us + ms * 1000;
    for (;;) {
        world_settle(w);
        uint64_t due_us = timers_next_due_us(&w->loop->env.timers);
        if (due_us > until_us)
            break;
        if (due_us > w->fake.now_us)
            w->fake.now_us = due_us;
    }
    w->fake.now_us = until_us;
    world_settle(w);
}

/* As kill -9 would: what the store had not made durable never was. */
void world_kill(struct cworld *w, bool power, uint64_t seed)
{
    courier_free(w->courier);
    vfs_power_off_after(w->vfs, 0); /* nothing is written from here on */
    release_hanging(w, ERR(CANCELLED));
    store_close(w->store);
    while (loop_step(w->loop))
        ;
    inbox_free(w->inbox);
    w->courier = NULL;
    w->store = NULL;
    if (power)
        vfs_power_on(w->vfs, seed);
    else
        vfs_restart(w->vfs);
}

void world_close(struct cworld *w)
{
    courier_free(w->courier);
    release_hanging(w, ERR(CANCELLED));
    store_close(w->store);
    while (loop_step(w->loop))
        ;
    inbox_free(w->inbox);
    hearth_loop_free(w->loop);
    vfs_fault_free(w->vfs);
    free(w->places);
}

void putting_to(struct putting *p, size_t place, uint32_t ref, bool control, uint8_t notice)
{
    uint8_t *bytes = p->refs[p->count];
    memset(bytes, 0x5a, 80);
    memcpy(bytes, &ref, sizeof ref);
    bytes[8] = (uint8_t)place;
    struct outbox_row *row = &p->rows[p->count++];
    *row = (struct outbox_row){.domain = bytes_str(p->w->places[place].name),
                               .sealed_ref = bytes_of(bytes, 80),
                               .control = control};
    row->notice[0] = notice;
}

void putting_begin(struct putting *p, struct cworld *w)
{
    p->w = w;
    p->count = 0;
    uint32_t message = ++w->messages;
    p->body_len = sizeof p->body;
    memset(p->body, 0xb0, sizeof p->body);
    memcpy(p->body, &message, sizeof message);
}

static struct err run_put(struct store_txn *txn, void *arg)
{
    struct putting *p = arg;
    return outbox_add(txn, &p->w->outbox, bytes_of(p->body, p->body_len), p->rows, p->count);
}

bool putting_try(struct putting *p)
{
    bool durable = err_is_ok(store_call(p->w->store, run_put, p));
    courier_wake(p->w->courier);
    return durable;
}

void putting_end(struct putting *p)
{
    assert_true(putting_try(p));
}

void put_one(struct cworld *w, size_t place, uint32_t ref, bool control, uint8_t notice)
{
    static struct putting p;
    putting_begin(&p, w);
    putting_to(&p, place, ref, control, notice);
    putting_end(&p);
}

static struct err map_left(struct stmt *row, void *arg)
{
    struct left *l = arg;
    *l = (struct left){stmt_u64(row, 0), stmt_u64(row, 1), stmt_u64(row, 2), stmt_u64(row, 3)};
    return stmt_row_check(row);
}

static struct err run_left(struct store_txn *txn, void *arg)
{
    return stmt_first(stmt_use(txn, S_ROWS), map_left, arg);
}

struct left world_left(struct cworld *w)
{
    struct left l = {0};
    assert_ok(store_call_read(w->store, run_left, &l));
    return l;
}

static struct err map_report(struct stmt *row, void *arg)
{
    struct reports *r = arg;
    struct bytes notice = stmt_blob(row, 0);
    assert_true(r->count < REPORTS_MAX && notice.len == 16);
    r->at[r->count].notice = notice.data[0];
    r->at[r->count++].why = stmt_u64(row, 1);
    return stmt_row_check(row);
}

static struct err run_reports(struct store_txn *txn, void *arg)
{
    return stmt_each(stmt_use(txn, S_REPORTS), map_report, arg);
}

void world_reports(struct cworld *w, struct reports *ret_reports)
{
    *ret_reports = (struct reports){0};
    assert_ok(store_call_read(w->store, run_reports, ret_reports));
}

/* Every reference took the messages in the order of their numbers, each once; how many in all. */
size_t place_check(const struct place *p)
{
    uint32_t message[REFS] = {0};
    uint64_t sequence[REFS] = {0};
    for (size_t i = 0; i < p->taken_count; i++) {
        const struct taken *t = &p->taken[i];
        assert_true(t->message > message[t->ref] && t->sequence > sequence[t->ref]);
        message[t->ref] = t->message;
        sequence[t->ref] = t->sequence;
    }
    return p->taken_count;
}
