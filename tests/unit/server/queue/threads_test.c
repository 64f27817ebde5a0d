/* Listeners on both loops of a real server, rows from another thread, stores with threads of their
 * own: everything arrives once and in order, newer listeners fence older ones across loops, and the
 * server may go at any moment. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "hearth/v1/queue_rpc.h"
#include "seal/sealed_ref.h"
#include "server/queue/record.h"
#include "support/server/caller.h"
#include "support/store_dir.h"
#include "support/test.h"

enum { CLIENTS = 8, ROWS = 60 };

static struct {
    struct store_dir dir;
    struct front_env env;
    struct queue *queue;
    struct hearth_server *server;
    char target[32];
    struct client {
        struct caller caller;
        uint8_t sealed[SEALED_REF_MAX_BYTES];
        size_t sealed_len;
        atomic_uint got;
        atomic_bool listening;
        pthread_t thread;
    } clients[CLIENTS];
} w;

static struct err add_clients(struct store_txn *txn, void *arg)
{
    struct secret private_key;
    struct public_key queue_key, service;
    (void)arg;
    TRY(kem_generate(seal_hpke->kem, &rng_system, &private_key, &queue_key));
    secret_clear(&private_key);
    TRY(keeper_queue_key(w.env.keeper, &service));
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &w.clients[i];
        struct queue_user user = {0};
        struct queue_client client = {.auth_key_len = 32, .queue_key_len = 32};
        memcpy(client.auth_key, caller_public_key(&c->caller).data, 32);
        memcpy(client.queue_key, queue_key.data, 32);
        TRY(queue_user_add(txn, w.queue, &user));
        TRY(queue_client_add(txn, w.queue, queue_now_s(w.queue), &user, &client));
        TRY(queue_user_set(txn, w.queue, &user));
        caller_set_id(&c->caller, bytes_of(client.id, sizeof client.id));
        struct queue_ref ref = {.tag = {(uint8_t)i}};
        struct buf b = BUF_INIT;
        memcpy(ref.queue_client_id, client.id, sizeof client.id);
        TRY(sealed_ref_seal(&b, &rng_system, public_key_view(&service), bytes_str("a.test"), &ref,
                            &c->caller.key));
        memcpy(c->sealed, b.data, b.len);
        c->sealed_len = b.len;
        buf_clear(&b);
    }
    return ERR_OK;
}

static int begin(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    store_dir_make_fast(&w.dir);
    w.env = (struct front_env){
        .domain = "a.test", .development = true, .clock = &clock_system, .rng = &rng_system};
    assert_ok(keeper_open(NULL, bytes_str("a.test"), &clock_system, &rng_system, &w.env.keeper));
    assert_ok(front_new(&w.env, &(struct front_options){0}, &w.env.front));
    struct queue_options options = {.store = {.path = w.dir.path}};
    assert_ok(queue_open(&w.env, &options, &w.queue));
    for (int i = 0; i < CLIENTS; i++)
        caller_init(&w.clients[i].caller, REQUEST_QUEUE_CLIENT, bytes_of(NULL, 0), "a.test",
                    &clock_system, &rng_system);
    assert_ok(store_call(queue_store(w.queue), add_clients, NULL));
    struct hearth_interceptor interceptor = front_interceptor(w.env.front);
    struct hearth_server_options server = {
        .threads = 2, .no_health = true, .interceptors = &interceptor, .interceptor_count = 1};
    w.server = hearth_server_new(&server);
    assert_non_null(w.server);
    assert_ok(queue_add(w.queue, w.server));
    assert_true(hearth_server_listen(w.server, "127.0.0.1:0", NULL));
    assert_true(hearth_server_start(w.server));
    (void)snprintf(w.target, sizeof w.target, "127.0.0.1:%d", hearth_server_port(w.server, 0));
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (w.server != NULL)
        hearth_server_free(w.server);
    queue_close(w.queue);
    front_free(w.env.front);
    keeper_close(w.env.keeper);
    for (int i = 0; i < CLIENTS; i++)
        caller_clear(&w.clients[i].caller);
    store_dir_remove(&w.dir);
    return 0;
}

static bool send_start(struct hearth_stream *stream, uint64_t from)
{
    Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
    Hearth__V1__ListenStart start = HEARTH__V1__LISTEN_START__INIT;
    start.from_sequence = from;
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_START;
    in.start = &start;
    return hearth_queue_listen_send(stream, &in);
}

static bool send_ack(struct hearth_stream *stream, uint64_t up_to)
{
    Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_ACK_UP_TO;
    in.ack_up_to = up_to;
    return hearth_queue_listen_send(stream, &in);
}

/* Listens until it has `most` items or the stream ends; acknowledges each. */
static enum hearth_code listen_for(struct client *c, uint64_t *next, unsigned most)
{
    struct hearth_channel *channel = hearth_channel_new(w.target, NULL);
    struct hearth_call_options options = {.signer = caller_signer(&c->caller)};
    struct hearth_stream *stream = hearth_queue_listen_open(channel, &options);
    bool going = send_start(stream, *next);
    while (going && *next < most) {
        Hearth__V1__ListenResponse *event = hearth_queue_listen_read(stream);
        if (event == NULL)
            break;
        if (event->event_case == HEARTH__V1__LISTEN_RESPONSE__EVENT_DRAINED)
            atomic_store(&c->listening, true);
        if (event->event_case == HEARTH__V1__LISTEN_RESPONSE__EVENT_ITEM) {
            assert_int_equal(event->item->sequence, *next);
            (*next)++;
            (void)atomic_fetch_add(&c->got, 1);
            going = send_ack(stream, event->item->sequence);
        }
        protobuf_c_message_free_unpacked(&event->base, NULL);
    }
    enum hearth_code code = hearth_stream_finish(stream, NULL);
    hearth_channel_free(channel);
    return code;
}

