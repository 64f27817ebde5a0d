/* Records: made once, changed by their owners only, gone when deleted; every error path of the
 * rows. */
#include "server/queue/desk.h"
#include "server/queue/record.h"
#include "support/queue/queue_world.h"

static struct qworld w;
static struct qclient alice, bob;

static int setup(void **state)
{
    (void)state;
    qworld_init(&w);
    qworld_start(&w);
    qclient_create(&w, &alice);
    qclient_create(&w, &bob);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qworld_end(&w);
    qclient_free(&alice);
    qclient_free(&bob);
    return 0;
}

/* ---- making */

struct creation {
    uint8_t id[16];
    Hearth__V1__Idempotency once;
    Hearth__V1__QueueClientSettings settings;
    Hearth__V1__CreateQueueUserRequest in;
};

static void creation_init(struct creation *m, struct qclient *c)
{
    m->once = qworld_id(&w, m->id);
    qclient_settings(c, &m->settings);
    hearth__v1__create_queue_user_request__init(&m->in);
    m->in.idempotency = &m->once;
    m->in.auth_key = qdata(caller_public_key(&c->user));
    m->in.contact_key = qdata(bytes_of(c->contact_key, sizeof c->contact_key));
    m->in.client = &m->settings;
}

static uint64_t count_rows(const char *what);

/* G4: the same request again is the same record. */
static void g4_creating_twice_is_creating_once(void **state)
{
    (void)state;
    struct creation m;
    struct qclient c;
    qclient_make(&w, &c);
    creation_init(&m, &c);
    uint8_t first[32];
    for (int i = 0; i < 3; i++) {
        ProtobufCMessage *out;
        assert_int_equal(qworld_call(&w, NULL, "CreateQueueUser", &m.in.base, &out), HEARTH_OK);
        Hearth__V1__CreateQueueUserResponse *made = (Hearth__V1__CreateQueueUserResponse *)out;
        if (i == 0) {
            memcpy(first, made->queue_user_id.data, 16);
            memcpy(first + 16, made->queue_client_id.data, 16);
        }
        assert_memory_equal(made->queue_user_id.data, first, 16);
        assert_memory_equal(made->queue_client_id.data, first + 16, 16);
        protobuf_c_message_free_unpacked(out, NULL);
    }
    assert_int_equal(count_rows("clients"), 3);
    m.in.contact_key.data[0] ^= 1; /* another body under the same id */
    assert_int_equal(qworld_call(&w, NULL, "CreateQueueUser", &m.in.base, NULL),
                     HEARTH_ALREADY_EXISTS);
    qclient_free(&c);
}

static struct err map_u64(struct stmt *row, void *arg)
{
    *(uint64_t *)arg = stmt_u64(row, 0);
    return stmt_row_check(row);
}

static struct err run_clients(struct store_txn *txn, void *arg)
{
    uint64_t *count = arg, at = 0;
    for (;; (*count)++) {
        struct stmt *s = stmt_use(txn, SQL_CLIENT_NEXT);
        stmt_bind_u64(s, 1, at);
        struct err err = stmt_first(s, map_u64, &at);
        if (err.code == ERR_NOT_FOUND)
            return ERR_OK;
        TRY(err);
    }
}

static struct err run_dead(struct store_txn *txn, void *arg)
{
    struct err err = stmt_first(stmt_use(txn, SQL_DEAD_NEXT), map_u64, arg);
    return err.code == ERR_NOT_FOUND ? ERR_OK : err;
}

static uint64_t count_rows(const char *what)
{
    uint64_t count = 0;
    assert_ok(store_call_read(queue_store(w.queue),
                              strcmp(what, "clients") == 0 ? run_clients : run_dead, &count));
    return count;
}

