#include "support/auth/auth_world.h"

#include <stdio.h>

#include "support/failing.h"
#include "support/server/calm.h"
#include "wire/reader.h"
#include "wire/writer.h"

ProtobufCBinaryData auth_data(struct bytes view)
{
    return (ProtobufCBinaryData){view.len, (uint8_t *)(uintptr_t)view.data};
}

struct bytes auth_view(ProtobufCBinaryData data)
{
    return bytes_of(data.data, data.len);
}

/* ---- failing allocations: only between these two */

static void enter_code(const struct auth_world *w)
{
    if (w->failing)
        test_resume_failing();
}

static void leave_code(const struct auth_world *w)
{
    if (w->failing)
        test_pause_failing();
}

void auth_world_fail(struct auth_world *w, long n)
{
    test_fail_own_allocation(n);
    test_pause_failing();
    w->failing = true;
}

bool auth_world_failed(struct auth_world *w)
{
    w->failing = false;
    return test_allocation_failed();
}

/* ---- life */

void auth_world_init(struct auth_world *w)
{
    *w = (struct auth_world){.fake = {.now_us = 1000000, .unix_base_ms = 1800000000000}};
    w->clock = clock_of_fake(&w->fake);
    rng_seeded_init(&w->seeded, 7);
    w->rng = rng_of_seeded(&w->seeded);
    w->env = (struct front_env){
        .domain = AUTH_WORLD_DOMAIN,
        .development = true,
        .clock = &w->clock,
        .rng = &w->rng,
    };
    w->options.store = (struct store_options){.mode = STORE_INLINE, .clock = &w->clock};
    assert_ok(keeper_open(NULL, bytes_str(AUTH_WORLD_DOMAIN), &w->clock, &w->rng, &w->keeper));
    w->env.keeper = w->keeper;
}

void auth_world_use_vfs(struct auth_world *w, const char *name)
{
    w->vfs = vfs_fault_new(name);
    w->options.store.files = name;
    w->options.store.path = "auth.db";
}

static uint64_t most_of(const char *limit)
{
    for (int i = 0; i < LIMITS; i++)
        if (strcmp(limit_row((enum limit)i)->name, limit) == 0)
            return limit_row((enum limit)i)->most;
    return 0;
}

static void open_all(struct auth_world *w, bool limits)
{
    static const char *const raised[] = {
        "REGISTER_PREFIX",     "REGISTER_ALL",       "CLIENT_CHANGES",  "PROFILE_CHANGES",
        "HANDLE_CHECKS",       "CONNECT_HANDLE",     "CONNECT_PREFIX",  "CREATE_HANDLE_PREFIX",
        "KEY_PACKAGE_UPLOADS", "FAILED_AUTH_PREFIX", "ANONYMOUS_PREFIX"};
    w->loop = loop_new_stepped(&w->fake, &w->rng);
    assert_non_null(w->loop);
    assert_ok(calm_front_new(&w->env, &w->front_options, &w->front));
    for (size_t i = 0; i < sizeof raised / sizeof *raised && !limits; i++)
        assert_ok(limits_set(front_limits(w->front), raised[i], most_of(raised[i])));
    if (!limits) /* invitations are free */
        assert_ok(limits_set(front_limits(w->front), "PRICE_HIGH", 0));
    assert_ok(auth_open(&w->env, &w->options, &w->auth));
    const struct hearth_interceptor interceptor = front_interceptor(w->front);
    const struct hearth_server_options server = {
        .interceptors = &interceptor, .interceptor_count = 1, .no_health = true};
    w->server = hearth_server_new(&server);
    assert_non_null(w->server);
    assert_ok(auth_add(w->auth, w->server));
    assert_true(hearth_server_listen(w->server, "pipe:auth", NULL));
    assert_true(hearth_server_start_on(w->server, w->loop));
    const struct hearth_channel_options channel = {.loop = w->loop, .attempts = 1};
    w->channel = hearth_channel_new("pipe:auth", &channel);
    assert_non_null(w->channel);
}

void auth_world_start(struct auth_world *w, bool limits)
{
    open_all(w, limits);
}

static void close_all(struct auth_world *w)
{
    auth_world_settle(w);
    hearth_channel_free(w->channel);
    auth_world_settle(w);
    hearth_server_free(w->server);
    auth_close(w->auth);
    while (loop_step(w->loop))
        ;
    front_free(w->front);
    hearth_loop_free(w->loop);
}

void auth_world_end(struct auth_world *w)
{
    close_all(w);
    if (w->vfs != NULL)
        vfs_fault_free(w->vfs);
    keeper_close(w->keeper);
    hearth_status_clear(&w->last);
}

