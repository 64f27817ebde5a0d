/* The world: service, queues, calls. What members do is delivery_members.c. */
#include "support/delivery/delivery_world.h"

#include <stdio.h>

#include "crypto/hash.h"
#include "seal/request_auth.h"
#include "server/delivery/group_store.h"
#include "support/courier/accept_steps.h"
#include "support/failing.h"
#include "support/server/calm.h"

static struct dworld *the_world; /* for queue_accept */

/* ---- queues */

static struct member *owner_of(struct bytes ref)
{
    for (unsigned i = 0; i < the_world->member_count; i++) {
        struct member *m = &the_world->members[i];
        if (bytes_equal(ref, bytes_of(m->ref, sizeof m->ref)))
            return m;
    }
    return NULL;
}

static enum queue_outcome take(struct bytes ref, struct bytes payload, uint64_t sequence,
                               bool notify, bool quiet, bool control)
{
    struct member *m = owner_of(ref);
    if (m == NULL)
        return QUEUE_REFUSED;
    if (m->mood != QUEUE_OK) {
        m->refused++;
        return m->mood;
    }
    if (m->item_count > 0 && sequence <= m->items[m->item_count - 1].sequence)
        return QUEUE_OK;
    assert_true(m->item_count < DW_ITEMS);
    struct ditem *item = &m->items[m->item_count++];
    *item =
        (struct ditem){.sequence = sequence, .notify = notify, .quiet = quiet, .control = control};
    buf_append_bytes(&item->sealed, payload);
    assert_ok(buf_check(&item->sealed));
    return QUEUE_OK;
}

struct answer {
    void (*done)(void *arg, struct err result, const enum queue_outcome *outcomes);
    void *arg;
    enum queue_outcome *outcomes;
};

static void give(void *arg)
{
    struct answer *a = arg;
    a->done(a->arg, ERR_OK, a->outcomes);
    free(a->outcomes);
    free(a);
}

static struct answer *answer_new(size_t count,
                                 void (*done)(void *arg, struct err result,
                                              const enum queue_outcome *outcomes),
                                 void *arg)
{
    struct answer *a = malloc(sizeof *a);
    assert_non_null(a);
    *a = (struct answer){done, arg, calloc(count + 1, sizeof *a->outcomes)};
    assert_non_null(a->outcomes);
    return a;
}

struct err queue_accept(struct queue *queue, struct bytes origin, const struct queue_row *rows,
                        size_t count, struct inbox *inbox,
                        void (*done)(void *arg, struct err result,
                                     const enum queue_outcome *outcomes),
                        void *arg)
{
    test_pause_failing();
    struct answer *a = answer_new(count, done, arg);
    (void)queue;
    (void)inbox;
    assert_true(bytes_equal(origin, bytes_str(DW_DOMAIN)));
    for (size_t i = 0; i < count; i++)
        a->outcomes[i] = take(rows[i].sealed_ref, rows[i].payload, rows[i].sequence, rows[i].notify,
                              rows[i].quiet, rows[i].control);
    assert_true(hearth_loop_post(the_world->loop, give, a));
    test_resume_failing();
    return ERR_OK;
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
    struct answer *a = answer_new(count, done, arg);
    (void)self;
    (void)inbox;
    assert_true(bytes_equal(domain, bytes_str(DW_PEER)));
    for (size_t i = 0; i < count; i++)
        a->outcomes[i] = take(rows[i].sealed_ref, rows[i].payload, rows[i].sequence, rows[i].notify,
                              rows[i].quiet, rows[i].control);
    assert_true(hearth_loop_post(the_world->loop, give, a));
    return ERR_OK;
}

/* ---- life */

static void wake(void *self)
{
    struct dworld *w = self;
    w->wakes++;
    if (w->courier != NULL)
        courier_wake(w->courier);
}

static void start_services(struct dworld *w)
{
    struct courier_options courier = {
        .peers = {peer_deliver, w}, .loop = w->loop, .refused = delivery_refused};
    assert_ok(calm_front_new(&w->env, &w->front_options, &w->front));
    w->interceptor = front_interceptor(w->front);
    w->options.store.mode = STORE_INLINE;
    w->options.store.clock = &w->clock;
    w->options.wake = wake;
    w->options.wake_self = w;
    assert_ok(delivery_open(&w->env, &w->options, &w->delivery));
    courier.store = delivery_store(w->delivery);
    courier.outbox = delivery_outbox(w->delivery);
    courier.refused_self = w->delivery;
    assert_ok(courier_new(&w->env, &courier, &w->courier));
    struct hearth_server_options server = {
        .no_health = true, .interceptors = &w->interceptor, .interceptor_count = 1};
    w->server = hearth_server_new(&server);
    assert_non_null(w->server);
    assert_ok(delivery_add(w->delivery, w->server));
    assert_true(hearth_server_listen(w->server, "pipe:delivery", NULL));
    assert_true(hearth_server_start_on(w->server, w->loop));
    w->channel =
        hearth_channel_new("pipe:delivery", &(struct hearth_channel_options){.loop = w->loop});
    assert_non_null(w->channel);
}

