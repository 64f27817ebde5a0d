#include "support/land/land.h"

#include <stdio.h>

#include "net/server.h"
#include "support/server/calm.h"

enum { S_REPORT, S_REPORTS, S_ROWS, S_OUTBOX };
static const struct stmt_row statements[] = {
    {"report", "INSERT INTO report (notice, why) VALUES ($1, $2)"},
    {"reports", "SELECT COUNT(*) FROM report WHERE why = $1"},
    {"rows", "SELECT COUNT(*) FROM outbox_row"},
    OUTBOX_STATEMENTS,
};
static const struct store_migration migrations[] = {
    {1, "CREATE TABLE report (id INTEGER PRIMARY KEY, notice BLOB, why BIGINT);" OUTBOX_SQL},
};
static const struct store_schema schema = {migrations, 1, statements,
                                           sizeof statements / sizeof *statements};

static size_t vouchers_of(void *self, struct info_voucher_key ret_keys[INFO_VOUCHER_KEYS_MOST])
{
    const struct land_home *h = self;
    memcpy(ret_keys, h->vouchers, h->voucher_count * sizeof *ret_keys);
    return h->voucher_count;
}

/* ---- life */

void land_init(struct land *l, uint64_t seed, size_t homes)
{
    memset(l, 0, sizeof *l); /* too large for a literal */
    l->fake = (struct clock_fake){.now_us = 1000000, .unix_base_ms = 1800000000000};
    l->home_count = homes;
    l->clock = clock_of_fake(&l->fake);
    rng_seeded_init(&l->seeded, seed);
    l->rng = rng_of_seeded(&l->seeded);
    l->loop = loop_new_stepped(&l->fake, &l->rng);
    assert_non_null(l->loop);
    ways_init(&l->ways, l->loop);
    for (size_t i = 0; i < homes; i++) {
        struct land_home *h = &l->homes[i];
        h->land = l;
        h->index = i;
        (void)snprintf(h->domain, sizeof h->domain, "%c.test", (char)('a' + i));
        (void)snprintf(h->pipe, sizeof h->pipe, "pipe:%c", (char)('a' + i));
        ways_add(&l->ways, h->pipe + strlen("pipe:"));
        (void)snprintf(h->vfs_name, sizeof h->vfs_name, "land-%c", (char)('a' + i));
        h->vfs = vfs_fault_new(h->vfs_name);
        h->env = (struct front_env){
            .domain = h->domain, .development = true, .clock = &l->clock, .rng = &l->rng};
        assert_ok(keeper_open(NULL, bytes_str(h->domain), &l->clock, &l->rng, &h->env.keeper));
        memset(h->key, 1 + (int)i, sizeof h->key);
        memset(h->ids, 101 + (int)i, sizeof h->ids);
        h->outbox = (struct outbox){S_OUTBOX, h->key, h->ids, &l->rng, &l->clock};
        h->settings = (struct federation_settings){
            .mode = FEDERATION_OPEN, .development = true, .peers = h->peers};
        for (size_t k = 0; k < homes; k++) {
            if (k == i)
                continue;
            char *text = h->peer_texts[h->settings.peer_count];
            (void)snprintf(text, sizeof h->peer_texts[0], "%c.test=pipe:%c@%c", (char)('a' + k),
                           (char)('a' + k), (char)('a' + i));
            h->peers[h->settings.peer_count++] = text;
        }
    }
}

static struct store_options files(struct land_home *h, const char *path)
{
    return (struct store_options){.path = path,
                                  .files = h->vfs_name,
                                  .clock = &h->land->clock,
                                  .mode = STORE_INLINE,
                                  .no_check = true};
}

static struct err on_refused(struct store_txn *txn, void *self, const uint8_t notice[16],
                             enum queue_outcome why)
{
    (void)self;
    struct stmt *s = stmt_use(txn, S_REPORT);
    stmt_bind_blob(s, 1, bytes_of(notice, 16));
    stmt_bind_u64(s, 2, why);
    return stmt_run(s, NULL);
}

static void contact(void *self, struct bytes domain)
{
    struct land_home *h = self;
    if (h->courier != NULL)
        courier_contact(h->courier, domain);
}

static const char *locate(void *self, const char *domain)
{
    struct land_home *h = self;
    for (size_t i = 0; i < LAND_HOMES; i++)
        if (h->peers[i] != NULL && strncmp(h->peers[i], domain, strlen(domain)) == 0)
            return strchr(h->peers[i], '=') + 1;
    return NULL;
}

static struct federation_settings settings_of(const struct land_home *h)
{
    struct federation_settings settings = h->settings;
    if (h->found)
        settings.peer_count = 0;
    return settings;
}

