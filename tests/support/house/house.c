#include "support/house/house.h"

#include <stdio.h>
#include <stdlib.h>

#include "pass/directory.h"
#include "seal/system_keys.h"
#include "support/failing.h"
#include "support/house/visit.h"
#include "support/server/calm.h"

enum { LOW_DISK_BYTES = 1 << 20 };

static void init_rest(struct house *h)
{
    h->vfs = vfs_fault_new(h->name);
    assert_ok(keeper_open(NULL, bytes_str(h->domain), &h->clock, &h->rng, &h->keeper));
    h->env = (struct front_env){.domain = h->domain,
                                .development = true,
                                .clock = &h->clock,
                                .rng = &h->rng,
                                .keeper = h->keeper};
}

void house_init(struct house *h, uint64_t seed)
{
    *h = (struct house){.domain = HOUSE_DOMAIN,
                        .name = "house",
                        .first = h,
                        .fake = {.now_us = 1000000, .unix_base_ms = 1800000000000},
                        .kill_in_steps = -1};
    h->clock = clock_of_fake(&h->fake);
    rng_seeded_init(&h->seeded, seed);
    h->rng = rng_of_seeded(&h->seeded);
    h->loop = loop_new_stepped(&h->fake, &h->rng);
    assert_non_null(h->loop);
    init_rest(h);
}

void house_init_beside(struct house *h, struct house *first, const char *domain, const char *name)
{
    *h = (struct house){.domain = domain,
                        .first = first,
                        .neighbour = first->neighbour,
                        .clock = first->clock,
                        .rng = first->rng,
                        .loop = first->loop,
                        .kill_in_steps = -1};
    (void)snprintf(h->name, sizeof h->name, "%s", name);
    rng_seeded_init(&h->seeded, rng_seeded_next(&first->seeded));
    first->neighbour = h;
    init_rest(h);
}

struct house *house_of(struct house *h, struct bytes domain)
{
    for (struct house *each = h->first; each != NULL; each = each->neighbour)
        if (bytes_equal(domain, bytes_str(each->domain)))
            return each;
    fail_msg("no homeserver %.*s", (int)domain.len, (const char *)domain.data);
    return NULL;
}

static uint64_t free_bytes(void *self)
{
    const struct house *h = self;
    return h->low_disk ? 0 : UINT64_C(1) << 40;
}

static struct store_options files(struct house *h, const char *path)
{
    return (struct store_options){.path = path,
                                  .files = h->name,
                                  .clock = &h->clock,
                                  .mode = STORE_INLINE,
                                  .no_check = true,
                                  .relaxed = h->relaxed,
                                  .low_disk_bytes = LOW_DISK_BYTES,
                                  .free_bytes = free_bytes,
                                  .free_bytes_self = h};
}

static uint64_t queue_free_bytes(void *self)
{
    const struct house *h = self;
    return h->first->fake.now_us < h->queue_full_until_us ? 0 : free_bytes(self);
}

void house_fill_queue(struct house *h, uint64_t ms)
{
    h->queue_full_until_us = h->first->fake.now_us + ms * 1000;
    if (h->queue != NULL)
        store_set_low_disk(queue_store(h->queue), LOW_DISK_BYTES); /* looks at once */
}

static void wake_courier(void *self)
{
    struct house *h = self;
    if (h->courier != NULL)
        courier_wake(h->courier);
}

/* A resident's token is its number (resident.c). */
static void count_push(void *self, struct bytes token, struct bytes key)
{
    struct house *h = self;
    assert_int_equal(token.len, 1);
    assert_int_equal(key.len, PUSH_TOKEN_KEY_BYTES);
    assert_true(token.data[0] < HOUSE_PUSHED);
    h->pushed[token.data[0]]++;
}

static struct err revocations(void *self, struct buf *b)
{
    return auth_revocations(self, b);
}

static struct err previous(void *self, struct buf *b)
{
    return auth_previous_signing(self, b);
}

struct append {
    void (*done)(void *arg, struct err result, const struct auth_receipt *receipt);
    void *arg;
};

static void appended(void *arg, struct err result, const struct transparency_receipt *receipt)
{
    struct append *a = arg;
    const struct auth_receipt out = {receipt->checkpoint, receipt->proof};
    a->done(a->arg, result, &out);
    free(a);
}