static void keys_are_checked(void **state)
{
    (void)state;
    static const uint8_t zeros[64];
    struct creation m;
    struct qclient c;
    qclient_make(&w, &c);
    creation_init(&m, &c);
    m.in.auth_key = qdata(bytes_of(zeros, 31));
    assert_int_equal(qworld_call(&w, NULL, "CreateQueueUser", &m.in.base, NULL),
                     HEARTH_INVALID_ARGUMENT);
    creation_init(&m, &c);
    m.settings.auth_key = qdata(bytes_of(zeros, 33));
    assert_int_equal(qworld_call(&w, NULL, "CreateQueueUser", &m.in.base, NULL),
                     HEARTH_INVALID_ARGUMENT);
    creation_init(&m, &c);
    m.settings.queue_key = qdata(bytes_of(zeros, 31));
    assert_int_equal(qworld_call(&w, NULL, "CreateQueueUser", &m.in.base, NULL),
                     HEARTH_INVALID_ARGUMENT);
    creation_init(&m, &c);
    m.settings.queue_key = qdata(bytes_of(zeros, 32)); /* of small order: nothing can be sealed */
    assert_int_equal(qworld_call(&w, NULL, "CreateQueueUser", &m.in.base, NULL),
                     HEARTH_INVALID_ARGUMENT);
    assert_int_equal(count_rows("clients"), 2);
    qclient_free(&c);
}

/* A source makes so many records an hour; the control: with the bucket raised, many more. */
static void records_are_limited_by_source(void **state)
{
    (void)state;
    struct creation m;
    qworld_limit(&w, "CREATE_QUEUE_PREFIX", 10);
    unsigned made = 0;
    for (int i = 0; i < 12; i++) {
        creation_init(&m, &alice);
        made += qworld_call(&w, NULL, "CreateQueueUser", &m.in.base, NULL) == HEARTH_OK;
    }
    assert_in_range(made, 8, 10); /* two were made before */
    assert_int_equal(w.last.code, HEARTH_RESOURCE_EXHAUSTED);
    qworld_limit(&w, "CREATE_QUEUE_PREFIX", 1000);
    creation_init(&m, &alice);
    assert_int_equal(qworld_call(&w, NULL, "CreateQueueUser", &m.in.base, NULL), HEARTH_OK);
}

/* ---- changing */

static void a_user_changes_its_key(void **state)
{
    (void)state;
    uint8_t id[16];
    struct caller other;
    caller_init(&other, REQUEST_QUEUE_USER, alice.user.id, QWORLD_DOMAIN, &w.clock, &w.rng);
    Hearth__V1__Idempotency once = qworld_id(&w, id);
    Hearth__V1__UpdateQueueUserRequest in = HEARTH__V1__UPDATE_QUEUE_USER_REQUEST__INIT;
    Hearth__V1__GetQueueUserRequest get = HEARTH__V1__GET_QUEUE_USER_REQUEST__INIT;
    in.idempotency = &once;
    in.auth_key = qdata(caller_public_key(&other));
    assert_int_equal(qworld_call(&w, &alice.user, "GetQueueUser", &get.base, NULL), HEARTH_OK);
    assert_int_equal(qworld_call(&w, &other, "UpdateQueueUser", &in.base, NULL),
                     HEARTH_UNAUTHENTICATED);
    assert_int_equal(qworld_call(&w, &alice.user, "UpdateQueueUser", &in.base, NULL), HEARTH_OK);
    assert_int_equal(qworld_call(&w, &alice.user, "GetQueueUser", &get.base, NULL),
                     HEARTH_UNAUTHENTICATED);
    assert_int_equal(qworld_call(&w, &other, "GetQueueUser", &get.base, NULL), HEARTH_OK);
    /* a client's key is not a user's */
    assert_int_not_equal(qworld_call(&w, &alice.client, "GetQueueUser", &get.base, NULL),
                         HEARTH_OK);
    caller_clear(&other);
}

