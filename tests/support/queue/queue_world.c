#include "support/queue/queue_world.h"

#include <stdio.h>

#include "support/failing.h"
#include "support/server/calm.h"

ProtobufCBinaryData qdata(struct bytes view)
{
    return (ProtobufCBinaryData){view.len, (uint8_t *)(uintptr_t)view.data};
}

/* ---- whose memory fails is the server's */

static unsigned paused;

void qworld_pause(void)
{
    if (paused++ == 0)
        test_pause_failing();
}

void qworld_resume(void)
{
    if (--paused == 0)
        test_resume_failing();
}

static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    qworld_pause();
    enum hearth_code code = caller_signer(self).sign(call, endpoint, message, len, self);
    qworld_resume();
    return code;
}

struct hearth_signer qworld_signer(struct caller *who)
{
    return (struct hearth_signer){sign, who};
}

/* ---- life */

static void on_notify(void *self, struct bytes token, struct bytes key)
{
    struct qworld *w = self;
    assert_int_equal(key.len, PUSH_TOKEN_KEY_BYTES);
    assert_true(token.len <= sizeof w->pushed);
    memcpy(w->pushed, token.data, token.len);
    w->pushed_token = bytes_of(w->pushed, token.len);
    w->pushes++;
}

void qworld_init(struct qworld *w)
{
    *w = (struct qworld){.fake = {.now_us = 1000000, .unix_base_ms = 1800000000000}};
    w->clock = clock_of_fake(&w->fake);
    rng_seeded_init(&w->seeded, 11);
    w->rng = rng_of_seeded(&w->seeded);
    w->env = (struct front_env){
        .domain = QWORLD_DOMAIN, .development = true, .clock = &w->clock, .rng = &w->rng};
    w->options.store = (struct store_options){.mode = STORE_INLINE, .clock = &w->clock};
    w->options.notify = on_notify;
    w->options.notify_self = w;
    assert_ok(keeper_open(NULL, bytes_str(QWORLD_DOMAIN), &w->clock, &w->rng, &w->env.keeper));
}

void qworld_use_vfs(struct qworld *w, const char *name)
{
    w->vfs = vfs_fault_new(name);
    w->options.store.files = name;
    w->options.store.path = "queue.db";
}

void qworld_limit(struct qworld *w, const char *name, uint64_t value)
{
    assert_ok(limits_set(front_limits(w->front), name, value));
}

static void raise_limits(struct qworld *w)
{
    static const char *const raised[] = {"CREATE_QUEUE_PREFIX",  "ANONYMOUS_PREFIX",
                                         "SIGNED_PRINCIPAL",     "KEY_PACKAGE_UPLOADS",
                                         "KEY_PACKAGES_CONTACT", "FAILED_AUTH_PREFIX"};
    for (int i = 0; i < LIMITS; i++)
        for (size_t k = 0; k < sizeof raised / sizeof *raised; k++)
            if (strcmp(limit_row((enum limit)i)->name, raised[k]) == 0)
                qworld_limit(w, raised[k], limit_row((enum limit)i)->most);
}

static bool post(void *self, void (*fn)(void *arg), void *arg)
{
    return hearth_loop_post(self, fn, arg);
}

static void open_channel(struct qworld *w)
{
    const struct hearth_channel_options channel = {.loop = w->loop, .attempts = 1};
    w->channel = hearth_channel_new("pipe:queue", &channel);
    assert_non_null(w->channel);
}

void qworld_start(struct qworld *w)
{
    w->loop = loop_new_stepped(&w->fake, &w->rng);
    assert_non_null(w->loop);
    assert_ok(calm_front_new(&w->env, &w->front_options, &w->front));
    if (!w->limits)
        raise_limits(w);
    assert_ok(queue_open(&w->env, &w->options, &w->queue));
    assert_ok(inbox_new((struct store_post){post, w->loop}, &w->inbox));
    const struct hearth_interceptor interceptor = front_interceptor(w->front);
    const struct hearth_server_options server = {
        .interceptors = &interceptor, .interceptor_count = 1, .no_health = true};
    w->server = hearth_server_new(&server);
    assert_non_null(w->server);
    assert_ok(queue_add(w->queue, w->server));
    assert_true(hearth_server_listen(w->server, "pipe:queue", NULL));
    assert_true(hearth_server_start_on(w->server, w->loop));
    open_channel(w);
}

static void close_all(struct qworld *w)
{
    qworld_settle(w);
    hearth_channel_free(w->channel);
    qworld_settle(w);
    hearth_server_free(w->server);
    queue_close(w->queue);
    while (loop_step(w->loop))
        ;
    inbox_free(w->inbox);
    front_free(w->front);
    hearth_loop_free(w->loop);
}

void qworld_end(struct qworld *w)
{
    close_all(w);
    keeper_close(w->env.keeper);
    hearth_status_clear(&w->last);
    if (w->vfs != NULL)
        vfs_fault_free(w->vfs);
}

void qworld_restart(struct qworld *w, bool crash)
{
    close_all(w);
    if (crash)
        vfs_restart(w->vfs);
    qworld_start(w);
}

void qworld_settle(struct qworld *w)
{
    bool more = true;
    while (more) {
        more = false;
        while (loop_step(w->loop))
            more = true;
        while (store_turn(queue_store(w->queue)))
            more = true;
    }
}