static void append(void *self, struct bytes label, uint32_t version, struct bytes key_set,
                   struct hearth_loop *loop,
                   void (*done)(void *arg, struct err result, const struct auth_receipt *receipt),
                   void *arg)
{
    static const struct auth_receipt none;
    struct house *h = self;
    struct append *a = h->transparency != NULL ? malloc(sizeof *a) : NULL;
    if (a == NULL) {
        done(arg, ERR(STORE_STOPPED), &none);
        return;
    }
    *a = (struct append){done, arg};
    transparency_append(h->transparency, label, version, key_set, loop, appended, a);
}

static void commitment(void *self, struct bytes label, uint32_t version, struct hearth_loop *loop,
                       void (*done)(void *arg, struct err result, struct bytes commitment),
                       void *arg)
{
    struct house *h = self;
    if (h->transparency == NULL)
        done(arg, ERR(STORE_STOPPED), bytes_of(NULL, 0));
    else
        transparency_commitment(h->transparency, label, version, loop, done, arg);
}

/* A value of "token-keys" with one bit of each key for vouchers changed; a view into b. */
static struct bytes other_vouchers(struct bytes value, struct buf *b)
{
    struct system_key keys[SYSTEM_KEYS_MOST];
    struct pass_directory directory;
    struct pass_directory_key key;
    size_t count;
    buf_append_bytes(b, value);
    assert_ok(buf_check(b));
    assert_ok(system_keys_parse(buf_view(b), keys, &count));
    assert_int_equal(count, 1);
    assert_ok(pass_directory_parse(keys[0].key, &directory));
    struct wire_reader r = wire_reader_of(directory.keys);
    while (pass_directory_next(&r, &key))
        if (key.token_type == PASS_TYPE_VOUCHER)
            b->data[key.public_key.data - b->data + 200] ^= 1;
    return buf_view(b);
}

static struct err publish(void *self, const struct info_value *values, size_t count)
{
    const struct house *h = self;
    struct transparency_value out[TRANSPARENCY_VALUES_MOST] = {{.value = {NULL, 0}}};
    struct buf labels[TRANSPARENCY_VALUES_MOST] = {[0] = BUF_INIT}, other = BUF_INIT;
    for (size_t i = 0; i < count; i++) {
        system_label_write(&labels[i], values[i].name);
        out[i] = (struct transparency_value){buf_view(&labels[i]), values[i].value};
        if (h->own_vouchers && strcmp(values[i].name, "token-keys") == 0)
            out[i].value = other_vouchers(values[i].value, &other);
    }
    struct err err = transparency_publish(h->transparency, out, count);
    for (size_t i = 0; i < count; i++)
        buf_clear(&labels[i]);
    buf_clear(&other);
    return err;
}

static void open_log(struct house *h)
{
    assert_ok(kt_keys_open(&h->env, 1, 0, &h->kt_keys));
    const struct transparency_options options = {
        .store = files(h, "kt.db"), .log = &h->kt_keys.log, .every_ms = TRANSPARENCY_AT_ONCE};
    assert_ok(transparency_open(&h->env, &options, &h->transparency));
    h->auth_log = (struct auth_log){append, h->chains ? commitment : NULL, h,
                                    kt_config_origin(&h->kt_keys.log.config)};
}

/* Heartbeats and windows are looked for when something waits, and when time moves. */
static bool tick(struct house *h)
{
    uint64_t epoch = 0;
    (void)err_is_ok(transparency_tick(h->transparency, &epoch)); /* a store that is down: later */
    return epoch != 0;
}

static void contact(void *self, struct bytes domain)
{
    struct house *h = self;
    if (h->courier != NULL)
        courier_contact(h->courier, domain);
}

static bool admits(void *self, struct bytes domain)
{
    struct house *h = self;
    return federation_admits(h->federation, domain);
}

static struct federation_settings settings_of(const struct house *h)
{
    return (struct federation_settings){.mode =
                                            h->peer_count > 0 ? FEDERATION_ALLOW : FEDERATION_OFF,
                                        .development = true,
                                        .peers = h->peers,
                                        .peer_count = h->peer_count,
                                        .block = &h->blocked,
                                        .block_count = h->blocked != NULL};
}