void auth_world_restart(struct auth_world *w, bool crash)
{
    close_all(w);
    if (crash)
        vfs_restart(w->vfs);
    open_all(w, false);
}

void auth_world_power_on(struct auth_world *w, uint64_t seed)
{
    close_all(w);
    vfs_power_on(w->vfs, seed);
    open_all(w, false);
}

/* ---- time */

void auth_world_settle(struct auth_world *w)
{
    bool more = true;
    enter_code(w);
    while (more) {
        more = false;
        while (loop_step(w->loop))
            more = true;
        while (store_turn(auth_store(w->auth)))
            more = true;
    }
    leave_code(w);
}

void auth_world_run_ms(struct auth_world *w, uint64_t ms)
{
    uint64_t until_us = w->fake.now_us + ms * 1000;
    auth_world_settle(w);
    while (w->fake.now_us < until_us) {
        uint64_t due_us = timers_next_due_us(&w->loop->env.timers);
        w->fake.now_us = due_us < until_us ? due_us : until_us;
        auth_world_settle(w);
    }
}

/* As if the world had slept: nothing on the loop sees the time in between. */
void auth_world_hours(struct auth_world *w, uint64_t hours)
{
    auth_world_run_ms(w, 1000);
    hearth_channel_free(w->channel);
    auth_world_settle(w);
    w->fake.now_us += hours * 3600 * 1000000;
    auth_world_settle(w);
    const struct hearth_channel_options channel = {.loop = w->loop, .attempts = 1};
    w->channel = hearth_channel_new("pipe:auth", &channel);
    assert_non_null(w->channel);
}

void auth_world_days(struct auth_world *w, uint64_t days)
{
    auth_world_hours(w, days * 24);
}

void auth_world_expire(struct auth_world *w)
{
    for (int i = 0; auth_expire(w->auth); i++)
        assert_true(i < 1000);
}

/* ---- calls */

static const struct hearth_endpoint *endpoint_of(const char *method)
{
    char path[100];
    (void)snprintf(path, sizeof path, "/hearth.v1.Auth/%s", method);
    for (size_t i = 0; i < hearth_auth_descriptor.endpoint_count; i++)
        if (strcmp(hearth_auth_descriptor.endpoints[i].path, path) == 0)
            return &hearth_auth_descriptor.endpoints[i];
    fail_msg("no method %s", method);
    return NULL;
}

static ProtobufCMessage *copy_of(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(len + 1);
    assert_non_null(bytes);
    assert_int_equal(protobuf_c_message_pack(message, bytes), len);
    ProtobufCMessage *copy = protobuf_c_message_unpack(message->descriptor, NULL, len, bytes);
    assert_non_null(copy);
    free(bytes);
    return copy;
}

/* What may be kept of a status. */
static void note(struct auth_world *w, const struct hearth_status *status)
{
    hearth_status_clear(&w->last);
    w->last.code = status->code;
    if (status->message != NULL)
        w->last.message = strdup(status->message);
    if (status->details_len > 0) {
        w->last.details = malloc(status->details_len);
        assert_non_null(w->last.details);
        memcpy(w->last.details, status->details, status->details_len);
        w->last.details_len = status->details_len;
    }
}

static void on_call_done(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    struct auth_call *c = arg;
    leave_code(c->world);
    c->done = true;
    c->call = NULL;
    c->code = status->code;
    if (out != NULL)
        c->out = copy_of(out);
    note(c->world, status);
    enter_code(c->world);
}

/* The caller's own, whose allocations are not the server's to survive. */
static enum hearth_code sign(struct hearth_client_call *call,
                             const struct hearth_endpoint *endpoint, const uint8_t *message,
                             size_t len, void *self)
{
    struct signing *s = self;
    const struct hearth_signer signer = caller_signer(s->who);
    leave_code(s->world);
    enum hearth_code code = signer.sign(call, endpoint, message, len, signer.self);
    enter_code(s->world);
    return code;
}

static struct hearth_signer signer_of(struct auth_world *w, struct caller *who,
                                      struct signing *signing)
{
    *signing = (struct signing){w, who};
    return who != NULL ? (struct hearth_signer){sign, signing} : (struct hearth_signer){0};
}

void auth_world_begin(struct auth_world *w, struct caller *who, const char *method,
                      const ProtobufCMessage *in, struct auth_call *c)
{
    *c = (struct auth_call){.world = w};
    const struct hearth_call_options options = {.signer = signer_of(w, who, &c->signing),
                                                .metadata = w->metadata,
                                                .metadata_count = w->metadata_count};
    const struct hearth_endpoint *endpoint = endpoint_of(method);
    if (w->record != NULL)
        auth_record_write(w->record, endpoint, who, in);
    enter_code(w);
    c->call = hearth_channel_start(w->channel, endpoint, &options, in, on_call_done, c);
    leave_code(w);
    if (c->call == NULL) {
        assert_true(w->failing);
        c->done = true;
        c->code = HEARTH_UNAVAILABLE;
    }
}

