/* The generated stubs over a runtime made of recorders: what a stub hands on, what it hands back,
 * and that nothing it allocates is left over (the sanitizer build looks for leaks). */
#include "support/test.h"

#include <stdio.h>

#include "golden/names_rpc.h"
#include "golden/shapes_rpc.h"
#include "hearth/options.pb-c.h"

typedef Hearth__Golden__V1__Question question_type;
typedef Hearth__Golden__V1__Answer answer_type;

/* ---- the runtime ---- */

struct hearth_call {
    const ProtobufCMessage *replied;
    const ProtobufCMessage *written;
};

struct hearth_stream {
    const struct hearth_endpoint *endpoint;
    const ProtobufCMessage *written;
    ProtobufCMessage *next; /* what read gives */
    bool half_closed;
    enum hearth_code code; /* of finish */
    bool broken;           /* write fails */
};

struct hearth_client_call {
    const struct hearth_endpoint *endpoint;
    const ProtobufCMessage *written;
    bool half_closed;
    hearth_done_fn *on_done;
    struct hearth_stream_events events;
    void *arg;
};

static struct hearth_stream the_stream;
static struct hearth_client_call the_call;
static const struct hearth_service *added_service;
static const void *added_impl;
static void *added_self;
static bool fail_start;
static int write_result;
static enum hearth_code call_code;
static ProtobufCMessage *call_out;

bool hearth_server_add(struct hearth_server *server, const struct hearth_service *service,
                       const void *impl, void *self)
{
    (void)server;
    added_service = service;
    added_impl = impl;
    added_self = self;
    return true;
}

void hearth_call_reply(struct hearth_call *call, const ProtobufCMessage *out)
{
    call->replied = out;
}

int hearth_call_write(struct hearth_call *call, const ProtobufCMessage *item)
{
    call->written = item;
    return 7;
}

enum hearth_code hearth_channel_call(struct hearth_channel *channel,
                                     const struct hearth_endpoint *endpoint,
                                     const struct hearth_call_options *options,
                                     const ProtobufCMessage *in, ProtobufCMessage **ret_out,
                                     struct hearth_status *status)
{
    (void)channel, (void)options, (void)status;
    the_call.endpoint = endpoint;
    the_call.written = in;
    *ret_out = call_out;
    return call_code;
}

struct hearth_client_call *hearth_channel_start(struct hearth_channel *channel,
                                                const struct hearth_endpoint *endpoint,
                                                const struct hearth_call_options *options,
                                                const ProtobufCMessage *in, hearth_done_fn *on_done,
                                                void *arg)
{
    (void)channel, (void)options;
    the_call = (struct hearth_client_call){
        .endpoint = endpoint, .written = in, .on_done = on_done, .arg = arg};
    return fail_start ? NULL : &the_call;
}

struct hearth_client_call *hearth_channel_open(struct hearth_channel *channel,
                                               const struct hearth_endpoint *endpoint,
                                               const struct hearth_call_options *options,
                                               const struct hearth_stream_events *events, void *arg)
{
    (void)channel, (void)options;
    the_call = (struct hearth_client_call){.endpoint = endpoint, .events = *events, .arg = arg};
    return fail_start ? NULL : &the_call;
}

int hearth_client_call_write(struct hearth_client_call *call, const ProtobufCMessage *item)
{
    call->written = item;
    return write_result;
}

void hearth_client_call_half_close(struct hearth_client_call *call)
{
    call->half_closed = true;
}

struct hearth_stream *hearth_stream_open(struct hearth_channel *channel,
                                         const struct hearth_endpoint *endpoint,
                                         const struct hearth_call_options *options)
{
    (void)channel, (void)options;
    the_stream.endpoint = endpoint;
    return fail_start ? NULL : &the_stream;
}

bool hearth_stream_write(struct hearth_stream *stream, const ProtobufCMessage *item)
{
    stream->written = item;
    return !stream->broken;
}

void hearth_stream_half_close(struct hearth_stream *stream)
{
    stream->half_closed = true;
}

ProtobufCMessage *hearth_stream_read(struct hearth_stream *stream)
{
    return stream->next;
}