static void *listen_to_all(void *arg)
{
    struct client *c = arg;
    uint64_t next = 0;
    while (next < ROWS + 1) /* item 0 too; a connection that was refused is tried again */
        (void)listen_for(c, &next, ROWS + 1);
    return NULL;
}

/* ---- the courier, on a thread of the store */

struct sending {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
};

static void on_accepted(void *arg, struct err result, const enum queue_outcome *outcomes)
{
    struct sending *s = arg;
    assert_ok(result);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(outcomes[i], QUEUE_OK);
    (void)pthread_mutex_lock(&s->lock);
    s->done = true;
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
}

static void send_to_all(uint64_t number)
{
    struct sending s = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    struct queue_row rows[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        rows[i] =
            (struct queue_row){.sealed_ref = bytes_of(w.clients[i].sealed, w.clients[i].sealed_len),
                               .payload = bytes_str("a message"),
                               .sequence = number};
    assert_ok(queue_accept(w.queue, bytes_str("a.test"), rows, CLIENTS, NULL, on_accepted, &s));
    (void)pthread_mutex_lock(&s.lock);
    while (!s.done)
        (void)pthread_cond_wait(&s.wake, &s.lock);
    (void)pthread_mutex_unlock(&s.lock);
}

static void everything_arrives_in_order(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&w.clients[i].thread, NULL, listen_to_all, &w.clients[i]),
                         0);
    for (uint64_t n = 1; n <= ROWS; n++)
        send_to_all(n);
    for (int i = 0; i < CLIENTS; i++) {
        (void)pthread_join(w.clients[i].thread, NULL);
        assert_int_equal(w.clients[i].got, ROWS + 1);
    }
}

static void *listen_till_fenced(void *arg)
{
    struct client *c = arg;
    uint64_t next = 0;
    return (void *)(uintptr_t)listen_for(c, &next, UINT32_MAX);
}

static void pause_ms(long ms)
{
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&t, NULL);
}

/* Connections fall on either loop, so some of these fences cross over. */
static void fences_across_loops(void **state)
{
    (void)state;
    enum { LISTENERS = 10 };
    struct client same[LISTENERS];
    pthread_t threads[LISTENERS];
    for (int i = 0; i < LISTENERS; i++) {
        same[i] = w.clients[0];
        same[i].caller.last = BUF_INIT;
        same[i].caller.id.data = same[i].caller.id_bytes;
        atomic_store(&same[i].listening, false);
        assert_int_equal(pthread_create(&threads[i], NULL, listen_till_fenced, &same[i]), 0);
        for (int n = 0; !atomic_load(&same[i].listening) && n < 5000; n++)
            pause_ms(2);
        assert_true(atomic_load(&same[i].listening));
    }
    for (int i = 0; i < LISTENERS - 1; i++) {
        void *code;
        (void)pthread_join(threads[i], &code);
        assert_int_equal((uintptr_t)code, HEARTH_ABORTED);
    }
    hearth_server_free(w.server); /* under the last one, and with rows coming */
    w.server = NULL;
    send_to_all(1);
    void *code;
    (void)pthread_join(threads[LISTENERS - 1], &code);
    assert_int_not_equal((uintptr_t)code, HEARTH_OK);
    for (int i = 0; i < LISTENERS; i++)
        buf_clear(&same[i].caller.last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_arrives_in_order, begin, end),
        cmocka_unit_test_setup_teardown(fences_across_loops, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
