/* All four shapes through the generated stubs, blocking and with callbacks, over plaintext and TLS.
 */
#include "support/test.h"

#include <stdio.h>

#include "golden/names_rpc.h"
#include "golden/shapes_rpc.h"
#include "google/rpc/error_details.pb-c.h"
#include "hearth/rpc.h"
#include "support/certificate.h"

typedef Hearth__Golden__V1__Question question_type;
typedef Hearth__Golden__V1__Answer answer_type;

/* ---- server ---- */

struct late {
    struct hearth_call *call;
    const question_type *in;
};

static void answer_late(void *arg)
{
    struct late *late = arg;
    answer_type out;
    hearth__golden__v1__answer__init(&out);
    out.text = hearth_call_printf(late->call, "late %s", late->in->text);
    hearth_shapes_ask_reply(late->call, &out);
}

/* "later" is answered from the loop, after the handler returned; "fail" isn't. */
static enum hearth_code ask(struct hearth_call *call, const question_type *in, answer_type *out,
                            void *self)
{
    if (strcmp(in->text, "fail") == 0)
        return hearth_call_fail(call, HEARTH_ALREADY_EXISTS, "%s was asked before", in->text);
    if (strcmp(in->text, "later") == 0) {
        struct late *late = hearth_call_alloc(call, sizeof *late);
        *late = (struct late){call, in};
        assert_true(hearth_loop_post(hearth_call_loop(call), answer_late, late));
        return HEARTH_LATER;
    }
    out->text = hearth_call_printf(call, "%s %s", (const char *)self, in->text);
    return HEARTH_OK;
}

enum { ITEMS = 3000, ITEM_BYTES = 1000 };

struct listing {
    unsigned sent;
    unsigned waits; /* times that a write said wait */
    char text[ITEM_BYTES + 1];
};

static void list_on(struct hearth_call *call, void *arg)
{
    struct listing *listing = arg;
    answer_type item;
    hearth__golden__v1__answer__init(&item);
    item.text = listing->text;
    while (listing->sent < ITEMS) {
        snprintf(listing->text, 9, "%08u", listing->sent);
        listing->text[8] = 'x';
        listing->sent++;
        int room = hearth_shapes_listen_write(call, &item);
        if (room < 0)
            return;
        if (room == 0) {
            listing->waits++;
            return;
        }
    }
    char waits[16];
    int len = snprintf(waits, sizeof waits, "%u", listing->waits);
    hearth_call_add_trailer(call, "x-waits", waits, (size_t)len);
    hearth_call_finish(call, HEARTH_OK);
}

static enum hearth_code listen(struct hearth_call *call, const question_type *in, void *self)
{
    (void)in, (void)self;
    struct listing *listing = hearth_call_alloc(call, sizeof *listing);
    if (listing == NULL)
        return HEARTH_RESOURCE_EXHAUSTED;
    memset(listing->text, 'x', ITEM_BYTES);
    hearth_call_on_writable(call, list_on, listing);
    list_on(call, listing);
    return HEARTH_LATER;
}

static enum hearth_code tell_open(struct hearth_call *call, void *self)
{
    (void)self;
    hearth_call_set_state(call, hearth_call_alloc(call, sizeof(unsigned)), NULL);
    return HEARTH_LATER;
}

static enum hearth_code tell(struct hearth_call *call, const question_type *in, answer_type *out,
                             void *self)
{
    unsigned *count = hearth_call_state(call);
    (void)self;
    if (in != NULL) {
        ++*count;
        return strcmp(in->text, "enough") == 0 ? HEARTH_OUT_OF_RANGE : HEARTH_LATER;
    }
    out->text = hearth_call_printf(call, "%u told", *count);
    return HEARTH_OK;
}

static enum hearth_code talk_open(struct hearth_call *call, void *self)
{
    const uint8_t *value;
    size_t len;
    (void)self;
    if (hearth_call_metadata(call, "x-refuse", 0, &value, &len))
        return hearth_call_fail(call, HEARTH_PERMISSION_DENIED, "refused");
    return HEARTH_LATER;
}