static void open_courier(struct land_home *h)
{
    const struct store_options stored = files(h, "outbox.db");
    struct store_options o = stored;
    const char *bad = NULL;
    char why[FEDERATION_WHY_BYTES];
    o.schema = &schema;
    assert_ok(store_open(&o, &bad, &h->store));
    const struct federation_options federation = {.store = files(h, "federation.db"),
                                                  .loop = h->land->loop,
                                                  .queue = h->queue,
                                                  .settings = settings_of(h),
                                                  .locate = locate,
                                                  .locate_self = h,
                                                  .contact = contact,
                                                  .contact_self = h};
    assert_ok(federation_open(&h->env, &federation, why, &h->federation));
    const struct courier_options courier = {
        .store = h->store,
        .outbox = h->outbox,
        .queue = h->queue,
        .peers = detour_route(&h->detour, federation_route(h->federation)),
        .loop = h->land->loop,
        .refused = on_refused,
        .backlog_rows = h->backlog_rows};
    assert_ok(courier_new(&h->env, &courier, &h->courier));
}

static void open_client_channel(struct land_home *h)
{
    char target[32];
    const struct hearth_channel_options channel = {.loop = h->land->loop, .attempts = 1};
    (void)snprintf(target, sizeof target, "%s@client", h->pipe);
    h->world.channel = hearth_channel_new(target, &channel);
    assert_non_null(h->world.channel);
}

void land_home_open(struct land_home *h)
{
    const struct front_options front = {0};
    assert_ok(calm_front_new(&h->env, &front, &h->front));
    if (!h->limits)
        limits_switch_off(front_limits(h->front));
    const struct queue_options queue = {.store = files(h, "queue.db")};
    assert_ok(queue_open(&h->env, &queue, &h->queue));
    const struct info_options info = {.vouchers = vouchers_of, .vouchers_self = h};
    assert_ok(info_open(&h->env, &info, &h->info));
    open_courier(h);
    const struct hearth_interceptor interceptor = front_interceptor(h->front);
    const struct hearth_server_options server = {
        .interceptors = &interceptor,
        .interceptor_count = 1,
        .no_health = true,
        .limits = {.accepts_per_s = 1000, .accepts_burst = 1000}};
    h->server = hearth_server_new(&server);
    assert_non_null(h->server);
    assert_ok(queue_add(h->queue, h->server));
    assert_ok(info_add(h->info, h->server));
    assert_ok(federation_add(h->federation, h->server));
    assert_true(hearth_server_listen(h->server, h->pipe, NULL));
    assert_true(hearth_server_start_on(h->server, h->land->loop));
    h->world.clock = h->land->clock;
    h->world.rng = h->land->rng;
    h->world.env = h->env;
    h->world.queue = h->queue;
    h->world.loop = h->land->loop;
    open_client_channel(h);
    federation_hello(h->federation);
    h->up = true;
    h->lives++;
}

void land_open(struct land *l)
{
    for (size_t i = 0; i < l->home_count; i++)
        land_home_open(&l->homes[i]);
}

static bool turn(struct land_home *h)
{
    if (!h->up)
        return false;
    bool did = store_turn(h->store);
    did |= store_turn(queue_store(h->queue));
    did |= store_turn(federation_store(h->federation));
    return did;
}

static void close_home(struct land_home *h)
{
    struct courier *courier = h->courier;
    hearth_channel_free(h->world.channel);
    while (loop_step(h->land->loop))
        ;
    h->up = false;
    hearth_server_free(h->server);
    h->courier = NULL;
    courier_free(courier);
    federation_stop(h->federation);
    info_close(h->info);
    store_close(h->store);
    queue_close(h->queue);
    while (loop_step(h->land->loop))
        ;
    front_free(h->front);
    federation_close(h->federation);
}

void land_home_kill(struct land_home *h, bool power)
{
    vfs_power_off_after(h->vfs, 0); /* nothing is written from here on */
    while (turn(h))                 /* what was under way comes to its end, which nobody hears */
        ;
    close_home(h);
    if (power)
        vfs_power_on(h->vfs, rng_seeded_next(&h->land->seeded));
    else
        vfs_restart(h->vfs);
    vfs_power_off_after(h->vfs, -1);
}

void land_close(struct land *l)
{
    for (size_t i = 0; i < l->home_count; i++) {
        struct land_home *h = &l->homes[i];
        if (h->up) {
            land_settle(l);
            close_home(h);
        }
        for (size_t k = 0; k < h->client_count; k++)
            qclient_free(&h->clients[k]);
        detour_clear(&h->detour);
        vfs_saved_free(h->backup);
        keeper_close(h->env.keeper);
        hearth_status_clear(&h->world.last);
        vfs_fault_free(h->vfs);
    }
    hearth_loop_free(l->loop);
}

void land_set(struct land_home *h)
{
    char why[FEDERATION_WHY_BYTES];
    const struct federation_settings settings = settings_of(h);
    assert_ok(federation_set(h->federation, &settings, why));
}