void qworld_run_ms(struct qworld *w, uint64_t ms)
{
    uint64_t until_us = w->fake.now_us + ms * 1000;
    qworld_settle(w);
    while (w->fake.now_us < until_us) {
        uint64_t due_us = timers_next_due_us(&w->loop->env.timers);
        w->fake.now_us = due_us < until_us ? due_us : until_us;
        qworld_settle(w);
    }
}

/* As if the world had slept: nothing on the loop sees the time in between. */
void qworld_days(struct qworld *w, uint64_t days)
{
    qworld_run_ms(w, 1000);
    hearth_channel_free(w->channel);
    qworld_settle(w);
    w->fake.now_us += days * 86400 * 1000000;
    qworld_settle(w);
    open_channel(w);
}

/* ---- calls */

struct call {
    struct qworld *w;
    bool done;
    ProtobufCMessage *out;
};

static ProtobufCMessage *copy_of(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    (void)protobuf_c_message_pack(message, bytes);
    ProtobufCMessage *copy = protobuf_c_message_unpack(message->descriptor, NULL, len, bytes);
    assert_non_null(copy);
    free(bytes);
    return copy;
}

static void note(struct qworld *w, const struct hearth_status *status)
{
    hearth_status_clear(&w->last);
    w->wanted = tokens_wanted(status);
    w->last.code = status->code;
    if (status->message != NULL)
        w->last.message = strdup(status->message);
}

static void on_done(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct call *c = arg;
    qworld_pause();
    c->done = true;
    if (out != NULL)
        c->out = copy_of(out);
    note(c->w, status);
    qworld_resume();
}

static const struct hearth_endpoint *endpoint_of(const char *method)
{
    char path[100];
    (void)snprintf(path, sizeof path, "/hearth.v1.Queue/%s", method);
    for (size_t i = 0; i < hearth_queue_descriptor.endpoint_count; i++)
        if (strcmp(hearth_queue_descriptor.endpoints[i].path, path) == 0)
            return &hearth_queue_descriptor.endpoints[i];
    fail_msg("no method %s", method);
    return NULL;
}

enum hearth_code qworld_call(struct qworld *w, struct caller *who, const char *method,
                             const ProtobufCMessage *in, ProtobufCMessage **out)
{
    struct hearth_call_options options = {.metadata = w->metadata,
                                          .metadata_count = w->metadata_count};
    struct call c = {.w = w};
    if (who != NULL)
        options.signer = qworld_signer(who);
    qworld_pause();
    assert_non_null(
        hearth_channel_start(w->channel, endpoint_of(method), &options, in, on_done, &c));
    qworld_resume();
    qworld_settle(w);
    if (!c.done)
        fail_msg("%s did not end", method);
    if (out != NULL)
        *out = c.out;
    else if (c.out != NULL)
        protobuf_c_message_free_unpacked(c.out, NULL);
    return w->last.code;
}

Hearth__V1__Idempotency qworld_id(struct qworld *w, uint8_t room[16])
{
    Hearth__V1__Idempotency id = HEARTH__V1__IDEMPOTENCY__INIT;
    assert_ok(rng_fill(&w->rng, room, 16));
    id.id = (ProtobufCBinaryData){16, room};
    return id;
}

/* ---- the courier's side */

void qref_make(struct qref *r, struct qclient *owner)
{
    struct qworld *w = owner->w;
    struct queue_ref ref = {.has_push_token_key = true};
    struct public_key service;
    struct buf b = BUF_INIT;
    *r = (struct qref){.owner = owner};
    assert_ok(rng_fill(&w->rng, r->tag, sizeof r->tag));
    memcpy(ref.tag, r->tag, sizeof ref.tag);
    memcpy(ref.queue_client_id, owner->client.id.data, QUEUE_ID_BYTES);
    assert_ok(keeper_queue_key(w->env.keeper, &service));
    assert_ok(sealed_ref_seal(&b, &w->rng, public_key_view(&service), bytes_str(w->env.domain),
                              &ref, &owner->client.key));
    assert_true(b.len <= sizeof r->sealed);
    memcpy(r->sealed, b.data, b.len);
    r->len = b.len;
    buf_clear(&b);
}

struct queue_row qref_row(struct qref *r, struct bytes payload)
{
    return (struct queue_row){
        .sealed_ref = bytes_of(r->sealed, r->len), .payload = payload, .sequence = ++r->sequence};
}

struct accepting {
    bool done;
    struct err result;
    size_t count;
    enum queue_outcome *outcomes;
};

static void on_accepted(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    struct accepting *a = arg;
    assert_false(a->done);
    a->done = true;
    a->result = result;
    memcpy(a->outcomes, outcomes, a->count * sizeof *outcomes);
}

struct err qworld_accept(struct qworld *w, const char *origin, const struct queue_row *rows,
                         size_t count, enum queue_outcome *outcomes)
{
    struct accepting a = {.count = count, .outcomes = outcomes};
    TRY(queue_accept(w->queue, bytes_str(origin), rows, count, w->inbox, on_accepted, &a));
    qworld_settle(w);
    assert_true(a.done);
    return a.result;
}

enum queue_outcome qref_send(struct qref *r, uint64_t number, size_t len)
{
    uint8_t *body = calloc(1, len < 8 ? 8 : len);
    enum queue_outcome outcome = (enum queue_outcome)0;
    assert_non_null(body);
    memcpy(body, &number, 8);
    struct queue_row row = qref_row(r, bytes_of(body, len < 8 ? 8 : len));
    assert_ok(qworld_accept(r->owner->w, QWORLD_DOMAIN, &row, 1, &outcome));
    free(body);
    return outcome;
}