static enum hearth_code talk(struct hearth_call *call, const question_type *in, void *self)
{
    (void)self;
    if (in == NULL)
        return HEARTH_OK;
    answer_type item;
    hearth__golden__v1__answer__init(&item);
    item.text = in->text;
    return hearth_shapes_talk_write(call, &item) < 0 ? HEARTH_CANCELLED : HEARTH_LATER;
}

static const struct hearth_shapes_service impl = {.ask = ask,
                                                  .listen = listen,
                                                  .tell = tell,
                                                  .tell_open = tell_open,
                                                  .talk = talk,
                                                  .talk_open = talk_open};

/* ---- worlds ---- */

struct world {
    struct test_certificate certificate;
    struct hearth_loop *loop; /* of both sides; NULL: threads of their own */
    struct hearth_server *server;
    struct hearth_channel *channel;
};

static void world_open(struct world *w, bool tls, bool one_loop)
{
    static char self[] = "said";
    w->loop = one_loop ? hearth_loop_new(NULL) : NULL;
    w->server = hearth_server_new(NULL);
    assert_non_null(w->server);
    assert_true(hearth_server_add_shapes(w->server, &impl, self));
    test_certificate_make(&w->certificate, "shapes.test");
    const struct hearth_tls_options server_tls = {
        .certificate_file = w->certificate.certificate_file, .key_file = w->certificate.key_file};
    assert_true(hearth_server_listen(w->server, "127.0.0.1:0", tls ? &server_tls : NULL));
    assert_true(one_loop ? hearth_server_start_on(w->server, w->loop)
                         : hearth_server_start(w->server));
    const struct hearth_tls_options client_tls = {.ca_file = w->certificate.certificate_file};
    const struct hearth_channel_options options = {.tls = tls ? &client_tls : NULL,
                                                   .loop = w->loop};
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", hearth_server_port(w->server, 0));
    w->channel = hearth_channel_new(address, &options);
    assert_non_null(w->channel);
}

static void world_close(struct world *w)
{
    hearth_channel_free(w->channel);
    hearth_server_free(w->server);
    if (w->loop != NULL)
        hearth_loop_free(w->loop);
    test_certificate_remove(&w->certificate);
}

static question_type question(char *text)
{
    static uint8_t id[4] = {1, 2, 3, 4};
    question_type in;
    hearth__golden__v1__question__init(&in);
    in.id = (ProtobufCBinaryData){sizeof id, id};
    in.text = text;
    return in;
}

static char hello[] = "hello";
static char later[] = "later";
static char fails[] = "fail";
static char enough[] = "enough";

/* ---- blocking ---- */

static void blocking_unary(struct hearth_channel *channel)
{
    struct hearth_status status;
    answer_type *out = NULL;
    question_type in = question(hello);
    assert_int_equal(hearth_shapes_ask(channel, NULL, &in, &out, &status), HEARTH_OK);
    assert_string_equal(out->text, "said hello");
    hearth__golden__v1__answer__free_unpacked(out, NULL);
    hearth_status_clear(&status);

    in = question(later);
    assert_int_equal(hearth_shapes_ask(channel, NULL, &in, &out, NULL), HEARTH_OK);
    assert_string_equal(out->text, "late later");
    hearth__golden__v1__answer__free_unpacked(out, NULL);

    in = question(fails);
    assert_int_equal(hearth_shapes_ask(channel, NULL, &in, &out, &status), HEARTH_ALREADY_EXISTS);
    assert_null(out);
    assert_string_equal(status.message, "fail was asked before");
    hearth_status_clear(&status);

    in.id.len = 3; /* the field's rule, checked by the server */
    assert_int_equal(hearth_shapes_ask(channel, NULL, &in, &out, &status), HEARTH_INVALID_ARGUMENT);
    assert_string_equal(status.message, "id: must be 4 bytes");
    ProtobufCMessage *detail = hearth_status_find(&status, &google__rpc__bad_request__descriptor);
    assert_non_null(detail);
    const Google__Rpc__BadRequest *bad = (const Google__Rpc__BadRequest *)detail;
    assert_int_equal(bad->n_field_violations, 1);
    assert_string_equal(bad->field_violations[0]->field, "id");
    assert_string_equal(bad->field_violations[0]->description, "must be 4 bytes");
    protobuf_c_message_free_unpacked(detail, NULL);
    hearth_status_clear(&status);
}