enum hearth_code hearth_stream_finish(struct hearth_stream *stream, struct hearth_status *status)
{
    (void)status;
    return stream->code;
}

static int reset(void **state)
{
    (void)state;
    the_stream = (struct hearth_stream){0};
    the_call = (struct hearth_client_call){0};
    fail_start = false;
    write_result = 1;
    call_code = HEARTH_OK;
    call_out = NULL;
    return 0;
}

/* ---- server ---- */

static char seen[100]; /* which handler ran, with what */

static enum hearth_code ask(struct hearth_call *call, const question_type *in, answer_type *out,
                            void *self)
{
    (void)call;
    snprintf(seen, sizeof seen, "ask %s %s", in->text, (const char *)self);
    out->text = in->text;
    return HEARTH_NOT_FOUND;
}

static enum hearth_code listen(struct hearth_call *call, const question_type *in, void *self)
{
    (void)call;
    snprintf(seen, sizeof seen, "listen %s %s", in->text, (const char *)self);
    return HEARTH_LATER;
}

static enum hearth_code tell(struct hearth_call *call, const question_type *in, answer_type *out,
                             void *self)
{
    (void)call;
    snprintf(seen, sizeof seen, "tell %s %s", in == NULL ? "end" : in->text, (const char *)self);
    return in == NULL && out != NULL ? HEARTH_OK : HEARTH_LATER;
}

static enum hearth_code talk(struct hearth_call *call, const question_type *in, void *self)
{
    (void)call;
    snprintf(seen, sizeof seen, "talk %s %s", in == NULL ? "end" : in->text, (const char *)self);
    return HEARTH_DATA_LOSS;
}

static enum hearth_code talk_open(struct hearth_call *call, void *self)
{
    (void)call;
    snprintf(seen, sizeof seen, "open %s", (const char *)self);
    return HEARTH_ABORTED;
}

static void handlers_are_reached(void **state)
{
    (void)state;
    static const struct hearth_shapes_service impl = {
        .ask = ask, .listen = listen, .tell = tell, .talk = talk, .talk_open = talk_open};
    static char self[] = "self";
    assert_true(hearth_server_add_shapes(NULL, &impl, self));
    assert_ptr_equal(added_impl, &impl);
    assert_ptr_equal(added_self, self);
    const struct hearth_endpoint *row = added_service->endpoints;
    assert_int_equal(added_service->endpoint_count, 4);

    struct hearth_call call = {0};
    question_type in;
    answer_type out;
    hearth__golden__v1__question__init(&in);
    hearth__golden__v1__answer__init(&out);
    static char text[] = "q";
    in.text = text;
    assert_int_equal(row[0].invoke(&call, &in.base, &out.base, &impl, self), HEARTH_NOT_FOUND);
    assert_string_equal(seen, "ask q self");
    assert_string_equal(out.text, "q");
    assert_int_equal(row[1].invoke(&call, &in.base, NULL, &impl, self), HEARTH_LATER);
    assert_string_equal(seen, "listen q self");
    assert_int_equal(row[2].invoke(&call, &in.base, &out.base, &impl, self), HEARTH_LATER);
    assert_string_equal(seen, "tell q self");
    assert_int_equal(row[2].invoke(&call, NULL, &out.base, &impl, self), HEARTH_OK);
    assert_string_equal(seen, "tell end self");
    assert_int_equal(row[3].invoke(&call, NULL, NULL, &impl, self), HEARTH_DATA_LOSS);
    assert_string_equal(seen, "talk end self");
    assert_int_equal(row[3].open(&call, &impl, self), HEARTH_ABORTED);
    assert_string_equal(seen, "open self");
    assert_int_equal(row[2].open(&call, &impl, self), HEARTH_LATER); /* no opinion */
    assert_null(row[0].open);
    assert_null(row[1].open);

    static const struct hearth_shapes_service none = {0};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(row[i].invoke(&call, &in.base, &out.base, &none, self),
                         HEARTH_UNIMPLEMENTED);
    assert_int_equal(row[2].open(&call, &none, self), HEARTH_UNIMPLEMENTED);

    hearth_shapes_ask_reply(&call, &out);
    assert_ptr_equal(call.replied, &out);
    hearth_shapes_tell_reply(&call, &out);
    assert_int_equal(hearth_shapes_listen_write(&call, &out), 7);
    assert_ptr_equal(call.written, &out);
    assert_int_equal(hearth_shapes_talk_write(&call, &out), 7);
}

