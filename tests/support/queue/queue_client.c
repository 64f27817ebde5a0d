/* Clients of a queue world: they sign, open and check. */
#include "server/queue/record.h"
#include "support/queue/queue_world.h"

void qclient_make(struct qworld *w, struct qclient *c)
{
    *c = (struct qclient){.w = w};
    caller_init(&c->user, REQUEST_QUEUE_USER, bytes_of(NULL, 0), w->env.domain, &w->clock, &w->rng);
    caller_init(&c->client, REQUEST_QUEUE_CLIENT, bytes_of(NULL, 0), w->env.domain, &w->clock,
                &w->rng);
    assert_ok(rng_fill(&w->rng, c->contact_key, sizeof c->contact_key));
    assert_ok(kem_generate(seal_hpke->kem, &w->rng, &c->queue_private, &c->queue_public));
}

void qclient_settings(struct qclient *c, Hearth__V1__QueueClientSettings *settings)
{
    hearth__v1__queue_client_settings__init(settings);
    settings->auth_key = qdata(caller_public_key(&c->client));
    settings->queue_key = qdata(public_key_view(&c->queue_public));
    settings->sealed_push_token = qdata(bytes_str("token"));
    settings->notification_policy = HEARTH__V1__NOTIFICATION_POLICY__NOTIFICATION_POLICY_ALL;
}

void qclient_create(struct qworld *w, struct qclient *c)
{
    uint8_t id[16];
    qclient_make(w, c);
    Hearth__V1__Idempotency once = qworld_id(w, id);
    Hearth__V1__QueueClientSettings settings;
    Hearth__V1__CreateQueueUserRequest in = HEARTH__V1__CREATE_QUEUE_USER_REQUEST__INIT;
    ProtobufCMessage *out = NULL;
    qclient_settings(c, &settings);
    in.idempotency = &once;
    in.auth_key = qdata(caller_public_key(&c->user));
    in.contact_key = qdata(bytes_of(c->contact_key, sizeof c->contact_key));
    in.client = &settings;
    assert_int_equal(qworld_call(w, NULL, "CreateQueueUser", &in.base, &out), HEARTH_OK);
    Hearth__V1__CreateQueueUserResponse *made = (Hearth__V1__CreateQueueUserResponse *)out;
    caller_set_id(&c->user, bytes_of(made->queue_user_id.data, made->queue_user_id.len));
    caller_set_id(&c->client, bytes_of(made->queue_client_id.data, made->queue_client_id.len));
    protobuf_c_message_free_unpacked(out, NULL);
}

void qclient_join(struct qclient *c, struct qclient *first)
{
    uint8_t id[16];
    struct qworld *w = first->w;
    qclient_make(w, c);
    Hearth__V1__Idempotency once = qworld_id(w, id);
    Hearth__V1__QueueClientSettings settings;
    Hearth__V1__CreateQueueClientRequest in = HEARTH__V1__CREATE_QUEUE_CLIENT_REQUEST__INIT;
    ProtobufCMessage *out = NULL;
    qclient_settings(c, &settings);
    in.idempotency = &once;
    in.client = &settings;
    assert_int_equal(qworld_call(w, &first->user, "CreateQueueClient", &in.base, &out), HEARTH_OK);
    Hearth__V1__CreateQueueClientResponse *made = (Hearth__V1__CreateQueueClientResponse *)out;
    caller_set_id(&c->client, bytes_of(made->queue_client_id.data, made->queue_client_id.len));
    caller_set_id(&c->user, first->user.id);
    memcpy(c->contact_key, first->contact_key, sizeof c->contact_key);
    protobuf_c_message_free_unpacked(out, NULL);
}

void qclient_free(struct qclient *c)
{
    caller_clear(&c->user);
    caller_clear(&c->client);
    secret_clear(&c->queue_private);
}

enum hearth_code qclient_delete(struct qclient *c, struct caller *who)
{
    uint8_t id[16];
    Hearth__V1__Idempotency once = qworld_id(c->w, id);
    Hearth__V1__DeleteQueueClientRequest in = HEARTH__V1__DELETE_QUEUE_CLIENT_REQUEST__INIT;
    in.idempotency = &once;
    in.queue_client_id = qdata(c->client.id);
    return qworld_call(c->w, who, "DeleteQueueClient", &in.base, NULL);
}

/* The next item, opened. */
static void open_item(struct qclient *c, struct qgot *got, struct bytes sealed)
{
    struct queue_item item;
    struct buf scratch = BUF_INIT;
    if (sealed.len == 0) {
        got->expired = true;
        assert_ok(queue_ratchet_skip(&c->ratchet));
        return;
    }
    assert_ok(queue_ratchet_open(&c->ratchet, secret_view(&c->queue_private),
                                 public_key_view(&c->queue_public), sealed, &scratch, &item));
    assert_false(item.astray);
    got->kind = item.kind;
    got->body_bytes = item.body.len;
    memcpy(got->tag, item.tag, sizeof got->tag);
    if (item.body.len >= 8)
        memcpy(&got->number, item.body.data, 8);
    buf_clear(&scratch);
}

