/* Calls at the authentication service, several after each other, in a world where whoever says to
 * be somebody is (the front's control), so that handlers see what nobody would sign. The input is a
 * list of records (support/auth/auth_world.h). Whatever they ask, the rows fit each other
 * afterwards. */
#include "support/auth/auth_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { CALLS_MOST = 40, INVITATIONS = 4 };

static void answered(const struct hearth_status *status, const ProtobufCMessage *out, void *arg)
{
    (void)status;
    (void)out;
    *(bool *)arg = true;
}

static void unary(struct auth_world *w, const struct auth_record *record,
                  const struct hearth_call_options *options, const ProtobufCMessage *in)
{
    bool done = false;
    if (hearth_channel_start(w->channel, record->endpoint, options, in, answered, &done) == NULL)
        abort();
    auth_world_settle(w);
    if (!done)
        abort();
}

struct open_stream {
    const struct hearth_endpoint *endpoint;
    struct hearth_client_call *call; /* NULL once it is over */
};

static void stream_done(struct hearth_client_call *call, const struct hearth_status *status,
                        void *arg)
{
    (void)call;
    (void)status;
    ((struct open_stream *)arg)->call = NULL;
}

static void close_stream(struct auth_world *w, struct open_stream *s)
{
    if (s->call != NULL)
        hearth_client_call_cancel(s->call);
    auth_world_settle(w);
    s->endpoint = NULL;
}

/* Further records of the same stream are its further messages. */
static void streaming(struct auth_world *w, const struct auth_record *record,
                      const struct hearth_call_options *options, const ProtobufCMessage *in,
                      struct open_stream *s)
{
    static const struct hearth_stream_events events = {.on_done = stream_done};
    if (s->endpoint != record->endpoint || s->call == NULL) {
        close_stream(w, s);
        s->endpoint = record->endpoint;
        s->call = hearth_channel_open(w->channel, record->endpoint, options, &events, s);
        if (s->call == NULL)
            abort();
    }
    (void)hearth_client_call_write(s->call, in);
    auth_world_settle(w);
}

/* Can it be put into a header at all? */
static bool can_sign(const struct auth_record *record, const struct caller *who)
{
    static const uint8_t zeros[32];
    const struct request_auth auth = {.kind = (enum request_caller)record->kind,
                                      .id = record->id,
                                      .audience = bytes_str(AUTH_WORLD_DOMAIN),
                                      .nonce = zeros};
    struct buf b = BUF_INIT;
    bool can = err_is_ok(request_auth_sign(&b, &auth, bytes_str("/a/b"), zeros, &who->key));
    buf_clear(&b);
    return can;
}

static void perform(struct auth_world *w, const struct auth_record *record, struct caller *who,
                    struct open_stream *s)
{
    ProtobufCMessage *in = protobuf_c_message_unpack(record->endpoint->request, NULL,
                                                     record->request.len, record->request.data);
    if (in == NULL)
        return;
    struct hearth_call_options options = {.deadline_ms = 5000};
    if (record->kind >= REQUEST_CLIENT && can_sign(record, who)) {
        who->kind = (enum request_caller)record->kind;
        caller_set_id(who, record->id);
        options.signer = caller_signer(who);
    }
    if (record->endpoint->shape == HEARTH_UNARY)
        unary(w, record, &options, in);
    else
        streaming(w, record, &options, in, s);
    protobuf_c_message_free_unpacked(in, NULL);
}

static void check_rows(struct auth_world *w)
{
    struct auth_counts counts;
    if (!err_is_ok(auth_counts(w->auth, &counts)) || counts.clients < counts.users ||
        counts.users + counts.invitations > INVITATIONS)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct auth_world w;
    struct caller who;
    struct bytes in = bytes_of(data, len);
    struct auth_record record;
    struct open_stream stream = {0};
    struct buf codes = BUF_INIT;
    auth_world_init(&w);
    w.front_options.control = true;
    auth_world_start(&w, true);
    if (!err_is_ok(auth_invite(w.auth, INVITATIONS, 0, &codes)))
        abort();
    buf_clear(&codes);
    caller_init(&who, REQUEST_CLIENT, bytes_of(NULL, 0), AUTH_WORLD_DOMAIN, &w.clock, &w.rng);
    for (int i = 0; i < CALLS_MOST && auth_record_read(&in, &record); i++) {
        if (record.id.len > REQUEST_ID_MAX_BYTES)
            break;
        perform(&w, &record, &who, &stream);
        check_rows(&w);
    }
    close_stream(&w, &stream);
    w.fake.now_us += 400ULL * 86400 * 1000000;
    auth_world_expire(&w);
    check_rows(&w);
    caller_clear(&who);
    auth_world_end(&w);
    return 0;
}