/* The rows carry what shapes.proto says. */
static void rows_carry_the_policy(void **state)
{
    (void)state;
    assert_string_equal(hearth_shapes_descriptor.name, "hearth.golden.v1.Shapes");
    const struct hearth_endpoint *row = hearth_shapes_descriptor.endpoints;
    assert_string_equal(row[0].path, "/hearth.golden.v1.Shapes/Ask");
    assert_int_equal(row[0].shape, HEARTH_UNARY);
    assert_int_equal(row[0].callers, HEARTH_CALLER_BIT(HEARTH__CALLER__CALLER_CLIENT) |
                                         HEARTH_CALLER_BIT(HEARTH__CALLER__CALLER_HOMESERVER));
    assert_int_equal(row[0].cost, HEARTH__COST__COST_LOW);
    assert_true(row[0].idempotent && row[0].federated && !row[0].compression);
    assert_int_equal(row[0].request_bytes, 1024);
    assert_int_equal(row[0].response_bytes, 2048);
    assert_int_equal(row[0].deadline_ms, 5000);
    assert_int_equal(row[0].memory_bytes, 65536);
    assert_ptr_equal(row[0].request, &hearth__golden__v1__question__descriptor);
    assert_ptr_equal(row[0].response, &hearth__golden__v1__answer__descriptor);
    assert_int_equal(row[1].shape, HEARTH_SERVER_STREAM);
    assert_int_equal(row[1].response_bytes, 64 << 20);
    assert_true(!row[1].idempotent && !row[1].federated && !row[1].compression);
    assert_int_equal(row[2].shape, HEARTH_CLIENT_STREAM);
    assert_int_equal(row[2].cost, HEARTH__COST__COST_BY_SIZE);
    assert_true(row[2].compression);
    assert_int_equal(row[3].shape, HEARTH_BIDI);
    assert_int_equal(row[3].callers, HEARTH_CALLER_BIT(HEARTH__CALLER__CALLER_MEMBER));
    assert_int_equal(row[3].request_bytes, 100);
    assert_int_equal(row[3].response_bytes, 200);

    question_type in;
    struct hearth_broken_rule broken;
    hearth__golden__v1__question__init(&in);
    for (size_t i = 0; i < 4; i++)
        assert_false(row[i].validate_request(&in.base, &broken));
    assert_string_equal(broken.path, "id");
}

/* Outer holds InnerThing, which holds Outer; Outer_two holds Outer in a map. */
static void rows_say_what_can_nest_without_end(void **state)
{
    (void)state;
    const struct hearth_endpoint *row = golden_foo_bar_httpservice_descriptor.endpoints;
    assert_false(row[0].request_recursive); /* Empty */
    assert_true(row[0].response_recursive); /* InnerThing */
    assert_true(row[1].request_recursive);  /* Outer */
    assert_true(row[1].response_recursive); /* Outer_two */
    row = hearth_shapes_descriptor.endpoints;
    assert_false(row[0].request_recursive || row[0].response_recursive);
}

/* ---- client ---- */

static answer_type *new_answer(void)
{
    /* as if unpacked: malloc'd, so that a stub that forgets it leaks */
    return hearth__golden__v1__answer__unpack(NULL, 0, NULL);
}

static void blocking_unary(void **state)
{
    (void)state;
    question_type in;
    hearth__golden__v1__question__init(&in);
    answer_type *answer = new_answer();
    answer_type *out = NULL;
    call_out = &answer->base;
    assert_int_equal(hearth_shapes_ask(NULL, NULL, &in, &out, NULL), HEARTH_OK);
    assert_ptr_equal(out, answer);
    assert_ptr_equal(the_call.written, &in);
    assert_string_equal(the_call.endpoint->path, "/hearth.golden.v1.Shapes/Ask");
    hearth__golden__v1__answer__free_unpacked(answer, NULL);
    call_out = NULL;
    call_code = HEARTH_ABORTED;
    assert_int_equal(hearth_shapes_ask(NULL, NULL, &in, &out, NULL), HEARTH_ABORTED);
    assert_null(out);
}