static void blocking_server_stream(struct hearth_channel *channel)
{
    struct hearth_status status;
    question_type in = question(hello);
    struct hearth_stream *stream = hearth_shapes_listen_open(channel, NULL, &in);
    assert_non_null(stream);
    unsigned count = 0;
    for (answer_type *item = hearth_shapes_listen_read(stream); item != NULL;
         item = hearth_shapes_listen_read(stream)) {
        assert_int_equal(strtoul(item->text, NULL, 10), count++);
        assert_int_equal(strlen(item->text), ITEM_BYTES);
        hearth__golden__v1__answer__free_unpacked(item, NULL);
    }
    assert_int_equal(count, ITEMS);
    assert_int_equal(hearth_stream_finish(stream, &status), HEARTH_OK);
    /* three megabytes don't fit a window: the handler was made to wait, and woken */
    const uint8_t *waits;
    size_t len;
    assert_true(hearth_status_metadata(&status, "x-waits", 0, &waits, &len));
    assert_true(len > 0 && waits[0] != '0');
    hearth_status_clear(&status);
}

static void blocking_client_stream(struct hearth_channel *channel)
{
    answer_type *out = NULL;
    question_type in = question(hello);
    struct hearth_stream *stream = hearth_shapes_tell_open(channel, NULL);
    for (int i = 0; i < 500; i++)
        assert_true(hearth_shapes_tell_send(stream, &in));
    assert_int_equal(hearth_shapes_tell_finish(stream, &out, NULL), HEARTH_OK);
    assert_string_equal(out->text, "500 told");
    hearth__golden__v1__answer__free_unpacked(out, NULL);

    struct hearth_status status;
    stream = hearth_shapes_tell_open(channel, NULL);
    in = question(enough);
    while (hearth_shapes_tell_send(stream, &in))
        ;
    assert_int_equal(hearth_shapes_tell_finish(stream, &out, &status), HEARTH_OUT_OF_RANGE);
    assert_null(out);
    hearth_status_clear(&status);
}

static void blocking_bidi(struct hearth_channel *channel)
{
    question_type in = question(hello);
    struct hearth_stream *stream = hearth_shapes_talk_open(channel, NULL);
    for (int i = 0; i < 50; i++) {
        assert_true(hearth_shapes_talk_send(stream, &in));
        answer_type *item = hearth_shapes_talk_read(stream);
        assert_non_null(item);
        assert_string_equal(item->text, "hello");
        hearth__golden__v1__answer__free_unpacked(item, NULL);
    }
    hearth_stream_half_close(stream);
    assert_null(hearth_shapes_talk_read(stream));
    assert_int_equal(hearth_stream_finish(stream, NULL), HEARTH_OK);

    const struct hearth_metadata refuse = {"x-refuse", "1", 1};
    const struct hearth_call_options options = {.metadata = &refuse, .metadata_count = 1};
    stream = hearth_shapes_talk_open(channel, &options);
    assert_null(hearth_shapes_talk_read(stream));
    assert_int_equal(hearth_stream_finish(stream, NULL), HEARTH_PERMISSION_DENIED);
}

static void check_blocking(bool tls)
{
    struct world w;
    world_open(&w, tls, false);
    blocking_unary(w.channel);
    blocking_server_stream(w.channel);
    blocking_client_stream(w.channel);
    blocking_bidi(w.channel);
    world_close(&w);
}

static void blocking_plain(void **state)
{
    (void)state;
    check_blocking(false);
}

static void blocking_tls(void **state)
{
    (void)state;
    check_blocking(true);
}

/* ---- callbacks: both sides on one loop and one thread ---- */

struct progress {
    struct world *world;
    struct hearth_client_call *call; /* nulled when it is over */
    unsigned messages;
    unsigned pushed;
    enum hearth_code code;
    char text[64];
};