/* Q2, Q3: numbers come dense, and what comes again is byte for byte what came before. */
void qclient_take(struct qclient *c, uint64_t number, struct bytes sealed)
{
    struct digest hash;
    hash_once(&hash_sha256, sealed, &hash);
    assert_true(number < QWORLD_GOT);
    struct qgot *got = &c->got[number];
    if (got->there) {
        if (sealed.len != 0) /* else it expired since, without being acknowledged */
            assert_memory_equal(hash.data, got->hash.data, hash.len);
        c->repeats++;
        return;
    }
    assert_int_equal(number, c->ratchet.sequence);
    got->there = true;
    got->hash = hash;
    got->sealed_bytes = sealed.len;
    open_item(c, got, sealed);
    assert_int_equal(c->ratchet.sequence, number + 1);
}

enum hearth_code qclient_dequeue(struct qclient *c, uint64_t ack_up_to, uint32_t most,
                                 unsigned *ret_items, unsigned *ret_left)
{
    Hearth__V1__DequeueRequest in = HEARTH__V1__DEQUEUE_REQUEST__INIT;
    ProtobufCMessage *out = NULL;
    in.ack_up_to = ack_up_to;
    in.most = most;
    enum hearth_code code = qworld_call(c->w, &c->client, "Dequeue", &in.base, &out);
    if (out == NULL)
        return code;
    Hearth__V1__DequeueResponse *got = (Hearth__V1__DequeueResponse *)out;
    qworld_pause();
    for (size_t i = 0; i < got->n_items; i++)
        qclient_take(c, got->items[i]->sequence,
                     bytes_of(got->items[i]->sealed.data, got->items[i]->sealed.len));
    if (ret_items != NULL)
        *ret_items = (unsigned)got->n_items;
    if (ret_left != NULL)
        *ret_left = got->left;
    protobuf_c_message_free_unpacked(out, NULL);
    qworld_resume();
    return code;
}

struct counting {
    struct qclient *c;
    uint64_t rows;
};

static struct err run_count(struct store_txn *txn, void *arg)
{
    struct counting *n = arg;
    struct queue *q = n->c->w->queue;
    struct queue_client client;
    TRY(queue_client_by_id(txn, q, n->c->client.id, &client));
    struct stmt *s = stmt_use(txn, SQL_ITEM_RANGE);
    stmt_bind_u64(s, 1, queue_row_key(client.row, 0));
    stmt_bind_u64(s, 2, queue_row_key(client.row, QUEUE_SEQUENCE_MOST));
    stmt_bind_u64(s, 3, 1000000);
    bool row = false;
    TRY(stmt_step(s, &row));
    for (; row; n->rows++)
        TRY(stmt_step(s, &row));
    return ERR_OK;
}

uint64_t qclient_rows(struct qclient *c)
{
    struct counting n = {.c = c};
    assert_ok(store_call_read(queue_store(c->w->queue), run_count, &n));
    return n.rows;
}

/* ---- listeners */

static void on_message(struct hearth_client_call *call, const ProtobufCMessage *message, void *arg)
{
    struct qlistener *l = arg;
    const Hearth__V1__ListenResponse *event = (const Hearth__V1__ListenResponse *)message;
    (void)call;
    if (event->event_case == HEARTH__V1__LISTEN_RESPONSE__EVENT_DRAINED) {
        l->drained++;
        l->drained_up_to = event->drained->up_to;
        return;
    }
    assert_int_equal(event->event_case, HEARTH__V1__LISTEN_RESPONSE__EVENT_ITEM);
    uint64_t number = event->item->sequence;
    qworld_pause();
    qclient_take(l->c, number, bytes_of(event->item->sealed.data, event->item->sealed.len));
    qworld_resume();
    assert_true(l->items == 0 || number == l->last + 1);
    l->last = number;
    l->items++;
    if (l->on_item != NULL)
        l->on_item(l, number);
    if (l->ack_each)
        qlistener_ack(l, number);
}

static void on_over(struct hearth_client_call *call, const struct hearth_status *status, void *arg)
{
    struct qlistener *l = arg;
    (void)call;
    l->call = NULL;
    l->over = true;
    l->code = status->code;
}

void qlisten_begin(struct qlistener *l, struct qclient *c, uint64_t from)
{
    static const struct hearth_stream_events events = {.on_message = on_message,
                                                       .on_done = on_over};
    const struct hearth_call_options options = {.signer = qworld_signer(&c->client)};
    Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
    Hearth__V1__ListenStart start = HEARTH__V1__LISTEN_START__INIT;
    struct qlistener before = *l;
    *l = (struct qlistener){.c = c, .ack_each = before.ack_each, .on_item = before.on_item};
    for (size_t i = 0; i < hearth_queue_descriptor.endpoint_count; i++)
        if (strcmp(hearth_queue_descriptor.endpoints[i].path, "/hearth.v1.Queue/Listen") == 0)
            l->call = hearth_channel_open(c->w->channel, &hearth_queue_descriptor.endpoints[i],
                                          &options, &events, l);
    assert_non_null(l->call);
    start.from_sequence = from;
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_START;
    in.start = &start;
    (void)hearth_client_call_write(l->call, &in.base);
}

void qlisten(struct qlistener *l, struct qclient *c, uint64_t from)
{
    qlisten_begin(l, c, from);
    qworld_settle(c->w);
}

void qlistener_ack(struct qlistener *l, uint64_t up_to)
{
    Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_ACK_UP_TO;
    in.ack_up_to = up_to;
    if (l->call != NULL)
        (void)hearth_client_call_write(l->call, &in.base);
}

void qlistener_close(struct qlistener *l)
{
    if (l->call != NULL)
        hearth_client_call_cancel(l->call);
    qworld_settle(l->c->w);
    assert_null(l->call);
}