static void a_user_sees_its_clients(void **state)
{
    (void)state;
    struct qclient *second = calloc(1, sizeof *second);
    struct qref r;
    assert_non_null(second);
    qclient_join(second, &alice);
    qref_make(&r, second);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(qref_send(&r, i, 10), QUEUE_OK);
    Hearth__V1__GetQueueUserRequest get = HEARTH__V1__GET_QUEUE_USER_REQUEST__INIT;
    ProtobufCMessage *out;
    assert_int_equal(qworld_call(&w, &alice.user, "GetQueueUser", &get.base, &out), HEARTH_OK);
    Hearth__V1__GetQueueUserResponse *got = (Hearth__V1__GetQueueUserResponse *)out;
    assert_int_equal(got->n_clients, 2);
    assert_memory_equal(got->clients[0]->queue_client_id.data, alice.client.id.data, 16);
    assert_memory_equal(got->clients[1]->queue_client_id.data, second->client.id.data, 16);
    assert_int_equal(got->clients[0]->items, 1);
    assert_int_equal(got->clients[1]->items, 5);
    protobuf_c_message_free_unpacked(out, NULL);
    qclient_free(second);
    free(second);
}

static void clients_of_a_user_are_counted(void **state)
{
    (void)state;
    struct qclient *c = calloc(1, sizeof *c);
    assert_non_null(c);
    uint8_t id[16];
    qworld_limit(&w, "QUEUE_CLIENTS_PER_USER", 3);
    for (int i = 0; i < 2; i++) {
        qclient_join(c, &alice);
        qclient_free(c);
    }
    qclient_make(&w, c);
    Hearth__V1__Idempotency once = qworld_id(&w, id);
    Hearth__V1__QueueClientSettings settings;
    Hearth__V1__CreateQueueClientRequest in = HEARTH__V1__CREATE_QUEUE_CLIENT_REQUEST__INIT;
    qclient_settings(c, &settings);
    in.idempotency = &once;
    in.client = &settings;
    assert_int_equal(qworld_call(&w, &alice.user, "CreateQueueClient", &in.base, NULL),
                     HEARTH_RESOURCE_EXHAUSTED);
    qclient_free(c);
    free(c);
}

/* The next item is sealed under the new key; what was there before, under the old. */
static void a_new_queue_key_is_used_at_once(void **state)
{
    (void)state;
    uint8_t id[16];
    struct qref r;
    struct qlistener l = {0};
    qref_make(&r, &alice);
    qlisten(&l, &alice, 0);
    assert_int_equal(qref_send(&r, 1, 10), QUEUE_OK);
    qworld_run_ms(&w, 20);
    assert_int_equal(l.items, 2);
    struct public_key old = alice.queue_public;
    assert_ok(kem_generate(seal_hpke->kem, &w.rng, &alice.queue_private, &alice.queue_public));
    assert_memory_not_equal(old.data, alice.queue_public.data, 32);
    Hearth__V1__Idempotency once = qworld_id(&w, id);
    Hearth__V1__QueueClientSettings settings;
    Hearth__V1__UpdateQueueClientRequest in = HEARTH__V1__UPDATE_QUEUE_CLIENT_REQUEST__INIT;
    qclient_settings(&alice, &settings);
    in.idempotency = &once;
    in.client = &settings;
    for (int i = 0; i < 2; i++)
        assert_int_equal(qworld_call(&w, &alice.client, "UpdateQueueClient", &in.base, NULL),
                         HEARTH_OK);
    assert_int_equal(qref_send(&r, 2, 10), QUEUE_OK);
    qworld_run_ms(&w, 20);
    assert_int_equal(l.items, 4); /* one refresh: the repeat had no effect */
    assert_int_equal(alice.got[2].kind, QUEUE_ITEM_REFRESH);
    assert_int_equal(alice.got[3].number, 2);
    /* the same key again is no change */
    once = qworld_id(&w, id);
    assert_int_equal(qworld_call(&w, &alice.client, "UpdateQueueClient", &in.base, NULL),
                     HEARTH_OK);
    qworld_run_ms(&w, 2000);
    assert_int_equal(l.items, 4);
    qlistener_close(&l);
}

/* ---- deleting */