static void stop_services(struct dworld *w)
{
    hearth_channel_free(w->channel);
    hearth_server_free(w->server);
    courier_free(w->courier);
    w->courier = NULL;
    delivery_close(w->delivery);
    w->delivery = NULL;
    while (loop_step(w->loop))
        ;
    front_free(w->front);
}

void dw_start(struct dworld *w)
{
    the_world = w;
    w->fake = (struct clock_fake){.now_us = 1000000, .unix_base_ms = (uint64_t)DW_NOW_S * 1000};
    w->clock = clock_of_fake(&w->fake);
    rng_seeded_init(&w->seeded, 7);
    w->rng = rng_of_seeded(&w->seeded);
    arena_init(&w->arena, (size_t)1 << 28);
    if (w->suite == NULL)
        w->suite = suite_find(1);
    w->loop = loop_new_stepped(&w->fake, &w->rng);
    assert_non_null(w->loop);
    assert_ok(keeper_open(NULL, bytes_str(DW_DOMAIN), &w->clock, &w->rng, &w->keeper));
    w->env = (struct front_env){.domain = DW_DOMAIN,
                                .development = true,
                                .clock = &w->clock,
                                .rng = &w->rng,
                                .keeper = w->keeper};
    start_services(w);
}

static void member_clear(struct member *m)
{
    group_free(m->group);
    key_package_bundle_clear(&m->bundle);
    sig_key_clear(&m->key);
    sig_key_clear(&m->client_key);
    buf_clear(&m->credential);
    buf_clear(&m->parts);
    buf_clear(&m->text);
    buf_clear(&m->last_body);
    for (size_t i = 0; i < m->item_count; i++)
        buf_clear(&m->items[i].sealed);
}

void dw_end(struct dworld *w)
{
    stop_services(w);
    keeper_close(w->keeper);
    hearth_loop_free(w->loop);
    for (unsigned i = 0; i < w->member_count; i++)
        member_clear(&w->members[i]);
    if (w->out != NULL)
        protobuf_c_message_free_unpacked(w->out, NULL);
    buf_clear(&w->group_id);
    arena_clear(&w->arena);
    the_world = NULL;
}

void dw_restart(struct dworld *w)
{
    stop_services(w);
    if (w->between != NULL)
        w->between(w);
    start_services(w);
}

void dw_settle(struct dworld *w)
{
    bool more = true;
    while (more) {
        more = store_turn(delivery_store(w->delivery));
        while (loop_step(w->loop))
            more = true;
    }
}

void dw_pass_s(struct dworld *w, uint64_t seconds)
{
    dw_settle(w);
    /* the courier's timers must find a store that turns */
    for (uint64_t i = 0; i < 8; i++) {
        loop_run_until(w->loop, w->fake.now_us + seconds * 1000000 / 8);
        dw_settle(w);
    }
}

struct delivery_stats dw_stats(struct dworld *w)
{
    struct delivery_stats stats;
    assert_ok(delivery_stats(w->delivery, &stats));
    return stats;
}

struct reading {
    struct dworld *w;
    const uint8_t *key;
    uint64_t version;
};

static struct err read_version(struct store_txn *txn, void *arg)
{
    struct reading *r = arg;
    struct buf plain = BUF_INIT;
    struct err err = group_store_load(txn, r->w->delivery, buf_view(&r->w->group_id), r->key,
                                      &plain, &r->version);
    buf_clear(&plain);
    return err;
}

uint64_t dw_version(struct dworld *w, const uint8_t state_key[STATE_KEY_BYTES])
{
    struct reading r = {w, state_key, 0};
    assert_ok(store_call_read(delivery_store(w->delivery), read_version, &r));
    return r.version;
}

void dw_limit(struct dworld *w, const char *name, uint64_t value)
{
    assert_ok(limits_set(front_limits(w->front), name, value));
}

/* ---- calls */

static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    const struct dsigner *s = self;
    uint8_t nonce[REQUEST_NONCE_BYTES];
    struct digest hash;
    struct buf header = BUF_INIT;
    if (s->kind == 0)
        return HEARTH_OK;
    test_pause_failing();
    hash_once(&hash_sha256, bytes_of(message, len), &hash);
    assert_ok(rng_fill(&s->w->rng, nonce, sizeof nonce));
    struct request_auth auth = {
        .kind = s->kind,
        .id = s->id,
        .audience = bytes_str(DW_DOMAIN),
        .time_ms = clock_unix_ms(&s->w->clock),
        .nonce = nonce,
    };
    assert_ok(request_auth_sign(
        &header, &auth, bytes_str(s->path != NULL ? s->path : endpoint->path), hash.data, s->key));
    assert_true(
        hearth_client_call_add_header(call, REQUEST_AUTH_METADATA, header.data, header.len));
    buf_clear(&header);
    test_resume_failing();
    return HEARTH_OK;
}

enum { CALLS_AT_ONCE = 64 };
struct dcall {
    struct dsigner signer;
    bool done;
    enum hearth_code code;
    char message[200];
    uint64_t wrong_epoch;
    uint32_t retry_s, wanted;
    ProtobufCMessage *out;
};
static struct dcall calls[CALLS_AT_ONCE];
static unsigned call_first, call_count;