bool land_home_stopped(const struct land_home *h)
{
    return !err_is_ok(store_health(h->store)) || !err_is_ok(store_health(queue_store(h->queue))) ||
           !err_is_ok(store_health(federation_store(h->federation)));
}

void land_backup(struct land_home *h)
{
    vfs_saved_free(h->backup);
    h->backup = vfs_save(h->vfs, "outbox.db");
}

void land_restore(struct land_home *h)
{
    vfs_load(h->vfs, h->backup, "outbox.db");
    for (size_t i = 0; i < h->land->ref_count; i++)
        if (h->land->refs[i].origin == h->index)
            h->land->refs[i].gone = true;
}

void land_steps(struct land *l, unsigned steps)
{
    while (steps-- > 0) {
        (void)loop_step(l->loop);
        for (size_t i = 0; i < l->home_count; i++)
            (void)turn(&l->homes[i]);
    }
}

void land_settle(struct land *l)
{
    bool more = true;
    while (more) {
        more = loop_step(l->loop);
        for (size_t i = 0; i < l->home_count; i++)
            more |= turn(&l->homes[i]);
    }
}

void land_run_ms(struct land *l, uint64_t ms)
{
    uint64_t until_us = l->fake.now_us + ms * 1000;
    for (;;) {
        land_settle(l);
        uint64_t due_us = timers_next_due_us(&l->loop->env.timers);
        if (due_us > until_us)
            break;
        if (due_us > l->fake.now_us)
            l->fake.now_us = due_us;
    }
    l->fake.now_us = until_us;
    land_settle(l);
}

/* ---- what is sent */

struct qclient *land_client(struct land_home *h)
{
    assert_true(h->client_count < LAND_CLIENTS);
    struct qclient *c = &h->clients[h->client_count++];
    qclient_create(&h->world, c);
    return c;
}

struct land_ref *land_reference(struct land *l, size_t origin, struct qclient *client)
{
    assert_true(l->ref_count < LAND_REFS);
    struct land_ref *r = &l->refs[l->ref_count++];
    *r = (struct land_ref){.origin = origin};
    qref_make(&r->ref, client);
    for (size_t i = 0; i < l->home_count; i++)
        if (client->w == &l->homes[i].world)
            r->home = i;
    return r;
}

struct putting {
    struct land_home *h;
    struct outbox_row rows[LAND_REFS];
    size_t count;
    struct bytes body;
};

static struct err run_put(struct store_txn *txn, void *arg)
{
    struct putting *p = arg;
    return outbox_add(txn, &p->h->outbox, p->body, p->rows, p->count);
}

bool land_put(struct land *l, struct land_ref *const *refs, size_t count, bool control,
              uint8_t notice, size_t bytes)
{
    struct putting p = {.h = &l->homes[refs[0]->origin], .count = count};
    uint64_t number = ++l->messages;
    uint8_t *body = calloc(1, bytes < 8 ? 8 : bytes);
    assert_non_null(body);
    memcpy(body, &number, sizeof number);
    p.body = bytes_of(body, bytes < 8 ? 8 : bytes);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(refs[i]->origin, refs[0]->origin);
        p.rows[i] =
            (struct outbox_row){.domain = bytes_str(l->homes[refs[i]->home].domain),
                                .sealed_ref = bytes_of(refs[i]->ref.sealed, refs[i]->ref.len),
                                .control = control};
        p.rows[i].notice[0] = notice;
    }
    bool durable = err_is_ok(store_call(p.h->store, run_put, &p));
    free(body);
    for (size_t i = 0; i < count && durable; i++) {
        assert_true(refs[i]->sent_count < LAND_SENT);
        refs[i]->sent[refs[i]->sent_count++] = (uint32_t)number;
    }
    courier_wake(p.h->courier);
    return durable;
}

struct asking {
    unsigned statement;
    uint64_t arg, answer;
};

static struct err map_number(struct stmt *row, void *arg)
{
    struct asking *a = arg;
    a->answer = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err run_ask(struct store_txn *txn, void *arg)
{
    struct asking *a = arg;
    struct stmt *s = stmt_use(txn, a->statement);
    if (a->statement == S_REPORTS)
        stmt_bind_u64(s, 1, a->arg);
    return stmt_first(s, map_number, a);
}

uint64_t land_waiting(struct land_home *h)
{
    struct asking a = {.statement = S_ROWS};
    assert_ok(store_call_read(h->store, run_ask, &a));
    return a.answer;
}

unsigned land_reports(struct land_home *h, enum queue_outcome why)
{
    struct asking a = {.statement = S_REPORTS, .arg = why};
    assert_ok(store_call_read(h->store, run_ask, &a));
    return (unsigned)a.answer;
}