static void over(struct progress *p, const struct hearth_status *status)
{
    p->code = status->code;
    p->call = NULL;
    hearth_loop_stop(p->world->loop);
}

static void asked(const struct hearth_status *status, const answer_type *out, void *arg)
{
    struct progress *p = arg;
    snprintf(p->text, sizeof p->text, "%s", out == NULL ? "none" : out->text);
    over(p, status);
}

static void got(struct hearth_client_call *call, const answer_type *item, void *arg)
{
    struct progress *p = arg;
    assert_ptr_equal(call, p->call);
    p->messages++;
    snprintf(p->text, sizeof p->text, "%s", item->text);
}

static void done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    assert_ptr_equal(call, ((struct progress *)arg)->call);
    over(arg, status);
}

/* Each answer brings the next question. */
static void got_and_ask_on(struct hearth_client_call *call, const answer_type *item, void *arg)
{
    struct progress *p = arg;
    question_type in = question(hello);
    got(call, item, arg);
    if (++p->pushed < 20)
        assert_true(hearth_shapes_talk_push(call, &in) >= 0);
    else
        hearth_client_call_half_close(call);
}

static void run(struct progress *p)
{
    p->code = HEARTH_LATER;
    assert_non_null(p->call);
    hearth_loop_run(p->world->loop);
    assert_null(p->call);
}

static void check_callbacks(bool tls)
{
    struct world w;
    world_open(&w, tls, true);
    struct progress p = {.world = &w};
    question_type in = question(later);
    p.call = hearth_shapes_ask_start(w.channel, NULL, &in, asked, &p);
    run(&p);
    assert_int_equal(p.code, HEARTH_OK);
    assert_string_equal(p.text, "late later");
    in = question(fails);
    p.call = hearth_shapes_ask_start(w.channel, NULL, &in, asked, &p);
    run(&p);
    assert_int_equal(p.code, HEARTH_ALREADY_EXISTS);
    assert_string_equal(p.text, "none");

    in = question(hello);
    const struct hearth_shapes_listen_events listen_events = {.on_message = got, .on_done = done};
    p.call = hearth_shapes_listen_start(w.channel, NULL, &in, &listen_events, &p);
    run(&p);
    assert_int_equal(p.code, HEARTH_OK);
    assert_int_equal(p.messages, ITEMS);

    const struct hearth_shapes_tell_events tell_events = {.on_message = got, .on_done = done};
    p.call = hearth_shapes_tell_start(w.channel, NULL, &tell_events, &p);
    for (int i = 0; i < 3; i++)
        assert_true(hearth_shapes_tell_push(p.call, &in) >= 0);
    hearth_client_call_half_close(p.call);
    run(&p);
    assert_int_equal(p.code, HEARTH_OK);
    assert_string_equal(p.text, "3 told");

    const struct hearth_shapes_talk_events talk_events = {.on_message = got_and_ask_on,
                                                          .on_done = done};
    p.messages = 0;
    p.call = hearth_shapes_talk_start(w.channel, NULL, &talk_events, &p);
    assert_true(hearth_shapes_talk_push(p.call, &in) >= 0);
    run(&p);
    assert_int_equal(p.code, HEARTH_OK);
    assert_int_equal(p.messages, 20);

    p.call = hearth_shapes_talk_start(w.channel, NULL, &talk_events, &p);
    hearth_client_call_cancel(p.call);
    run(&p);
    assert_int_equal(p.code, HEARTH_CANCELLED);
    world_close(&w);
}

/* A channel that goes while calls are under way ends them: the stubs' callbacks run once, and
 * nothing is left. */
