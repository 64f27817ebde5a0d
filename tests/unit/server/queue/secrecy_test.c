/* ME3: what an image of the files gives away. Canaries: ids, domains, bodies, tokens, keys, exact
 * times; and whether two queues of one group can be told from two of different groups. */
#include <stdio.h>

#include "server/queue/record.h"
#include "support/queue/queue_world.h"

static struct qworld w;
enum { CLIENTS = 8 };
static struct qclient clients[CLIENTS];
static struct qref refs[CLIENTS];

static int setup(void **state)
{
    (void)state;
    qworld_init(&w);
    qworld_use_vfs(&w, "queue secrecy");
    qworld_start(&w);
    for (int i = 0; i < CLIENTS; i++) {
        qclient_create(&w, &clients[i]);
        qref_make(&refs[i], &clients[i]);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qworld_end(&w);
    for (int i = 0; i < CLIENTS; i++)
        qclient_free(&clients[i]);
    return 0;
}

static void absent(struct bytes canary)
{
    assert_false(vfs_contains(w.vfs, canary));
}

static void me3_no_canary(void **state)
{
    (void)state;
    static const char body[] = "canary of a body, long enough to be found";
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < CLIENTS; i++) {
            struct queue_row row = qref_row(&refs[i], bytes_str(body));
            enum queue_outcome outcome;
            assert_ok(qworld_accept(&w, "canary-origin.test", &row, 1, &outcome));
            assert_int_equal(outcome, QUEUE_OK);
        }
        qworld_run_ms(&w, 1000);
        assert_int_equal(qclient_dequeue(&clients[round % CLIENTS], 3, 0, NULL, NULL), HEARTH_OK);
    }
    qworld_restart(&w, true); /* kill -9 */
    for (int i = 0; i < CLIENTS; i++) {
        struct qclient *c = &clients[i];
        absent(c->client.id);
        absent(c->user.id);
        absent(bytes_of(refs[i].tag, QUEUE_TAG_BYTES));
        absent(bytes_of(refs[i].sealed, 32));
        absent(caller_public_key(&c->client));
        absent(caller_public_key(&c->user));
        absent(public_key_view(&c->queue_public));
        absent(bytes_of(c->contact_key, CONTACT_KEY_BYTES));
        absent(bytes_of(c->ratchet.chain, QUEUE_CHAIN_BYTES));
    }
    absent(bytes_of(body, 20));
    absent(bytes_str("canary-origin"));
    absent(bytes_str("token"));
    /* times: seconds and milliseconds of this hour, in both byte orders' common prefix as text */
    char text[32];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)(queue_now_s(w.queue) / 3600));
    absent(bytes_str(text));
    /* the control: what is there is found */
    assert_true(vfs_contains(w.vfs, bytes_str("queue_item")));
}

/* An acknowledged item is gone from the files, the log included, within 30 s. */
static void me3_acknowledge_is_delete(void **state)
{
    (void)state;
    struct qlistener l = {0};
    assert_int_equal(qref_send(&refs[0], 1, 100), QUEUE_OK);
    /* the sealed item as the client gets it is what lies in the file */
    Hearth__V1__DequeueRequest in = HEARTH__V1__DEQUEUE_REQUEST__INIT;
    ProtobufCMessage *out = NULL;
    assert_int_equal(qworld_call(&w, &clients[0].client, "Dequeue", &in.base, &out), HEARTH_OK);
    Hearth__V1__DequeueResponse *got = (Hearth__V1__DequeueResponse *)out;
    assert_int_equal(got->n_items, 2);
    struct buf sealed = BUF_INIT;
    buf_append(&sealed, got->items[1]->sealed.data + 10, 64);
    protobuf_c_message_free_unpacked(out, NULL);
    assert_true(vfs_contains(w.vfs, buf_view(&sealed)));
    qlisten(&l, &clients[0], 0);
    qlistener_ack(&l, 1);
    qworld_run_ms(&w, 30000);
    assert_int_equal(qclient_rows(&clients[0]), 0);
    assert_false(vfs_contains(w.vfs, buf_view(&sealed)));
    buf_clear(&sealed);
    qlistener_close(&l);
}

/* ---- what order gives away */

struct order {
    uint64_t rows[CLIENTS * 64];
    size_t count;
};

static struct err run_rows(struct store_txn *txn, void *arg)
{
    struct order *o = arg;
    for (;;) {
        struct stmt *s = stmt_use(txn, SQL_CLIENT_NEXT);
        stmt_bind_u64(s, 1, o->count == 0 ? 0 : o->rows[o->count - 1]);
        bool row = false;
        TRY(stmt_step(s, &row));
        if (!row)
            return ERR_OK;
        o->rows[o->count++] = stmt_u64(s, 0);
    }
}

struct finding {
    struct qclient *c;
    uint64_t row;
};

static struct err run_find(struct store_txn *txn, void *arg)
{
    struct finding *f = arg;
    struct queue_client client;
    TRY(queue_client_by_id(txn, w.queue, f->c->client.id, &client));
    f->row = client.row;
    return ERR_OK;
}

static uint64_t row_of(struct qclient *c)
{
    struct finding f = {.c = c};
    assert_ok(store_call_read(queue_store(w.queue), run_find, &f));
    return f.row;
}

/* P4: the order of the rows is not the order in which they were made: of 100 pairs made one after
 * the other about half lie in that order. */
static void p4_order_of_creation(void **state)
{
    (void)state;
    struct qclient *c = calloc(1, sizeof *c);
    assert_non_null(c);
    unsigned ascending = 0;
    uint64_t before = 0;
    for (int i = 0; i < 100; i++) {
        qclient_create(&w, c);
        uint64_t row = row_of(c);
        ascending += row > before;
        before = row;
        qclient_free(c);
    }
    free(c);
    assert_in_range(ascending, 30, 70);
    struct order o = {.count = 0};
    assert_ok(store_call_read(queue_store(w.queue), run_rows, &o));
    assert_int_equal(o.count, 100 + CLIENTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(me3_no_canary, setup, teardown),
        cmocka_unit_test_setup_teardown(me3_acknowledge_is_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(p4_order_of_creation, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