void auth_call_clear(struct auth_call *c)
{
    if (c->out != NULL)
        protobuf_c_message_free_unpacked(c->out, NULL);
    *c = (struct auth_call){0};
}

enum hearth_code auth_world_call(struct auth_world *w, struct caller *who, const char *method,
                                 const ProtobufCMessage *in, ProtobufCMessage **out)
{
    struct auth_call c;
    auth_world_begin(w, who, method, in, &c);
    auth_world_settle(w);
    if (!c.done)
        fail_msg("%s did not end", method);
    enum hearth_code code = c.code;
    if (out != NULL) {
        *out = c.out;
        c.out = NULL;
    }
    auth_call_clear(&c);
    return code;
}

/* ---- records */

void auth_record_write(struct buf *b, const struct hearth_endpoint *endpoint,
                       const struct caller *who, const ProtobufCMessage *in)
{
    struct buf request = BUF_INIT;
    size_t len = protobuf_c_message_get_packed_size(in);
    (void)protobuf_c_message_pack(in, buf_extend(&request, len + 1));
    request.len = len;
    wire_write_u8(b, (uint8_t)(endpoint - hearth_auth_descriptor.endpoints));
    wire_write_u8(b, who != NULL ? (uint8_t)who->kind : 0);
    wire_write_vector(b, who != NULL ? who->id : bytes_of(NULL, 0));
    wire_write_vector(b, buf_view(&request));
    buf_clear(&request);
}

bool auth_record_read(struct bytes *in, struct auth_record *ret_record)
{
    struct wire_reader r = wire_reader_of(*in);
    size_t endpoint = wire_read_u8(&r) % hearth_auth_descriptor.endpoint_count;
    struct auth_record record = {.endpoint = &hearth_auth_descriptor.endpoints[endpoint]};
    record.kind = wire_read_u8(&r) % 4;
    record.id = wire_read_vector(&r);
    record.request = wire_read_vector(&r);
    *in = bytes_of(r.at, wire_reader_left(&r));
    *ret_record = record;
    return err_is_ok(wire_reader_check(&r));
}

/* ---- streams */

static void on_message(struct hearth_client_call *call, const ProtobufCMessage *item, void *arg)
{
    struct auth_stream *s = arg;
    (void)call;
    assert_true(s->count < AUTH_STREAM_ITEMS);
    leave_code(s->world);
    s->items[s->count++] = copy_of(item);
    enter_code(s->world);
}

static void on_stream_done(struct hearth_client_call *call, const struct hearth_status *status,
                           void *arg)
{
    struct auth_stream *s = arg;
    (void)call;
    s->done = true;
    s->call = NULL;
    s->code = status->code;
    leave_code(s->world);
    note(s->world, status);
    enter_code(s->world);
}

void auth_stream_open(struct auth_world *w, struct caller *who, const char *method,
                      struct auth_stream *s)
{
    static const struct hearth_stream_events events = {.on_message = on_message,
                                                       .on_done = on_stream_done};
    *s = (struct auth_stream){.world = w};
    const struct hearth_call_options options = {.signer = signer_of(w, who, &s->signing),
                                                .metadata = w->metadata,
                                                .metadata_count = w->metadata_count};
    const struct hearth_endpoint *endpoint = endpoint_of(method);
    enter_code(w);
    s->endpoint = endpoint;
    s->call = hearth_channel_open(w->channel, endpoint, &options, &events, s);
    leave_code(w);
    if (s->call == NULL) {
        assert_true(w->failing);
        s->done = true;
        s->code = HEARTH_UNAVAILABLE;
    }
}

void auth_stream_send(struct auth_stream *s, const ProtobufCMessage *item)
{
    if (s->world->record != NULL)
        auth_record_write(s->world->record, s->endpoint, s->signing.who, item);
    enter_code(s->world);
    if (s->call != NULL)
        (void)hearth_client_call_write(s->call, item);
    leave_code(s->world);
    auth_world_settle(s->world);
}

void auth_stream_close(struct auth_stream *s)
{
    if (s->call != NULL)
        hearth_client_call_cancel(s->call);
    auth_world_settle(s->world);
    for (size_t i = 0; i < s->count; i++)
        protobuf_c_message_free_unpacked(s->items[i], NULL);
    s->count = 0;
}