static void free_under_calls(void **state)
{
    (void)state;
    struct world w;
    world_open(&w, false, true);
    struct progress unary = {.world = &w, .code = HEARTH_LATER};
    struct progress stream = {.world = &w, .code = HEARTH_LATER};
    question_type in = question(hello);
    const struct hearth_shapes_listen_events events = {.on_message = got, .on_done = done};
    unary.call = hearth_shapes_ask_start(w.channel, NULL, &in, asked, &unary);
    stream.call = hearth_shapes_listen_start(w.channel, NULL, &in, &events, &stream);
    assert_non_null(unary.call);
    assert_non_null(stream.call);
    world_close(&w);
    assert_int_equal(unary.code, HEARTH_CANCELLED);
    assert_int_equal(stream.code, HEARTH_CANCELLED);
}

static void callbacks_plain(void **state)
{
    (void)state;
    check_callbacks(false);
}

static void callbacks_tls(void **state)
{
    (void)state;
    check_callbacks(true);
}

/* ---- messages within messages ---- */

typedef Golden__FooBar__Outer outer_type;
typedef Golden__FooBar__Outer__InnerThing inner_type;

enum { LEVELS = 400 };

/* Outer within InnerThing within Outer ...: `levels` messages in all, the outermost an Outer. */
struct nest {
    outer_type outer[LEVELS];
    inner_type inner[LEVELS];
    outer_type *list[LEVELS];
};

static outer_type *nest_init(struct nest *nest, size_t levels)
{
    for (size_t i = 0; i < LEVELS; i++) {
        golden__foo_bar__outer__init(&nest->outer[i]);
        golden__foo_bar__outer__inner_thing__init(&nest->inner[i]);
        nest->list[i] = &nest->outer[i];
    }
    for (size_t made = 1, at = 0; made < levels; made++) {
        if (made % 2 == 1) {
            nest->outer[at].delete_ = &nest->inner[at];
        } else {
            nest->inner[at].back = &nest->list[at + 1];
            nest->inner[at].n_back = 1;
            at++;
        }
    }
    return &nest->outer[0];
}

static struct nest deep; /* what the server answers with */

static enum hearth_code ids(struct hearth_call *call, const outer_type *in, void *self)
{
    (void)self;
    if (in == NULL)
        return HEARTH_OK;
    return golden_foo_bar_httpservice_ids_write(call, &deep.inner[0]) < 0 ? HEARTH_CANCELLED
                                                                          : HEARTH_LATER;
}

static enum hearth_code ask_ids(struct hearth_channel *channel, size_t ask_levels,
                                size_t answer_levels)
{
    static struct nest question_nest;
    nest_init(&deep, answer_levels + 1);
    const outer_type *in = nest_init(&question_nest, ask_levels);
    struct hearth_stream *stream = golden_foo_bar_httpservice_ids_open(channel, NULL);
    assert_non_null(stream);
    (void)golden_foo_bar_httpservice_ids_send(stream, in);
    hearth_stream_half_close(stream);
    inner_type *item = golden_foo_bar_httpservice_ids_read(stream);
    if (item != NULL)
        protobuf_c_message_free_unpacked(&item->base, NULL);
    return hearth_stream_finish(stream, NULL);
}

/* A hundred levels are taken, both ways; more is refused before anything recurses. */
static void nesting_is_bounded(void **state)
{
    (void)state;
    static const struct golden_foo_bar_httpservice_service nesting = {.ids = ids};
    char address[32];
    struct hearth_server *server = hearth_server_new(NULL);
    assert_true(hearth_server_add_golden_foo_bar_httpservice(server, &nesting, NULL));
    assert_true(hearth_server_listen(server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(server));
    snprintf(address, sizeof address, "127.0.0.1:%u", hearth_server_port(server, 0));
    struct hearth_channel *channel = hearth_channel_new(address, NULL);
    assert_int_equal(ask_ids(channel, 100, 100), HEARTH_OK);
    assert_int_equal(ask_ids(channel, 101, 1), HEARTH_INTERNAL);
    assert_int_equal(ask_ids(channel, 1, 101), HEARTH_INTERNAL);
    hearth_channel_free(channel);
    hearth_server_free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocking_plain),   cmocka_unit_test(blocking_tls),
        cmocka_unit_test(callbacks_plain),  cmocka_unit_test(callbacks_tls),
        cmocka_unit_test(free_under_calls), cmocka_unit_test(nesting_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