void house_block(struct house *h, const char *domain)
{
    char why[FEDERATION_WHY_BYTES];
    h->blocked = domain;
    const struct federation_settings settings = settings_of(h);
    if (h->server != NULL)
        assert_ok(federation_set(h->federation, &settings, why));
}

static void open_federation(struct house *h)
{
    char why[FEDERATION_WHY_BYTES];
    const struct federation_options options = {.store = files(h, "federation.db"),
                                               .loop = h->loop,
                                               .queue = h->queue,
                                               .settings = settings_of(h),
                                               .contact = contact,
                                               .contact_self = h};
    assert_ok(federation_open(&h->env, &options, why, &h->federation));
}

static size_t voucher_keys(void *self, struct info_voucher_key ret_keys[INFO_VOUCHER_KEYS_MOST])
{
    struct auth_voucher_key keys[AUTH_VOUCHER_KEYS_MOST];
    size_t count = auth_voucher_keys(self, keys);
    for (size_t i = 0; i < count; i++) {
        ret_keys[i].class = keys[i].class;
        ret_keys[i].week = keys[i].week;
        memcpy(ret_keys[i].spki, keys[i].spki, sizeof ret_keys[i].spki);
    }
    return count;
}

static struct err find_voucher_key(void *self, struct bytes domain, uint8_t class, uint32_t week,
                                   uint8_t ret_spki[BLIND_RSA_PUBLIC_BYTES])
{
    struct house *h = self;
    return federation_voucher_key(h->federation, domain, class, week, ret_spki);
}

static void open_services(struct house *h)
{
    open_log(h);
    struct queue_options queue = {
        .store = files(h, "queue.db"), .notify = h->push ? count_push : NULL, .notify_self = h};
    queue.store.free_bytes = queue_free_bytes;
    const struct delivery_options delivery = {.store = files(h, "delivery.db"),
                                              .wake = wake_courier,
                                              .wake_self = h,
                                              .control = h->delivery_control,
                                              .admits = h->peer_count > 0 ? admits : NULL,
                                              .admits_self = h};
    const struct auth_options auth = {
        .store = files(h, "auth.db"),
        .log = &h->auth_log,
        .voucher_key = h->peer_count > 0 ? find_voucher_key : NULL, /* RSA keys take long */
        .voucher_self = h};
    const struct attachment_options attachment = {.store = files(h, "attachment.db")};
    assert_ok(queue_open(&h->env, &queue, &h->queue));
    assert_ok(delivery_open(&h->env, &delivery, &h->delivery));
    assert_ok(auth_open(&h->env, &auth, &h->auth));
    assert_ok(attachment_open(&h->env, &attachment, &h->attachment));
    const struct info_options info = {.revocations = revocations,
                                      .revocations_self = h->auth,
                                      .previous = previous,
                                      .previous_self = h->auth,
                                      .vouchers = voucher_keys,
                                      .vouchers_self = h->auth,
                                      .publish = publish,
                                      .publish_self = h};
    assert_ok(info_open(&h->env, &info, &h->info));
    assert_ok(relay_open(&h->env, NULL, &h->relay));
    open_federation(h);
    const struct courier_options courier = {
        .store = delivery_store(h->delivery),
        .outbox = delivery_outbox(h->delivery),
        .queue = h->queue,
        .peers = detour_route(&h->detour, federation_route(h->federation)),
        .loop = h->loop,
        .refused = delivery_refused,
        .refused_self = h->delivery,
        .backlog_rows = h->backlog_rows,
        .batch_rows = h->batch_rows};
    assert_ok(courier_new(&h->env, &courier, &h->courier));
}