static void on_done(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct dcall *c = arg;
    c->done = true;
    c->code = status->code;
    (void)snprintf(c->message, sizeof c->message, "%s",
                   status->message != NULL ? status->message : "");
    Hearth__V1__WrongEpoch *epoch =
        (void *)hearth_status_find(status, &hearth__v1__wrong_epoch__descriptor);
    Hearth__V1__RetryAfter *retry =
        (void *)hearth_status_find(status, &hearth__v1__retry_after__descriptor);
    c->wanted = tokens_wanted(status);
    if (epoch != NULL)
        c->wrong_epoch = epoch->current_epoch;
    if (retry != NULL)
        c->retry_s = retry->seconds;
    if (epoch != NULL)
        protobuf_c_message_free_unpacked(&epoch->base, NULL);
    if (retry != NULL)
        protobuf_c_message_free_unpacked(&retry->base, NULL);
    if (out == NULL)
        return;
    test_pause_failing();
    size_t len = protobuf_c_message_get_packed_size(out);
    uint8_t *packed = malloc(len + 1);
    assert_non_null(packed);
    (void)protobuf_c_message_pack(out, packed);
    c->out = protobuf_c_message_unpack(out->descriptor, NULL, len, packed);
    free(packed);
    test_resume_failing();
    assert_non_null(c->out);
}

static const struct hearth_endpoint *endpoint_of(const char *name)
{
    for (size_t i = 0; i < hearth_delivery_descriptor.endpoint_count; i++) {
        const struct hearth_endpoint *e = &hearth_delivery_descriptor.endpoints[i];
        if (strcmp(strrchr(e->path, '/') + 1, name) == 0)
            return e;
    }
    fail_msg("no rpc %s", name);
    return NULL;
}

static void record(struct buf *b, const struct hearth_endpoint *endpoint,
                   const struct dsigner *signer, const ProtobufCMessage *in)
{
    size_t len = protobuf_c_message_get_packed_size(in);
    wire_write_u8(b, (uint8_t)(endpoint - hearth_delivery_descriptor.endpoints));
    wire_write_u8(b, signer != NULL ? (uint8_t)signer->kind : 0);
    wire_write_vector(b, signer != NULL ? signer->id : bytes_of(NULL, 0));
    wire_write_varint(b, len);
    uint8_t *room = len > 0 ? buf_extend(b, len) : NULL;
    if (room != NULL)
        (void)protobuf_c_message_pack(in, room);
}

bool dw_record_read(struct bytes *in, struct drecord *ret_record)
{
    struct wire_reader r = wire_reader_of(*in);
    uint8_t rpc = wire_read_u8(&r);
    ret_record->caller = wire_read_u8(&r);
    ret_record->id = wire_read_vector(&r);
    ret_record->request = wire_read_vector(&r);
    if (!err_is_ok(wire_reader_check(&r)) || rpc >= hearth_delivery_descriptor.endpoint_count)
        return false;
    ret_record->endpoint = &hearth_delivery_descriptor.endpoints[rpc];
    *in = bytes_of(r.at, wire_reader_left(&r));
    return true;
}

void dw_begin(struct dworld *w, const char *name, const struct dsigner *signer,
              const ProtobufCMessage *in)
{
    assert_true(call_count < CALLS_AT_ONCE);
    struct dcall *c = &calls[(call_first + call_count++) % CALLS_AT_ONCE];
    *c = (struct dcall){.code = HEARTH_UNKNOWN};
    if (signer != NULL)
        c->signer = *signer;
    c->signer.w = w;
    struct hearth_call_options options = {.signer = {sign, &c->signer},
                                          .no_retry = true,
                                          .metadata = w->metadata,
                                          .metadata_count = w->metadata_count};
    if (w->recording != NULL)
        record(w->recording, endpoint_of(name), signer, in);
    assert_non_null(hearth_channel_start(w->channel, endpoint_of(name), &options, in, on_done, c));
}

enum hearth_code dw_wait(struct dworld *w)
{
    assert_true(call_count > 0);
    struct dcall *c = &calls[call_first];
    call_first = (call_first + 1) % CALLS_AT_ONCE;
    call_count--;
    dw_settle(w);
    for (int i = 0; i < 100 && !c->done; i++) {
        loop_run_until(w->loop, w->fake.now_us + 1000);
        dw_settle(w);
    }
    assert_true(c->done);
    if (w->out != NULL)
        protobuf_c_message_free_unpacked(w->out, NULL);
    w->out = c->out;
    w->code = c->code;
    w->wrong_epoch = c->wrong_epoch;
    w->retry_s = c->retry_s;
    w->wanted = c->wanted;
    memcpy(w->message, c->message, sizeof w->message);
    return c->code;
}

enum hearth_code dw_call(struct dworld *w, const char *name, const struct dsigner *signer,
                         const ProtobufCMessage *in)
{
    dw_begin(w, name, signer, in);
    return dw_wait(w);
}