static void asked(const struct hearth_status *status, const answer_type *out, void *arg)
{
    snprintf(arg, 100, "%d %s", (int)status->code, out == NULL ? "none" : "some");
}

static void unary_with_a_callback(void **state)
{
    (void)state;
    char said[100] = "";
    question_type in;
    hearth__golden__v1__question__init(&in);
    answer_type out;
    hearth__golden__v1__answer__init(&out);
    const struct hearth_status ok = {0};
    const struct hearth_status bad = {.code = HEARTH_UNAVAILABLE};
    assert_non_null(hearth_shapes_ask_start(NULL, NULL, &in, asked, said));
    assert_ptr_equal(the_call.written, &in);
    the_call.on_done(&ok, &out.base, the_call.arg);
    assert_string_equal(said, "0 some");
    assert_non_null(hearth_shapes_ask_start(NULL, NULL, &in, asked, said));
    the_call.on_done(&bad, NULL, the_call.arg);
    assert_string_equal(said, "14 none");
    assert_non_null(hearth_shapes_ask_start(NULL, NULL, &in, NULL, NULL));
    the_call.on_done(&ok, NULL, the_call.arg);
    fail_start = true;
    assert_null(hearth_shapes_ask_start(NULL, NULL, &in, asked, said));
}

enum { SAID_BYTES = 100 };

static void say(char *said, const char *what)
{
    size_t len = strlen(said);
    snprintf(said + len, SAID_BYTES - len, "%s", what);
}

static void on_headers(struct hearth_client_call *call, void *arg)
{
    assert_ptr_equal(call, &the_call);
    say(arg, "headers ");
}

static void on_message(struct hearth_client_call *call, const answer_type *item, void *arg)
{
    assert_ptr_equal(call, &the_call);
    say(arg, item->text);
}

static void on_writable(struct hearth_client_call *call, void *arg)
{
    assert_ptr_equal(call, &the_call);
    say(arg, "writable ");
}

static void on_done(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    assert_ptr_equal(call, &the_call);
    char text[20];
    snprintf(text, sizeof text, "done %d", (int)status->code);
    say(arg, text);
}

static void run_events(const char *want, char *said)
{
    const struct hearth_status status = {.code = HEARTH_CANCELLED};
    static char text[] = "item ";
    answer_type item;
    hearth__golden__v1__answer__init(&item);
    item.text = text;
    the_call.events.on_headers(&the_call, the_call.arg);
    the_call.events.on_message(&the_call, &item.base, the_call.arg);
    the_call.events.on_writable(&the_call, the_call.arg);
    the_call.events.on_done(&the_call, &status, the_call.arg);
    assert_string_equal(said, want);
    *said = '\0';
}

static void streams_with_events(void **state)
{
    (void)state;
    static const char all[] = "headers item writable done 1";
    char said[SAID_BYTES] = "";
    question_type in;
    hearth__golden__v1__question__init(&in);
    {
        struct hearth_shapes_listen_events events = {on_headers, on_message, on_writable, on_done};
        assert_non_null(hearth_shapes_listen_start(NULL, NULL, &in, &events, said));
        assert_ptr_equal(the_call.written, &in);
        assert_true(the_call.half_closed);
        memset(&events, 0, sizeof events); /* it was copied */
        run_events(all, said);
        assert_non_null(hearth_shapes_listen_start(NULL, NULL, &in, &events, said));
        run_events("", said);
        write_result = -1; /* the call is over: on_done is still to come */
        assert_non_null(hearth_shapes_listen_start(NULL, NULL, &in, &events, said));
        assert_false(the_call.half_closed);
        run_events("", said);
        write_result = 0;
        fail_start = true;
        assert_null(hearth_shapes_listen_start(NULL, NULL, &in, &events, said));
        fail_start = false;
    }
    {
        const struct hearth_shapes_tell_events events = {on_headers, on_message, on_writable,
                                                         on_done};
        assert_non_null(hearth_shapes_tell_start(NULL, NULL, &events, said));
        assert_null(the_call.written);
        assert_int_equal(hearth_shapes_tell_push(&the_call, &in), 0);
        assert_ptr_equal(the_call.written, &in);
        assert_false(the_call.half_closed);
        run_events(all, said);
    }
    {
        const struct hearth_shapes_talk_events events = {on_headers, on_message, on_writable,
                                                         on_done};
        assert_non_null(hearth_shapes_talk_start(NULL, NULL, &events, said));
        assert_int_equal(hearth_shapes_talk_push(&the_call, &in), 0);
        run_events(all, said);
    }
}