void house_open(struct house *h)
{
    assert_ok(calm_front_new(&h->env, &h->front_options, &h->front));
    if (!h->limits)
        limits_switch_off(front_limits(h->front));
    if (h->peer_queue > 0)
        assert_ok(limits_set(front_limits(h->front), "PEER_QUEUE", h->peer_queue));
    if (h->tokens) {
        front_set_tokens(h->front, true);
        assert_ok(limits_set(front_limits(h->front), "CREDITS_FREE", HOUSE_CREDITS_FREE));
        assert_ok(limits_set(front_limits(h->front), "FREE_PREFIX", HOUSE_CREDITS_FREE));
    }
    open_services(h);
    const struct hearth_interceptor interceptors[] = {h->watch, front_interceptor(h->front)};
    const struct hearth_server_options options = {
        .interceptors = interceptors,
        .interceptor_count = 2,
        .limits = {.accepts_per_s = 1000, .accepts_burst = 1000}};
    h->server = hearth_server_new(&options);
    assert_non_null(h->server);
    assert_ok(queue_add(h->queue, h->server));
    assert_ok(delivery_add(h->delivery, h->server));
    assert_ok(auth_add(h->auth, h->server));
    assert_ok(attachment_add(h->attachment, h->server));
    assert_ok(info_add(h->info, h->server));
    assert_ok(relay_add(h->relay, h->server));
    if (!h->no_log)
        assert_ok(transparency_add(h->transparency, h->server));
    assert_ok(federation_add(h->federation, h->server));
    char address[32];
    (void)snprintf(address, sizeof address, "pipe:%s", h->name);
    assert_true(hearth_server_listen(h->server, address, NULL));
    assert_true(hearth_server_start_on(h->server, h->loop));
    auth_log_resume(h->auth, h->loop);
    federation_hello(h->federation);
    h->lives++;
}

/* ---- guests */

static void connect_guest(struct house *h, size_t i)
{
    const struct hearth_channel_options options = {.loop = h->loop,
                                                   .attempts = 1,
                                                   .backoff_min_ms = 10,
                                                   .backoff_max_ms = 100,
                                                   .tls = h->outside ? &h->tls : NULL};
    *h->guests[i].channel = hearth_channel_new(h->guests[i].target, &options);
    assert_non_null(*h->guests[i].channel);
}

void house_enter(struct house *h, const char *target, struct hearth_channel **channel)
{
    assert_true(h->guest_count < HOUSE_GUESTS);
    h->guests[h->guest_count].channel = channel;
    (void)snprintf(h->guests[h->guest_count].target, sizeof h->guests[0].target, "%s", target);
    connect_guest(h, h->guest_count++);
}

void house_exit(struct house *h, struct hearth_channel **channel)
{
    for (size_t i = 0; i < h->guest_count; i++)
        if (h->guests[i].channel == channel) {
            hearth_channel_free(*channel);
            *channel = NULL;
            h->guests[i] = h->guests[--h->guest_count];
            return;
        }
}

/* ---- the end of a life */

void house_fail_allocation(struct house *h, long n)
{
    test_fail_own_allocation(n);
    test_pause_failing();
    h->failing = true;
}

bool house_allocation_failed(struct house *h, long *ret_counted)
{
    h->failing = false;
    *ret_counted = test_counted_allocations();
    return test_allocation_failed();
}

static bool work(struct house *h)
{
    if (h->failing)
        test_resume_failing();
    bool did = loop_step(h->loop);
    did |= store_turn(queue_store(h->queue));
    did |= store_turn(delivery_store(h->delivery));
    did |= store_turn(auth_store(h->auth));
    did |= store_turn(attachment_store(h->attachment));
    did |= store_turn(federation_store(h->federation));
    did |= store_turn(transparency_store(h->transparency));
    did |= store_turn(federation_store(h->federation));
    if (transparency_woken(h->transparency))
        did |= tick(h);
    if (h->failing)
        test_pause_failing();
    return did;
}

static void close_all(struct house *h)
{
    struct courier *courier = h->courier;
    hearth_server_free(h->server);
    h->server = NULL;  /* closed */
    h->courier = NULL; /* nobody wakes it any more */
    courier_free(courier);
    federation_stop(h->federation);
    info_close(h->info);
    attachment_close(h->attachment);
    struct transparency *log = h->transparency;
    h->transparency = NULL; /* nobody appends any more */
    transparency_close(log);
    auth_close(h->auth);
    delivery_close(h->delivery);
    queue_close(h->queue);
    h->queue = NULL;
    while (loop_step(h->loop))
        ;
    relay_close(h->relay);
    kt_keys_clear(&h->kt_keys);
    front_free(h->front);
    federation_close(h->federation);
}