static void only_owners_delete(void **state)
{
    (void)state;
    char first[200];
    assert_int_equal(qclient_delete(&alice, &bob.client), HEARTH_PERMISSION_DENIED);
    assert_int_equal(qclient_delete(&alice, &bob.user), HEARTH_PERMISSION_DENIED);
    (void)strncpy(first, w.last.message, sizeof first - 1);
    first[sizeof first - 1] = 0;
    struct qclient *nobody = calloc(1, sizeof *nobody);
    assert_non_null(nobody);
    qclient_make(&w, nobody);
    caller_set_id(&nobody->client, bytes_str("0123456789abcdef"));
    assert_int_equal(qclient_delete(nobody, &bob.user), HEARTH_PERMISSION_DENIED);
    assert_string_equal(w.last.message, first); /* that it exists is not told either */
    assert_int_equal(count_rows("clients"), 2);
    qclient_free(nobody);
    free(nobody);
}

static void deleted_at_once_and_swept(void **state)
{
    (void)state;
    struct qref r;
    struct qlistener l = {0};
    qref_make(&r, &alice);
    for (uint64_t i = 0; i < 700; i++)
        assert_int_equal(qref_send(&r, i, 10), QUEUE_OK);
    qlisten(&l, &alice, alice.ratchet.sequence);
    assert_int_equal(qclient_delete(&alice, &alice.user), HEARTH_OK);
    assert_true(l.over); /* its stream ends */
    assert_int_equal(l.code, HEARTH_UNAUTHENTICATED);
    assert_int_equal(qclient_dequeue(&alice, 0, 0, NULL, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(qref_send(&r, 1000, 10), QUEUE_GONE);
    assert_int_equal(count_rows("dead"), 0);
    assert_int_equal(count_rows("clients"), 1);
    assert_int_equal(qclient_dequeue(&bob, 0, 0, NULL, NULL), HEARTH_OK);
}

static void deleting_a_user_takes_all_of_it(void **state)
{
    (void)state;
    struct qclient *second = calloc(1, sizeof *second);
    assert_non_null(second);
    uint8_t id[16];
    qclient_join(second, &alice);
    Hearth__V1__Idempotency once = qworld_id(&w, id);
    Hearth__V1__DeleteQueueUserRequest in = HEARTH__V1__DELETE_QUEUE_USER_REQUEST__INIT;
    in.idempotency = &once;
    assert_int_equal(qworld_call(&w, &alice.user, "DeleteQueueUser", &in.base, NULL), HEARTH_OK);
    assert_int_equal(qworld_call(&w, &alice.user, "DeleteQueueUser", &in.base, NULL),
                     HEARTH_UNAUTHENTICATED);
    assert_int_equal(qclient_dequeue(&alice, 0, 0, NULL, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(qclient_dequeue(second, 0, 0, NULL, NULL), HEARTH_UNAUTHENTICATED);
    assert_int_equal(count_rows("clients"), 1);
    qclient_free(second);
    free(second);
}

/* ME2: who is unknown and who signs wrongly get one answer. */
static void me2_unknown_and_wrong_alike(void **state)
{
    (void)state;
    char first[200];
    alice.client.faults.wrong_key = true;
    assert_int_equal(qclient_dequeue(&alice, 0, 0, NULL, NULL), HEARTH_UNAUTHENTICATED);
    (void)strncpy(first, w.last.message, sizeof first - 1);
    first[sizeof first - 1] = 0;
    alice.client.faults = (struct caller_faults){.id = bytes_str("0123456789abcdef")};
    assert_int_equal(qclient_dequeue(&alice, 0, 0, NULL, NULL), HEARTH_UNAUTHENTICATED);
    assert_string_equal(w.last.message, first);
}

/* ---- listening, its wrong ways */

static struct hearth_client_call *open_raw(struct qlistener *l, struct qclient *c)
{
    *l = (struct qlistener){.c = c};
    qlisten_begin(l, c, UINT64_MAX >> 1);
    return l->call;
}

static void listening_wrongly(void **state)
{
    (void)state;
    struct qlistener l;
    (void)open_raw(&l, &alice); /* from beyond what there ever was */
    qworld_settle(&w);
    assert_true(l.over);
    assert_int_equal(l.code, HEARTH_OUT_OF_RANGE);
    qlisten(&l, &alice, 0);
    Hearth__V1__ListenRequest in = HEARTH__V1__LISTEN_REQUEST__INIT;
    Hearth__V1__ListenStart start = HEARTH__V1__LISTEN_START__INIT;
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP_START;
    in.start = &start;
    (void)hearth_client_call_write(l.call, &in.base); /* twice */
    qworld_settle(&w);
    assert_true(l.over);
    assert_int_equal(l.code, HEARTH_INVALID_ARGUMENT);
    qlisten(&l, &alice, 0);
    in.step_case = HEARTH__V1__LISTEN_REQUEST__STEP__NOT_SET;
    (void)hearth_client_call_write(l.call, &in.base);
    qworld_settle(&w);
    assert_int_equal(l.code, HEARTH_INVALID_ARGUMENT);
    qlisten(&l, &alice, 0);
    hearth_client_call_half_close(l.call);
    qworld_settle(&w);
    assert_true(l.over);
    assert_int_equal(l.code, HEARTH_OK);
    assert_int_equal(w.queue->desks->map_count, 0);
}

/* Cancelled at every point of its beginning: nothing is left behind. */
static void listeners_that_leave_early(void **state)
{
    (void)state;
    for (unsigned steps = 0; steps < 40; steps++) {
        struct qlistener l = {0};
        qlisten_begin(&l, &alice, 0);
        for (unsigned i = 0; i < steps; i++)
            if (!loop_step(w.loop))
                (void)store_turn(queue_store(w.queue));
        qlistener_close(&l);
        assert_int_equal(w.queue->desks->map_count, 0);
        assert_int_equal(w.queue->desks->first == NULL ? 0 : w.queue->desks->first->count, 0);
    }
}

/* A reader that takes nothing holds nothing of ours, and gets all of it when it reads. */
static void a_slow_reader(void **state)
{
    (void)state;
    struct qref r;
    struct qlistener l = {0};
    qref_make(&r, &alice);
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(qref_send(&r, i, 60000), QUEUE_OK);
    qlisten_begin(&l, &alice, 0);
    hearth_client_call_pause(l.call);
    qworld_run_ms(&w, 3000);
    assert_true(l.items < 20);
    for (int i = 0; i < 300 && alice.ratchet.sequence < 101; i++) {
        hearth_client_call_resume(l.call);
        qworld_run_ms(&w, 20);
    }
    assert_int_equal(l.last, 100);
    assert_int_equal(l.items, 101);
    qlistener_close(&l);
}

/* One answer of Dequeue holds so much and no more, and one item at least. */
static void an_answer_is_bounded(void **state)
{
    (void)state;
    struct qref r;
    unsigned items = 0, left = 0, calls = 0;
    qref_make(&r, &alice);
    for (uint64_t i = 1; i <= 12; i++)
        assert_int_equal(qref_send(&r, i, QUEUE_BODY_MAX_BYTES), QUEUE_OK);
    do {
        uint64_t next = alice.ratchet.sequence;
        assert_int_equal(qclient_dequeue(&alice, next == 0 ? 0 : next - 1, 0, &items, &left),
                         HEARTH_OK);
        assert_in_range(items, 1, 4);
        calls++;
    } while (left != 0);
    assert_int_equal(alice.ratchet.sequence, 13);
    assert_true(calls > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(g4_creating_twice_is_creating_once, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(records_are_limited_by_source, setup, teardown),
        cmocka_unit_test_setup_teardown(a_user_changes_its_key, setup, teardown),
        cmocka_unit_test_setup_teardown(a_user_sees_its_clients, setup, teardown),
        cmocka_unit_test_setup_teardown(clients_of_a_user_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_new_queue_key_is_used_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(only_owners_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(deleted_at_once_and_swept, setup, teardown),
        cmocka_unit_test_setup_teardown(deleting_a_user_takes_all_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(me2_unknown_and_wrong_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(listening_wrongly, setup, teardown),
        cmocka_unit_test_setup_teardown(listeners_that_leave_early, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_is_bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