static void blocking_streams(void **state)
{
    (void)state;
    question_type in;
    hearth__golden__v1__question__init(&in);
    answer_type answer;
    hearth__golden__v1__answer__init(&answer);

    assert_ptr_equal(hearth_shapes_listen_open(NULL, NULL, &in), &the_stream);
    assert_string_equal(the_stream.endpoint->path, "/hearth.golden.v1.Shapes/Listen");
    assert_ptr_equal(the_stream.written, &in);
    assert_true(the_stream.half_closed);
    the_stream.next = &answer.base;
    assert_ptr_equal(hearth_shapes_listen_read(&the_stream), &answer);

    the_stream = (struct hearth_stream){0};
    assert_ptr_equal(hearth_shapes_talk_open(NULL, NULL), &the_stream);
    assert_false(the_stream.half_closed);
    assert_true(hearth_shapes_talk_send(&the_stream, &in));
    the_stream.broken = true;
    assert_false(hearth_shapes_talk_send(&the_stream, &in));
    assert_null(hearth_shapes_talk_read(&the_stream));

    fail_start = true;
    assert_null(hearth_shapes_listen_open(NULL, NULL, &in));
    assert_null(hearth_shapes_tell_open(NULL, NULL));
}

static void client_streams_finish(void **state)
{
    (void)state;
    question_type in;
    hearth__golden__v1__question__init(&in);
    answer_type *out = NULL;
    assert_ptr_equal(hearth_shapes_tell_open(NULL, NULL), &the_stream);
    assert_true(hearth_shapes_tell_send(&the_stream, &in));
    answer_type *answer = new_answer();
    the_stream.next = &answer->base;
    assert_int_equal(hearth_shapes_tell_finish(&the_stream, &out, NULL), HEARTH_OK);
    assert_true(the_stream.half_closed);
    assert_ptr_equal(out, answer);
    /* an answer, and then a status that says it isn't one: the stub frees it */
    the_stream.code = HEARTH_DATA_LOSS;
    assert_int_equal(hearth_shapes_tell_finish(&the_stream, &out, NULL), HEARTH_DATA_LOSS);
    assert_null(out);
}

/* file_descriptors is a FileDescriptorSet: this file last, its imports before it. */
static void descriptors_are_whole(void **state)
{
    (void)state;
    Google__Protobuf__FileDescriptorSet *set = google__protobuf__file_descriptor_set__unpack(
        NULL, hearth_shapes_descriptor.file_descriptors_len,
        hearth_shapes_descriptor.file_descriptors);
    assert_non_null(set);
    assert_int_equal(set->n_file, 3);
    assert_string_equal(set->file[0]->name, "google/protobuf/descriptor.proto");
    assert_string_equal(set->file[1]->name, "hearth/options.proto");
    assert_string_equal(set->file[2]->name, "golden/shapes.proto");
    for (size_t i = 0; i < set->n_file; i++)
        assert_null(set->file[i]->source_code_info);
    assert_int_equal(set->file[2]->n_service, 1);
    assert_int_equal(set->file[2]->service[0]->n_method, 4);
    google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(handlers_are_reached, reset),
        cmocka_unit_test_setup(rows_carry_the_policy, reset),
        cmocka_unit_test_setup(rows_say_what_can_nest_without_end, reset),
        cmocka_unit_test_setup(blocking_unary, reset),
        cmocka_unit_test_setup(unary_with_a_callback, reset),
        cmocka_unit_test_setup(streams_with_events, reset),
        cmocka_unit_test_setup(blocking_streams, reset),
        cmocka_unit_test_setup(client_streams_finish, reset),
        cmocka_unit_test_setup(descriptors_are_whole, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