void house_shut(struct house *h)
{
    house_settle(h);
    close_all(h);
}

void house_kill(struct house *h)
{
    vfs_power_off_after(h->vfs, 0); /* nothing is written from here on, and nobody hears a word */
    for (size_t i = 0; i < h->guest_count; i++)
        hearth_channel_free(*h->guests[i].channel);
    while (!h->slam &&
           work(h)) /* what the services had under way comes to its end before they do */
        ;
    close_all(h);
    if (h->power)
        vfs_power_on(h->vfs, rng_seeded_next(&h->seeded));
    else
        vfs_restart(h->vfs);
    vfs_power_off_after(h->vfs, -1);
    if (h->mended)
        (void)vfs_failed(h->vfs);
    for (size_t i = 0; i < h->guest_count; i++)
        connect_guest(h, i);
}

void house_close(struct house *h)
{
    h->kill_in_steps = -1;
    house_shut(h);
    if (h->first == h)
        hearth_loop_free(h->loop);
    detour_clear(&h->detour);
    keeper_close(h->keeper);
    vfs_fault_free(h->vfs);
}

static bool has_stopped(struct house *h)
{
    struct store *stores[] = {queue_store(h->queue),
                              delivery_store(h->delivery),
                              auth_store(h->auth),
                              attachment_store(h->attachment),
                              transparency_store(h->transparency),
                              federation_store(h->federation)};
    for (size_t i = 0; i < sizeof stores / sizeof *stores; i++)
        if (!err_is_ok(store_health(stores[i])))
            return true;
    return false;
}

/* One of several. */
static bool step_one(struct house *h)
{
    if (h->kill_in_steps == 0 || vfs_is_off(h->vfs) || has_stopped(h)) {
        h->kill_in_steps = -1;
        house_kill(h);
        house_open(h);
        return true;
    }
    if (h->kill_in_steps > 0)
        h->kill_in_steps--;
    return work(h);
}

bool house_step(struct house *h)
{
    if (h->outside) {
        loop_turn(h->loop);
        return true;
    }
    bool did = false;
    for (struct house *each = h->first; each != NULL; each = each->neighbour)
        did |= each->server != NULL && step_one(each);
    return did;
}

void house_settle(struct house *h)
{
    if (h->outside) {
        house_wait_ms(h, 0);
        return;
    }
    while (house_step(h))
        ;
}

void house_run_ms(struct house *h, uint64_t ms)
{
    if (h->outside) {
        house_wait_ms(h, ms);
        return;
    }
    h = h->first; /* whose clock it is */
    uint64_t until_us = h->fake.now_us + ms * 1000;
    for (;;) {
        for (struct house *each = h->first; each != NULL; each = each->neighbour)
            if (each->transparency != NULL)
                (void)tick(each);
        house_settle(h);
        uint64_t due_us = timers_next_due_us(&h->loop->env.timers);
        if (due_us > until_us)
            break;
        if (due_us > h->fake.now_us)
            h->fake.now_us = due_us;
    }
    h->fake.now_us = until_us;
    house_settle(h);
}

void house_expire(struct house *h)
{
    bool more = true;
    for (int i = 0; more; i++) {
        assert_true(i < 10000);
        more = queue_expire(h->queue);
        more |= delivery_expire(h->delivery);
        more |= auth_expire(h->auth);
        more |= attachment_expire(h->attachment);
        more |= h->transparency != NULL && transparency_sweep(h->transparency);
        house_settle(h);
    }
}

struct counting {
    struct house *house;
    uint64_t rows;
};

static struct err map_number(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err run_count(struct store_txn *txn, void *arg)
{
    struct house *h = ((struct counting *)arg)->house;
    struct stmt *s = stmt_use(txn, delivery_outbox(h->delivery).statements + OUTBOX_COUNT);
    stmt_bind_u64(s, 1, 0);
    stmt_bind_u64(s, 2, INT64_MAX);
    return stmt_first(s, map_number, &((struct counting *)arg)->rows);
}

uint64_t house_waiting(struct house *h)
{
    struct counting counting = {.house = h};
    assert_ok(store_call_read(delivery_store(h->delivery), run_count, &counting));
    return counting.rows;
}
